"""One server that holds very many messages: taking them, starting with them, delivering beside them, all due at once.

    .venv/bin/python -m bench.backlog [--stored 100000] [--body 1000] [--due 100000] [--messages 10000] [--runs 1]

On SQLite, with the defaults of `serve`. The stored ones are due in a day; what is delivered beside them is not
delayed. The burst is published in advance, in batches, to be due in one and the same second, at a destination that
takes 20 ms a request; meanwhile another client publishes at a low rate, as it did before the burst.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.harness import BenchmarkError, Receiver, Server, run
from bench.report import Report, describe_machine
from bench.rounds import BATCH, MIB, add_cost, deliver, publish_batches, publish_to

RATE = 100
STARTED_AGAIN = 3
SLOWEST_BATCHES = 2000
"""Messages a second that are at least taken in batches: how far ahead a burst has to be due."""

PARKED = 40_000
"""By batches, that take a second."""

LEAD_S = 3
BURST_ANSWER_MS = 20
"""At once there would never be several: an answer that takes no time is given before the next request is read."""

BURST_WITHIN_S = 600.0


def measure_batches(server: Server, receiver: Receiver, report: Report, messages: int) -> None:
    """Publish by batches: messages that are delivered at once, then others that are due in a day."""
    receiver.reset()
    before = server.usage()
    sent = publish_batches(server, f"{receiver.url}/hook", messages)
    came = receiver.wait_for(messages, BURST_WITHIN_S)
    took_s = (came.last_us - sent.first_us) / 1e6
    report.add(f"batches of {BATCH}: publish", "messages/s", messages / sent.seconds)
    report.add(f"batches of {BATCH}: publish to delivery", "messages/s", messages / took_s)
    report.add(f"batches of {BATCH}: a request, p99", "ms", sent.latency_us.p99 / 1000)
    add_cost(report, f"batches of {BATCH}", before, server.usage(), messages)
    title, before = f"batches of {BATCH}, parked", server.usage()
    parked = publish_batches(server, f"{receiver.url}/later", PARKED, Upstash_Delay="1d")
    report.add(f"{title}: publish", "messages/s", PARKED / parked.seconds)
    report.add(f"{title}: a request, p99", "ms", parked.latency_us.p99 / 1000)
    add_cost(report, title, before, server.usage(), PARKED)


def measure_stored(folder: Path, receiver: Receiver, report: Report, said: argparse.Namespace) -> None:
    """An empty server; then the same one with so many messages."""
    stored, title = said.stored, f"{said.stored:,} stored"
    with Server(folder) as server:
        deliver(server, receiver, Report("warm-up"), "", said.messages // 3)
        deliver(server, receiver, report, "0 stored: end to end", said.messages)
        before = server.usage()
        sent = publish_to(
            server,
            server.publish_url(f"{receiver.url}/later"),
            "Upstash-Delay: 1d",
            count=stored,
            body_bytes=said.body,
        )
        report.add(f"storing {stored:,} of {said.body:,} bytes", "s", sent.seconds)
        report.add(f"storing {stored:,}: publish, p99", "ms", sent.latency_us.p99 / 1000)
        add_cost(report, f"storing {stored:,}", before, server.usage(), stored)
        report.add(f"{title}: server's memory", "MiB", server.usage().rss_bytes / MIB)
        deliver(server, receiver, report, f"{title}: end to end", said.messages)
        report.add(f"{title}: server's memory, at its highest", "MiB", server.usage().peak_bytes / MIB)
    for _ in range(STARTED_AGAIN):
        report.add(f"{title}: start to 200 at /readyz", "s", time_start(folder, server.token))
    with Server(folder, token=server.token) as again:
        report.add(f"{title}: memory after a start", "MiB", again.usage().rss_bytes / MIB)


def time_start(folder: Path, token: str) -> float:
    started = time.perf_counter()
    with Server(folder, token=token):
        return time.perf_counter() - started


def measure_burst(folder: Path, receiver: Receiver, other: Receiver, report: Report, said: argparse.Namespace) -> None:
    """So many due in one second, while another client publishes."""
    count = said.due - said.due % BATCH
    title = f"{count:,} due at once"
    with Server(folder) as server:
        url = server.publish_url(f"{other.url}/hook")
        due = int(time.time()) + LEAD_S + count // SLOWEST_BATCHES
        receiver.reset()
        publish_batches(server, f"{receiver.url}/burst", count, Upstash_Not_Before=str(due))
        idle = publish_to(server, url, rate=RATE, seconds=min(said.seconds, max(1.0, due - time.time() - 1)))
        if time.time() >= due:
            raise BenchmarkError(f"{count:,} messages were not taken before they were due; try fewer: --due")
        time.sleep(due - time.time())
        before = server.usage()
        meanwhile = publish_to(server, url, rate=RATE, seconds=said.seconds)
        came = receiver.wait_for(count, BURST_WITHIN_S)
        after = server.usage()
        report.add(title, "deliveries/s", count / (came.last_us / 1e6 - due))
        report.add(f"{title}: server's memory, at its highest", "MiB", after.peak_bytes / MIB)
        add_cost(report, title, before, after, count)
        report.add(f"{title}: most deliveries at once", "deliveries", max(came.most_at_once_per_second))
        report.add(f"{title}: publish before, p99", "ms", idle.latency_us.p99 / 1000)
        report.add(f"{title}: publish meanwhile, p99", "ms", meanwhile.latency_us.p99 / 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description="a server that holds very many messages")
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--body", type=int, default=1000, help="bytes of each stored one")
    parser.add_argument("--due", type=int, default=100_000, help="at once")
    parser.add_argument("--messages", type=int, default=10_000, help="delivered beside the stored ones, in a run")
    parser.add_argument("--seconds", type=float, default=10, help="of publishing before and during a burst")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("backlog")
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        (folder / "other").mkdir()
        (folder / "burst").mkdir()
        machine = describe_machine(folder)
        with (
            Receiver(folder) as receiver,
            Receiver(folder / "other") as other,
            Receiver(folder / "burst", delay_ms=BURST_ANSWER_MS) as taking_time,
        ):
            for number in range(said.runs):
                with Server(folder / f"batches_{number}") as server:
                    measure_batches(server, receiver, report, said.messages - said.messages % BATCH)
                measure_stored(folder / f"stored_{number}", receiver, report, said)
                measure_burst(folder / f"burst_{number}", taking_time, other, report, said)
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)

"""A hundred healthy hosts, beside a dead one with thousands of messages and without it.

    .venv/bin/python -m bench.dead_host [--messages 10000] [--hosts 100] [--rate 200] [--seconds 4] [--runs 3]

On SQLite. The dead one refuses every connection, or takes it and never answers: then attempts end by their time-out.
Its messages are published first; then those to the healthy ones, to each in turn, are measured. Each run measures
without, beside the one and beside the other, every second run the other way round, so that what the machine does
meanwhile is shared out; the ratios are within a run.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Receiver, Server, run
from bench.report import Report, describe_machine
from bench.rounds import publish_batches, publish_to

QUICK_STOP = ("--drain-timeout", "1s")
"""What still waits for the dead one is of no interest in the end."""

TIMEOUT = "3s"
"""Of an attempt at the dead one: some end while it is measured."""

WARM_S = 1.0
"""The healthy ones are sent to for so long beforehand: there are connections to each then."""

ALONE, REFUSES, HANGS = "without a dead host", "beside one that refuses", "beside one that hangs"


@contextlib.contextmanager
def dead_host(kind: str) -> Iterator[str | None]:
    """The URL of one that is dead in that way."""
    if kind == ALONE:
        yield None
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == HANGS:
            listener.listen(4096)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/dead"


def measure(kind: str, folder: Path, healthy: Receiver, report: Report, said: argparse.Namespace) -> float:
    """The p99 from publish to delivery at the healthy hosts, in ms."""
    port = healthy.url.rpartition(":")[2]
    with Server(folder, *QUICK_STOP) as server, dead_host(kind) as dead:
        # load counts its requests: {n%100} is the host's number.
        hosts = server.publish_url(f"http://127.0.1.{{n%{said.hosts}}}:{port}/hook")
        healthy.reset()
        warming = publish_to(server, hosts, rate=said.rate, seconds=WARM_S)
        healthy.wait_for(warming.requests)
        if dead is not None:
            publish_batches(server, dead, said.messages, Upstash_Timeout=TIMEOUT)
        healthy.reset()
        before = server.usage()
        sent = publish_to(server, hosts, rate=said.rate, seconds=said.seconds)
        came = healthy.wait_for(sent.requests)
        used_s = server.usage().cpu_s - before.cpu_s
    for quantile in ("p50", "p99", "max"):
        report.add(f"{kind}: publish to delivery, {quantile}", "ms", getattr(came.latency_us, quantile) / 1000)
    report.add(f"{kind}: publish, p99", "ms", sent.latency_us.p99 / 1000)
    report.add(f"{kind}: server", "CPUs", used_s / said.seconds)
    return came.latency_us.p99 / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="healthy hosts beside a dead one")
    parser.add_argument("--messages", type=int, default=10_000, help="to the dead host")
    parser.add_argument("--hosts", type=int, default=100, help="healthy ones, 256 at most")
    parser.add_argument("--rate", type=float, default=200, help="to the healthy hosts, messages a second in all")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("dead_host")
    with tempfile.TemporaryDirectory(dir=said.folder) as name, Receiver(Path(name), at_every_address=True) as healthy:
        folder = Path(name)
        machine = describe_machine(folder)
        for number in range(said.runs):
            kinds = [ALONE, REFUSES, HANGS][:: -1 if number % 2 else 1]
            p99 = {kind: measure(kind, folder / f"{number} {kind}", healthy, report, said) for kind in kinds}
            for kind in (REFUSES, HANGS):
                report.add(f"{kind}: p99, to that without", "times", p99[kind] / p99[ALONE])
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)

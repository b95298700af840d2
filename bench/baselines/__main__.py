"""Outrider beside its peers and the machine's own limits, in one run, so that the ratios hold elsewhere too.

    .venv/bin/python -m bench.baselines.setup
    .venv/bin/python -m bench.baselines [--messages 10000] [--parked 10000] [--runs 3] [--only NAME…]

Every peer has an HTTP front that `load` publishes 200-byte messages to over 64 connections, and a worker that
POSTs them to `receiver`; the figure is messages ÷ the time from the first publish to the last delivery. Peers
take turns, each on a fresh database in each round, warm. A peer that is not installed is named as missing.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.baselines.limits import measure_limits
from bench.baselines.peers import OUTRIDER, Peer, Running, all_peers
from bench.baselines.setup import versions
from bench.database import Postgres, durable_server
from bench.harness import BenchmarkError, Receiver, machine_cpu_s, run
from bench.report import Report, describe_machine, print_table
from tests.postgres_server import MissingServerError

RATE = 50

Missing = dict[str, str]
"""Why each could not be measured, by name."""


def measure_throughput(running: Running, receiver: Receiver, report: Report, name: str, messages: int) -> None:
    receiver.reset()
    before, machine_s = running.cpu_s(), machine_cpu_s()
    sent = running.publish(f"{receiver.url}/hook", count=messages)
    came = receiver.wait_for(messages)
    used = {part: cpu_s - before[part] for part, cpu_s in running.cpu_s().items()}
    others_s = machine_cpu_s() - machine_s - sum(used.values()) - sent.cpu_seconds - came.cpu_seconds
    took_s = (came.last_us - sent.first_us) / 1e6
    report.add(f"{name}: end to end", "messages/s", messages / took_s)
    report.add(f"{name}: publishing meanwhile", "messages/s", sent.rate)
    report.add(f"{name}: publish, p99", "ms", sent.latency_us.p99 / 1000)
    report.add(f"{name}: all its processes", "µs CPU a message", 1e6 * sum(used.values()) / messages)
    for part, cpu_s in used.items():
        report.add(f"{name}: {part}", "µs CPU a message", 1e6 * cpu_s / messages)
    report.add(f"{name}: everything else on this machine", "CPUs", max(0.0, others_s) / took_s)


def measure_latency(running: Running, receiver: Receiver, report: Report, name: str, seconds: float) -> None:
    receiver.reset()
    sent = running.publish(f"{receiver.url}/hook", rate=RATE, seconds=seconds)
    came = receiver.wait_for(sent.requests)
    report.add(f"{name}: at {RATE}/s, publish to delivery, p50", "ms", came.latency_us.p50 / 1000)
    report.add(f"{name}: at {RATE}/s, publish to delivery, p99", "ms", came.latency_us.p99 / 1000)


def measure_parking(running: Running, receiver: Receiver, report: Report, name: str, messages: int) -> None:
    if running.park is None:
        return
    before_s = sum(running.cpu_s().values())
    sent = running.park(f"{receiver.url}/hook", count=messages)
    report.add(f"{name}: parking (delayed by 1 h)", "messages/s", sent.rate)
    report.add(f"{name}: parking", "µs CPU a message", 1e6 * (sum(running.cpu_s().values()) - before_s) / messages)
    report.add(f"{name}: memory, with {messages:,} parked", "MiB", running.memory_bytes() / 2**20)


def measure_peer(peer: Peer, receiver: Receiver, report: Report, folder: Path, said: argparse.Namespace) -> None:
    with peer.run(folder) as running:
        measure_throughput(running, receiver, Report("warm-up"), peer.name, said.messages // 3)
        measure_throughput(running, receiver, report, peer.name, said.messages)
        measure_latency(running, receiver, report, peer.name, said.seconds)
        measure_parking(running, receiver, report, peer.name, said.parked)


def print_ratios(report: Report, peers: Sequence[str]) -> None:
    """How many times the first one's figure each has."""
    heads, figures = ("end to end", "CPU a message"), ("end to end", "all its processes")
    own = [report.median(f"{peers[0]}: {figure}") for figure in figures]
    rows = [
        (name, *(f"{report.median(f'{name}: {figure}') / of:.2f}" for figure, of in zip(figures, own, strict=True)))
        for name in peers
    ]
    print()
    print_table((f"times that of {peers[0]}", *heads), rows, right=(1, 2))


@contextlib.contextmanager
def postgres_if_there(url: str | None, missing: Missing) -> Iterator[Postgres | None]:
    """The server; without one, those on PostgreSQL are missing."""
    with contextlib.ExitStack() as stack:
        postgres = None
        try:
            postgres = stack.enter_context(durable_server(url))
        except MissingServerError as failure:
            missing["PostgreSQL"] = str(failure)
        yield postgres


def main() -> None:
    parser = argparse.ArgumentParser(description="Outrider beside its peers")
    parser.add_argument("--messages", type=int, default=10_000, help="in a run")
    parser.add_argument("--parked", type=int, default=10_000, help="in a run")
    parser.add_argument("--seconds", type=float, default=5, help="at the fixed rate, in a run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="peers whose name begins so")
    parser.add_argument("--database", help="URL of a PostgreSQL server on this machine; default: one is started")
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report, missing = Report("baselines"), Missing()
    with (
        tempfile.TemporaryDirectory(dir=said.folder) as name,
        Receiver(Path(name)) as receiver,
        postgres_if_there(said.database, missing) as postgres,
    ):
        folder = Path(name)
        machine = describe_machine(folder) | {"versions": versions()}
        machine |= {"postgresql": postgres.describe()} if postgres else {}
        wanted = [one for one in all_peers(postgres) if not said.only or one.name.startswith(tuple(said.only))]
        missing |= {peer.name: why for peer in wanted if (why := peer.missing()) is not None}
        peers = [peer for peer in wanted if peer.name not in missing]
        for number in range(said.runs):
            missing |= measure_limits(folder, receiver, report)
            for index, peer in enumerate(peers):
                measure_peer(peer, receiver, report, folder / f"{number}_{index}", said)
    report.print()
    if peers and peers[0].name == OUTRIDER:
        print_ratios(report, [peer.name for peer in peers])
    for name, why in missing.items():
        print(f"missing: {name}: {why}")
    settings = {peer.name: peer.settings for peer in peers}
    print("\nwritten to", report.write(said.json, machine | {"peers": settings, "missing": missing}))
    if not peers:
        raise BenchmarkError("there was no peer to measure")


if __name__ == "__main__":
    run(main)

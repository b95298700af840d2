"""What one server on SQLite does from publish to delivery, measured from outside.

    .venv/bin/python -m bench.end_to_end [--messages 30000] [--runs 5] [--folder DIR] [--json FILE]

End to end: `load` publishes 200-byte messages over 64 connections, each is stored, signed and delivered
to `receiver`; the figure is messages ÷ the time from the first publish to the last delivery. A run that
loses or repeats a message gives no figure. The server is a real `outrider serve` on a fresh database, with
its defaults, then with two workers; the first run of each is not counted. Where everything else on the machine
used a good part of it, measure again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.harness import Receiver, Server, Usage, machine_cpu_s, publish, run
from bench.report import Report, describe_machine

RATES = (50, 3000)
WORKERS = (1, 2)
CONNECTIONS = (64, 256)
"""Each waits for its answer before it publishes again: with few, the server waits for them."""
PARKED = "Upstash-Delay: 1h"


def measure_throughput(
    server: Server, receiver: Receiver, report: Report, messages: int, *, prefix: str = "", connections: int = 64
) -> None:
    name = f"{prefix}end to end" + (f", {connections} connections" if connections != 64 else "")
    receiver.reset()
    before, machine_before = server.usage(), machine_cpu_s()
    sent = publish([server], f"{receiver.url}/hook", count=messages, connections=connections)
    came = receiver.wait_for(messages)
    after, machine_after = server.usage(), machine_cpu_s()
    took_s = (came.last_us - sent.first_us) / 1e6
    tools_s = sent.cpu_seconds + came.cpu_seconds
    others_s = machine_after - machine_before - (after.cpu_s - before.cpu_s) - tools_s
    report.add(name, "messages/s", messages / took_s)
    report.add(f"{name}: publishing alone took", "share of the time", sent.seconds / took_s)
    report.add(f"{name}: publish, p50", "ms", sent.latency_us.p50 / 1000)
    report.add(f"{name}: publish, p99", "ms", sent.latency_us.p99 / 1000)
    add_costs(report, name, before, after, messages)
    report.add(f"{name}: load and receiver", "µs CPU a message", 1e6 * tools_s / messages)
    report.add(f"{name}: everything else on this machine", "CPUs", max(0.0, others_s) / took_s)


def measure_latency(
    server: Server, receiver: Receiver, report: Report, rate: int, seconds: float, *, prefix: str = ""
) -> None:
    receiver.reset()
    sent = publish([server], f"{receiver.url}/hook", rate=rate, seconds=seconds)
    came = receiver.wait_for(sent.requests)
    for what, latency in (("publish", sent.latency_us), ("publish to delivery", came.latency_us)):
        for name in ("p50", "p99", "max"):
            report.add(f"{prefix}at {rate:,}/s: {what}, {name}", "ms", getattr(latency, name) / 1000)


def measure_parking(server: Server, receiver: Receiver, report: Report, messages: int, *, prefix: str = "") -> None:
    before = server.usage()
    sent = publish([server], f"{receiver.url}/hook", PARKED, count=messages)
    report.add(f"{prefix}parking (delayed by 1 h)", "messages/s", sent.rate)
    report.add(f"{prefix}parking: publish, p99", "ms", sent.latency_us.p99 / 1000)
    add_costs(report, f"{prefix}parking", before, server.usage(), messages)


def add_costs(report: Report, name: str, before: Usage, after: Usage, messages: int) -> None:
    report.add(f"{name}: server", "µs CPU a message", 1e6 * (after.cpu_s - before.cpu_s) / messages)
    report.add(f"{name}: server's memory, at its highest", "MiB", after.peak_bytes / 2**20)


def measure_server(workers: int, receiver: Receiver, report: Report, folder: Path, said: argparse.Namespace) -> None:
    prefix = "" if workers == 1 else f"{workers} workers: "
    flags = ("--workers", str(workers))
    with Server(folder / f"delivering_{workers}", *flags) as server:
        measure_throughput(server, receiver, Report("warm-up"), said.messages // 3)
        for connections in CONNECTIONS:
            for _ in range(said.runs):
                measure_throughput(server, receiver, report, said.messages, prefix=prefix, connections=connections)
        for rate in RATES:
            for _ in range(said.runs):
                measure_latency(server, receiver, report, rate, said.seconds, prefix=prefix)
    with Server(folder / f"parking_{workers}", *flags) as server:
        measure_parking(server, receiver, Report("warm-up"), said.messages // 3)
        for _ in range(said.runs):
            measure_parking(server, receiver, report, said.messages, prefix=prefix)


def main() -> None:
    parser = argparse.ArgumentParser(description="from publish to delivery, one server on SQLite")
    parser.add_argument("--messages", type=int, default=30_000, help="in a run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="at each fixed rate, in a run")
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("end_to_end")
    with tempfile.TemporaryDirectory(dir=said.folder) as name, Receiver(Path(name)) as receiver:
        folder = Path(name)
        machine = describe_machine(folder)
        for workers in WORKERS:
            measure_server(workers, receiver, report, folder, said)
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)

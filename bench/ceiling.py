"""The most that can be measured here: `load` straight against `receiver`, and what the two themselves cost.

    .venv/bin/python -m bench.ceiling [--seconds 5] [--runs 3] [--json FILE]

A figure of another benchmark that comes near this one is the tools', not what they measure.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.harness import Receiver, run, send
from bench.report import Report, describe_machine

RATES = (50, 3000)


def measure(receiver: Receiver, report: Report, seconds: float) -> None:
    receiver.reset()
    sent = send([f"{receiver.url}/hook"], seconds=seconds)
    came = receiver.wait_for(sent.requests)
    report.add("load to receiver, 64 connections", "requests/s", sent.rate)
    report.add("cost of load", "µs CPU a request", 1e6 * sent.cpu_seconds / sent.requests)
    report.add("cost of receiver", "µs CPU a request", 1e6 * came.cpu_seconds / came.requests)
    for rate in RATES:
        receiver.reset()
        paced = send([f"{receiver.url}/hook"], seconds=seconds, rate=rate)
        came = receiver.wait_for(paced.requests)
        report.add(f"at {rate:,}/s: answer, p50", "µs", paced.latency_us.p50)
        report.add(f"at {rate:,}/s: answer, p99", "µs", paced.latency_us.p99)
        report.add(f"at {rate:,}/s: one way, p50", "µs", came.latency_us.p50)


def main() -> None:
    parser = argparse.ArgumentParser(description="load straight against receiver")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    report = Report("ceiling")
    with tempfile.TemporaryDirectory() as folder, Receiver(Path(folder)) as receiver:
        for _ in range(said.runs):
            measure(receiver, report, said.seconds)
        report.print()
        print("\nwritten to", report.write(said.json, describe_machine(Path(folder))))


if __name__ == "__main__":
    run(main)

"""Very many queues, very many flow-control keys, and the same messages through neither.

    .venv/bin/python -m bench.crowds [--messages 20000] [--queues 1000] [--keys 10000] [--runs 3]

On SQLite, with the defaults of `serve`. Messages take the queues and the keys in turn. A queue delivers one
after the other; a key at most two at once and a hundred a second.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.harness import Receiver, Server, run
from bench.report import Report, describe_machine
from bench.rounds import deliver

LIMITS = "parallelism=2, rate=100, period=1s"


def measure(server: Server, receiver: Receiver, report: Report, said: argparse.Namespace) -> None:
    destination = f"{receiver.url}/hook"
    enqueue = f"{server.url}/v2/enqueue/queue-{{n%{said.queues}}}/{destination}"
    keys = (f"Upstash-Flow-Control-Key: key-{{n%{said.keys}}}", f"Upstash-Flow-Control-Value: {LIMITS}")
    deliver(server, receiver, report, "no gate", said.messages)
    deliver(server, receiver, report, f"{said.queues:,} queues", said.messages, url=enqueue)
    deliver(server, receiver, report, f"{said.keys:,} flow-control keys", said.messages, *keys)


def main() -> None:
    parser = argparse.ArgumentParser(description="very many queues and flow-control keys")
    parser.add_argument("--messages", type=int, default=20_000, help="in a run, of each kind")
    parser.add_argument("--queues", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the database is made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("crowds")
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        machine = describe_machine(folder)
        with Receiver(folder) as receiver, Server(folder / "one") as server:
            deliver(server, receiver, Report("warm-up"), "", said.messages // 3)
            for _ in range(said.runs):
                measure(server, receiver, report, said)
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)

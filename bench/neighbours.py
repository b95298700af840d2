"""A destination that answers at once, beside one that takes two seconds and has thousands of messages.

    .venv/bin/python -m bench.neighbours [--rate 200] [--slow-rate 800] [--delay-ms 2000] [--seconds 8] [--runs 2]

On SQLite. The healthy destination is measured three times over: beside another that answers at once and gets as
many messages (what the work itself costs it), beside the slow one with the defaults of `serve` (200 at once to a
host: the rest of its messages wait in the store), and with so many at once allowed that none of them has to wait.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.harness import Receiver, Server, run
from bench.report import Report, describe_machine
from bench.rounds import MIB, publish_to

AT_ONCE = 5000
WIDE = ("--max-in-flight", str(2 * AT_ONCE), "--max-in-flight-per-host", str(AT_ONCE))
QUICK_STOP = ("--drain-timeout", "1s")
"""What still waits for the slow destination is of no interest in the end."""


def measure(
    name: str,
    folder: Path,
    *,
    healthy: Receiver,
    beside: Receiver,
    report: Report,
    said: argparse.Namespace,
    flags: Sequence[str] = (),
) -> None:
    """Publish to both; what is published to `beside` begins earlier, by twice the slow one's delay."""
    ahead_s = 2 * said.delay_ms / 1000
    beside.reset()
    with Server(folder, *QUICK_STOP, *flags) as server:
        crowd = threading.Thread(
            target=publish_to,
            args=(server, server.publish_url(f"{beside.url}/hook")),
            kwargs={"rate": said.slow_rate, "seconds": ahead_s + said.seconds},
        )
        crowd.start()
        time.sleep(ahead_s)
        healthy.reset()
        sent = publish_to(server, server.publish_url(f"{healthy.url}/hook"), rate=said.rate, seconds=said.seconds)
        came = healthy.wait_for(sent.requests)
        crowd.join()
        peak = server.usage().peak_bytes
    for quantile in ("p50", "p99", "max"):
        report.add(f"{name}: publish to delivery, {quantile}", "ms", getattr(came.latency_us, quantile) / 1000)
    report.add(f"{name}: publish, p99", "ms", sent.latency_us.p99 / 1000)
    report.add(f"{name}: most at once to the other", "deliveries", max(beside.came().most_at_once_per_second))
    report.add(f"{name}: server's memory, at its highest", "MiB", peak / MIB)


def main() -> None:
    parser = argparse.ArgumentParser(description="a healthy destination beside a slow one")
    parser.add_argument("--rate", type=float, default=200, help="to the healthy destination, messages a second")
    parser.add_argument("--slow-rate", type=float, default=800, help="to the other")
    parser.add_argument("--delay-ms", type=float, default=2000, help="of the slow one")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("neighbours")
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        for one in ("quick", "slow", "healthy"):
            (folder / one).mkdir()
        machine = describe_machine(folder)
        for number in range(said.runs):
            with (
                Receiver(folder / "healthy") as healthy,
                Receiver(folder / "quick") as quick,
            ):
                both: dict[str, Any] = {"healthy": healthy, "report": report, "said": said}
                measure("beside a quick one", folder / f"quick_{number}", beside=quick, **both)
                for title, flags in (("beside a slow one", ()), ("beside a slow one, none waits", WIDE)):
                    with Receiver(folder / "slow", delay_ms=said.delay_ms) as slow:
                        measure(title, folder / f"slow_{number}_{len(flags)}", beside=slow, flags=flags, **both)
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)

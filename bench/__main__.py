"""All benchmarks, at sizes that take a quarter of an hour together; then `docs/performance.md` from their figures.

    .venv/bin/python -m bench [--full] [--only NAME…] [--no-page]

One that fails is named at the end, and the others run all the same. `--full` takes the large sizes: a million
messages stored, a million entries of the log, more runs; that is an hour, and 5 GB on the disk.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from bench.page import write_page

QUICK = {
    "ceiling": "--seconds 2 --runs 2",
    "end_to_end": "--runs 3 --seconds 5",
    "baselines": "--runs 3 --seconds 3",
    "backlog": "",
    "crowds": "--runs 2",
    "neighbours": "--runs 2 --seconds 5",
    "dead_host": "--runs 2",
    "tls": "--runs 3",
    "logs": "",
    "views": "--entries 100000",
    "claims": "--parked 1000 100000",
    "nodes": "--runs 2 --messages 20000 --idle-seconds 15",
}
"""Flags of each benchmark, in the order in which they run."""

FULL = {
    "ceiling": "",
    "end_to_end": "--runs 5 --messages 50000",
    "baselines": "--runs 5 --messages 30000 --parked 100000 --seconds 10",
    "backlog": "--stored 1000000 --runs 2",
    "crowds": "--runs 5",
    "neighbours": "--runs 5",
    "dead_host": "--runs 10",
    "tls": "--runs 5 --messages 30000",
    "logs": "--entries 1000000",
    "views": "",
    "claims": "--parked 1000 1000000",
    "nodes": "--runs 5",
}


def run_benchmark(name: str, flags: str) -> bool:
    """Whether it gave its figures."""
    print(f"\n== bench.{name} {flags}", flush=True)
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"bench.{name}", *flags.split()], check=False)
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description="all benchmarks")
    parser.add_argument("--full", action="store_true", help="the large sizes")
    parser.add_argument("--only", nargs="+", choices=QUICK, default=QUICK, metavar="NAME", help=", ".join(QUICK))
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md as it is")
    said = parser.parse_args()
    sizes = FULL if said.full else QUICK
    failed = [name for name in sizes if name in said.only and not run_benchmark(name, sizes[name])]
    if not said.no_page:
        print("\nwritten to", write_page())
    if failed:
        raise SystemExit(f"without figures: {', '.join(failed)}")


if __name__ == "__main__":
    main()

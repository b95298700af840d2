"""Run many seeds, or one again.

    python -m tests.power_loss --seeds 2000 [--from N] [--fail]
    python -m tests.power_loss --seed N [--fail]

Prints one line a seed that found something, and a summary; the exit status is 1 if any did.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time

from tests.power_loss import seeds
from tests.power_loss.seeds import Result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.power_loss")
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone, told in full")
    parser.add_argument("--fail", action="store_true", help="let the disk fail for a while, too")
    said = parser.parse_args()
    run = run_failing if said.fail else run_losing_power
    if said.seed is not None:
        result = run(said.seed)
        print(result, *result.broken, sep="\n")
        return bool(result.broken)
    started = time.monotonic()
    results = run_all(run, range(said.first, said.first + said.seeds))
    print(summary(results), f"{time.monotonic() - started:.0f} s")
    return any(result.broken for result in results)


def run_all(run, numbers: range) -> list[Result]:
    """Their results in order, from as many processes as there are processors; what is broken is printed at once."""
    results = []
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for result in pool.imap(run, numbers, chunksize=5):
            results.append(result)
            if result.broken:
                print(f"seed {result.seed}: {len(result.broken)} broken, first: {result.broken[0]}", flush=True)
    return results


def run_losing_power(seed: int) -> Result:
    return asyncio.run(seeds.lose_power(seed))


def run_failing(seed: int) -> Result:
    return asyncio.run(seeds.fail(seed))


def summary(results: list[Result]) -> str:
    accepted = sum(result.accepted for result in results)
    cuts = sum(len(result.cuts) for result in results)
    failures = sum(result.failures for result in results)
    broken = sum(bool(result.broken) for result in results)
    return (
        f"{len(results)} seeds: {cuts} losses of power, {failures} failed calls to the disk, "
        f"{accepted} messages accepted; {broken} seeds found a broken promise"
    )


if __name__ == "__main__":
    sys.exit(main())

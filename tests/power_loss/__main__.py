"""Run many seeds, or one again.

    python -m tests.power_loss --seeds 2000 [--from N] [--fail]
    python -m tests.power_loss --seed N [--fail]

Prints one line a seed that found something, and a summary; the exit status is 1 if any did.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.power_loss.many import run_all, run_failing, run_losing_power, summary


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
    results = []
    for result in run_all(run, range(said.first, said.first + said.seeds)):
        results.append(result)
        if result.broken:
            print(f"seed {result.seed}: {len(result.broken)} broken, first: {result.broken[0]}", flush=True)
    print(summary(results), f"{time.monotonic() - started:.0f} s")
    return any(result.broken for result in results)


if __name__ == "__main__":
    sys.exit(main())

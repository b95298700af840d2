"""Run seeds: `python -m tests.simulation --seed N`, or `--seeds 1000 [--from N] [--processes 2]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Result, run

REPLAY = "python -m tests.simulation --seed {seed}"


def main() -> int:
    """Whether some promise was broken, as a process says it."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed alone, and tell what happens in it")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--processes", type=int, default=1, help="how many run at once")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first that fails")
    said = parser.parse_args()
    if said.seed is not None:
        return _run_one(said.seed)
    return _run_many(range(said.first, said.first + said.seeds), said.processes, keep_going=said.keep_going)


def report_of(result: Result) -> str:
    """What went wrong in a run, and how to see it again."""
    violation = result.violation
    lines = [result.plan.describe(), *result.trace.about(violation.subject), "", str(violation)]
    return "\n".join([*lines, f"replay: {REPLAY.format(seed=result.plan.seed)}"])


def _run_one(seed: int) -> int:
    result = run(seed)
    _say("\n".join(result.trace.lines))
    _say(f"{result.messages} messages, {result.attempts} attempts, trace {result.trace.hash()}")
    if result.violation is not None:
        _say(f"\n{report_of(result)}")
    return result.violation is not None


def _run_many(seeds: range, processes: int, *, keep_going: bool) -> int:
    began = time.monotonic()
    totals: Counter[str] = Counter()
    for seed, counts, report in _outcomes(seeds, processes):
        totals.update(counts)
        if report is not None:
            _say(report if not keep_going else f"seed {seed}: {report.splitlines()[-2]}")
            if not keep_going:
                break
    took = time.monotonic() - began
    days = totals["simulated ms"] / 86_400_000
    _say(
        f"{totals['seeds']} seeds in {took:.0f} s ({totals['seeds'] / took:.1f}/s): {totals['messages']} messages,"
        f" {totals['attempts']} attempts, {days:.1f} days simulated; {totals['failed']} failed"
    )
    return totals["failed"] > 0


def _outcomes(seeds: range, processes: int) -> Iterator[tuple[int, dict[str, int], str | None]]:
    if processes == 1:
        yield from map(_outcome, seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        try:
            yield from pool.map(_outcome, seeds, chunksize=4)
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(seed: int) -> tuple[int, dict[str, int], str | None]:
    result = run(seed)
    counts = {
        "seeds": 1,
        "messages": result.messages,
        "attempts": result.attempts,
        "simulated ms": result.simulated_ms,
        "failed": result.violation is not None,
    }
    return seed, counts, None if result.violation is None else report_of(result)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

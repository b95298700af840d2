"""Many seeds, and what they come to."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator

from tests.power_loss import seeds
from tests.power_loss.seeds import Result


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


def run_all(run: Callable[[int], Result], numbers: Iterable[int]) -> Iterator[Result]:
    """Their results in order, from as many processes as there are processors."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        yield from pool.imap(run, numbers, chunksize=5)

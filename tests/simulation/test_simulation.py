"""Some seeds of the simulation; README.md says what it is."""

import asyncio
import os
import subprocess
import sys

import pytest
from tests.simulation.__main__ import report_of
from tests.simulation.loop import Stuck, VirtualLoop
from tests.simulation.model import Model
from tests.simulation.plan import plan_of
from tests.simulation.world import run

SEEDS = range(200)

SHORT = next(seed for seed in SEEDS if plan_of(seed).scale.name == "minutes" and plan_of(seed).is_cluster)


@pytest.mark.parametrize("seed", SEEDS)
def test_promises_hold(seed):
    result = run(seed)
    assert result.violation is None, report_of(result)
    assert result.attempts > 0


def test_same_seed_makes_the_same_trace_in_every_process():
    traces = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", str(SHORT)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    here = run(SHORT).trace
    assert traces[0] == traces[1]
    assert traces[0].rstrip().endswith(here.hash())


def test_other_seed_makes_another_trace():
    assert run(SHORT).trace.hash() != run(SHORT + 1).trace.hash()


def test_broken_promise_ends_the_run_and_says_how_to_see_it_again(monkeypatch):
    monkeypatch.setattr(Model, "_leased", lambda model, _, message: model.violate("rule", "m1", f"r{message.retried}"))
    result = run(SHORT)
    assert (result.violation.rule, result.violation.subject) == ("rule", "m1")
    *_, what, replay = report_of(result).splitlines()
    assert what == "rule: m1: r0"
    assert replay == f"replay: python -m tests.simulation --seed {SHORT}"


def test_time_jumps_to_whoever_waits_for_it():
    loop = VirtualLoop()
    woken = []

    async def sleep(ms):
        await loop.pause(ms)
        woken.append(loop.ms)

    async def sleep_all():
        await asyncio.gather(*map(sleep, (86_400_000, 5, 700)))

    loop.run_until_complete(sleep_all())
    assert woken == [5, 700, 86_400_000]
    loop.end()


def test_run_that_waits_for_nothing_fails_and_says_on_what():
    loop = VirtualLoop()

    async def wait_for_ever():
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="wait_for_ever"):
        loop.run_until_complete(wait_for_ever())
    loop.end()


def test_run_in_which_no_time_passes_fails(monkeypatch):
    monkeypatch.setattr("tests.simulation.loop.MOST_TURNS", 100)
    loop = VirtualLoop()

    async def go_round():
        while True:  # noqa: ASYNC110 - nothing happens, on purpose
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match="time stands still at 0 ms"):
        loop.run_until_complete(go_round())
    loop.end()

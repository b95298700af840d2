"""What was answered with success is there after the power was lost, at whichever write or sync it went."""

import os

import pytest
from tests.power_loss.many import run_all, run_failing, run_losing_power, summary

from outrider.store.sqlite import database

SEEDS_TOGETHER = 10


@pytest.mark.parametrize("first", range(0, 100, SEEDS_TOGETHER))
def test_nothing_accepted_is_lost_with_the_power(first):
    assert broken(run_losing_power, range(first, first + SEEDS_TOGETHER)) == {}


@pytest.mark.parametrize("first", range(0, 30, SEEDS_TOGETHER))
def test_disk_that_fails_for_a_while_refuses_and_then_stores_again(first):
    assert broken(run_failing, range(first, first + SEEDS_TOGETHER)) == {}


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_store_that_does_not_sync_its_log_is_found_out(level, monkeypatch):
    weaker = database._DURABLE.replace("synchronous = FULL", f"synchronous = {level}")
    assert weaker != database._DURABLE
    monkeypatch.setattr(database, "_DURABLE", weaker)
    found = [sentence for sentences in broken(run_losing_power, range(5)).values() for sentence in sentences]
    assert any("was accepted, and is lost" in sentence for sentence in found)


def test_same_seed_loses_power_in_the_same_way():
    assert run_losing_power(3) == run_losing_power(3)


@pytest.mark.torture
@pytest.mark.parametrize("run", [run_losing_power, run_failing])
def test_many_seeds(run, capsys):
    results = list(run_all(run, range(int(os.environ.get("TORTURE_SEEDS", "2000")))))
    with capsys.disabled():
        os.write(1, f"\n{summary(results)}\n".encode())
    assert [result for result in results if result.broken] == []


def broken(run, numbers):
    """What each seed found that found anything."""
    return {result.seed: result.broken for result in map(run, numbers) if result.broken}

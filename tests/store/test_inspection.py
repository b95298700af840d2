"""What an inspection finds where rows were tampered with, and that it finds nothing otherwise."""

import pytest
from tests.factories import TENANT, make_callback, make_keys, make_tenant, refused
from tests.store.steps import on_raw
from tests.store.turns import add, keyed, queued, settle

from outrider.store.relational.inspection import INVARIANTS
from outrider.store.sqlite import SqliteStore

HAND = {
    "miscounted_slots": "UPDATE queues SET in_use = 0",
    "miscounted_lines": "UPDATE queues SET waiting = 9",
    "miscounted_flights": "UPDATE flow_keys SET in_flight = 9",
    "miscounted_wait_lists": "UPDATE flow_keys SET waiting = 9",
    "waiting_unheld": "UPDATE messages SET state = 'due' WHERE state = 'held'",
    "held_for_nothing": "DELETE FROM gated WHERE line IS NOT NULL",
    "admitted_astray": "UPDATE messages SET state = 'held' WHERE flow_key IS NOT NULL",
    "leased_unadmitted": "UPDATE gated SET admitted = NULL",
    "unfinished_without_slot": "UPDATE gated SET slot = NULL",
    "slots_held_on": "UPDATE messages SET finished_at = 1 WHERE state = 'leased'",
    "finished_reporting": "UPDATE gated SET source = message WHERE slot IS NOT NULL;"
    "UPDATE messages SET finished_at = 1",
    "stalled_queues": "UPDATE queues SET parallelism = 9",
    "stalled_keys": "UPDATE flow_keys SET parallelism = 9",
}


@pytest.fixture
async def store(tmp_path):
    opened = await SqliteStore.open(tmp_path / "store.db")
    await opened.add_tenant(make_tenant(id=TENANT), make_keys())
    await add(opened, [*queued(2), *keyed(2, parallelism=1)])
    yield opened
    await opened.close()


def test_every_invariant_has_a_hand_against_it():
    assert HAND.keys() == INVARIANTS.keys()


@pytest.mark.parametrize("invariant", INVARIANTS)
async def test_hand_in_the_tables_is_found(store, invariant):
    assert await store.inspect() == []
    await on_raw(store, lambda raw: [raw.execute(statement) for statement in HAND[invariant].split(";")])
    assert INVARIANTS[invariant] in {violation.fault for violation in await store.inspect()}


async def test_nothing_is_found_in_the_middle_of_callbacks(store):
    (first,) = queued(queue="other", retries=0, failure_callback=make_callback())
    await add(store, [first])
    await settle(store, first, outcome=refused(), follow_ups=queued(queue=None, callback_of=first.id))
    assert await store.inspect() == []


async def test_fact_that_was_said_first_stays(store):
    assert await store.keep_fact("mode", "dev") == "dev"
    assert await store.keep_fact("mode", "serve") == "dev"
    assert await store.keep_fact("other", "x") == "x"

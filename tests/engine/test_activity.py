"""Counting as it happens: what the figures say, when they say it, and what a store in trouble costs."""

import pytest

from outrider.domain.activity import ErrorKind
from outrider.domain.instant import MINUTE_MS
from outrider.domain.options import CallbackPatch

URL = "https://a.example/x"
BAD = "https://b.example/x"


async def totals(world, engine=None):
    now = world.clock.now()
    series = await (engine or world.engine).activity.series(world.tenant, now - MINUTE_MS, now, 60)
    return series.totals


async def test_what_happened_is_told_within_a_second_of_its_second(world):
    world.destinations.answer(BAD, 500, 200)
    await world.publish(URL)
    await world.publish(BAD, retry_delay="1000")
    await world.rest()
    await world.clock.advance(1100)
    told = await totals(world)
    assert (told.accepted, told.delivered, told.failed) == (2, 1, 1)
    assert told.errors == {ErrorKind.STATUS_5XX: 1}
    await world.clock.advance(1100)
    assert (await totals(world)).delivered == 2


async def test_given_up_message_and_callback_are_counted(world):
    world.destinations.answer(BAD, 404)
    await world.publish(BAD, retries=0, failure_callback=CallbackPatch(url=URL))
    await world.rest()
    await world.clock.advance(1100)
    told = await totals(world)
    assert (told.accepted, told.delivered, told.failed, told.dead_lettered) == (2, 1, 1, 1)


async def test_last_second_is_told_without_the_store(world):
    await world.publish(URL)
    await world.rest()
    world.node.store.reachable = False
    activity = world.engine.activity
    assert activity.last_second(world.tenant).accepted == 0
    await world.clock.advance(1000 - world.clock.now() % 1000)
    assert activity.last_second(world.tenant).accepted == 1
    await world.clock.advance(500)
    assert activity.last_second(world.tenant).accepted == 1
    await world.clock.advance(500)
    assert activity.last_second(world.tenant).accepted == 0


async def test_last_second_is_told_when_it_is_written(world):
    await world.publish(URL)
    await world.rest()
    await world.clock.advance(1900)
    assert (await totals(world)).accepted == 1
    assert world.engine.activity.last_second(world.tenant).accepted == 1


async def test_nothing_is_written_while_nothing_happens(world):
    await world.publish(URL)
    await world.rest()
    await world.clock.advance(1100)
    written = []
    world.engine.activity._store = Recorder(written)
    await world.clock.advance(10 * MINUTE_MS)
    assert written == []


async def test_store_in_trouble_costs_no_counts(world):
    await world.publish(URL)
    await world.rest()
    world.node.store.reachable = False
    await world.clock.advance(3100)
    assert len(world.witness.noted("activity_failed")) == 1
    world.node.store.reachable = True
    await world.clock.advance(1100)
    assert (await totals(world)).delivered == 1


async def test_what_was_counted_is_written_at_the_end(world):
    await world.publish(URL)
    await world.rest()
    await world.stop()
    await world.start_anew()
    await world.clock.advance(1000)
    assert (await totals(world)).accepted == 1


async def test_nodes_count_together(make_world, backend):
    if backend.another is None:
        pytest.skip("serves one process alone")
    world = await make_world()
    node = await world.join_node()
    await world.publish(URL)
    await node.engine.publisher.publish(world.request(URL))
    await world.rest()
    await world.clock.advance(1100)
    for engine in (world.engine, node.engine):
        assert (await totals(world, engine)).delivered == 2


async def test_upkeep_forgets_what_is_kept_no_longer(world):
    await world.publish(URL)
    await world.rest()
    await world.clock.advance(1100)
    now = world.clock.now()
    await world.clock.leap(20 * MINUTE_MS)
    await world.rest()
    series = await world.engine.activity.series(world.tenant, now - MINUTE_MS, now, 60)
    assert (series.span.step_ms, series.totals.accepted) == (10_000, 1)


class Recorder:
    def __init__(self, written):
        self.written = written

    async def add_activity(self, rows):
        self.written.append(rows)

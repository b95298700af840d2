"""Who listens is told what happens; where nobody does, nothing is done."""

import asyncio

import pytest
from tests.engine.world import unreachable

from outrider.domain.audit import Actor
from outrider.domain.tenant import Scope
from outrider.engine.live import LAG_MS, MOST_LISTENERS, MOST_UNREAD, TICK_MS, Changed, Pulse

BY = Actor("tok_1", "abcd")


def unread(listener):
    """What a listener was told since it last read."""
    news = []
    while not listener._unread.empty():
        news.append(listener._unread.get_nowait())
    return news


def topics(news):
    return {topic for one in news if isinstance(one, Changed) for topic in one.topics}


def totals(news):
    pulses = [one for one in news if isinstance(one, Pulse)]
    return tuple(
        sum(getattr(one, name) for one in pulses) for name in ("accepted", "delivered", "failed", "dead_lettered")
    )


async def test_a_listener_is_told_what_changes_at_once_and_how_much_each_second(world):
    with world.engine.live.listening(world.tenant) as listener:
        await world.clock.advance(1000)
        assert unread(listener) == [Pulse(world.clock.now(), 0, 0, 0, 0)]
        for _ in range(3):
            await world.publish()
        await world.clock.advance(TICK_MS)
        assert unread(listener) == [Changed(("flowControl", "logs", "messages", "queues", "schedules"))]
        await world.clock.advance(750)
        assert unread(listener) == [Pulse(world.clock.now(), 3, 3, 0, 0)]


async def test_failures_and_dead_letters_are_told_apart(world):
    world.destinations.behave("https://a.example/x", unreachable)
    with world.engine.live.listening(world.tenant) as listener:
        await world.publish(retries=0)
        await world.clock.advance(1000)
        news = unread(listener)
    assert totals(news) == (1, 0, 1, 1)
    assert "dlq" in topics(news)


async def test_administrative_changes_are_told_whoever_makes_them(world):
    await world.engine.audit.record(world.tenant, BY, "profile.put", "before")
    await world.clock.advance(1)
    with world.engine.live.listening(world.tenant) as listener:
        await world.directory.create_token("acme", Scope.FULL)
        await world.engine.audit.record(world.tenant, BY, "queue.pause", "q")
        await world.clock.advance(500)
        assert unread(listener) == [Changed(("queues", "tokens"))]
        await world.engine.audit.record(world.tenant, BY, "url_group.delete", "g")
        await world.engine.audit.record("ten_other", BY, "schedule.put", "s")
        await world.clock.advance(500)
        assert topics(unread(listener)) == {"urlGroups"}
        await world.clock.advance(1000)
        assert topics(unread(listener)) == set()


async def test_nobody_is_told_of_another_tenant(world):
    with world.engine.live.listening("ten_other") as listener:
        await world.publish()
        await world.clock.advance(1000)
        assert unread(listener) == [Pulse(world.clock.now(), 0, 0, 0, 0)]


async def test_what_another_node_does_is_told_too(make_world, backend):
    if not backend.another:
        pytest.skip("one process alone")
    world = await make_world(shared=True)
    other = await world.join_node()
    with other.engine.live.listening(world.tenant) as listener:
        for _ in range(3):
            await world.publish()
        await world.clock.advance(LAG_MS + 2 * TICK_MS)
        assert topics(unread(listener)) >= {"messages", "logs"}
        await world.clock.advance(2000)
        assert totals(unread(listener)) == (3, 3, 0, 0)


async def test_an_outage_of_the_store_leaves_the_listeners_listening(make_world):
    world = await make_world(shared=True)
    with world.engine.live.listening(world.tenant) as listener:
        await world.publish()
        world.store.reachable = False
        await world.clock.advance(1000)
        world.store.reachable = True
        await world.clock.advance(2000)
        assert totals(unread(listener))[0] == 1


async def test_a_listener_that_does_not_read_is_let_go(world):
    with world.engine.live.listening(world.tenant) as listener:
        await world.clock.advance(1000 * MOST_UNREAD)
        assert not listener.is_lost
        await world.clock.advance(1000)
        assert listener.is_lost


async def test_listeners_are_bounded(world):
    live = world.engine.live
    contexts = [live.listening(world.tenant) for _ in range(MOST_LISTENERS)]
    for context in contexts:
        assert live.has_room
        context.__enter__()
    assert not live.has_room
    for context in contexts:
        context.__exit__(None, None, None)
    assert live.has_room


async def test_nothing_wakes_where_nobody_listens(world):
    with world.engine.live.listening(world.tenant):
        await asyncio.sleep(0)
    await world.clock.advance(TICK_MS)
    waiting = world.clock.next_wake_at()
    assert waiting is None or waiting > world.clock.now() + TICK_MS

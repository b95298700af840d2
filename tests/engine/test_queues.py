"""Queues: in order, never more at once than allowed, and nobody waits for a poll."""

import asyncio

import pytest
from tests.engine.world import unreachable

from outrider.domain.errors import Malformed, NotFound, TooMany
from outrider.domain.event import EventKind as E
from outrider.domain.limits import Limits
from outrider.domain.message import MessageState
from outrider.domain.options import CallbackPatch

URL = "https://a.example/x"
OTHER = "https://b.example/x"
CALLBACK = "https://callback.example/x"


async def enqueue(world, *bodies: bytes, queue: str = "line", to: str = URL, **said) -> list[str]:
    published = [await world.engine.publisher.publish(world.request(to, body, queue=queue, **said)) for body in bodies]
    await world.rest()
    return [one.message_id for one in published]


def bodies(world, url: str = URL) -> list[bytes]:
    return [call.body for call in world.destinations.calls_to(url)]


async def queue_of(world, name: str = "line"):
    return await world.engine.queues.get(world.tenant, name)


class TestOrder:
    async def test_next_starts_at_once_when_the_current_one_is_delivered(self, world):
        release = world.destinations.hang(URL)
        await enqueue(world, b"1", b"2", b"3")
        assert bodies(world) == [b"1"]
        assert (await queue_of(world)).waiting == 2
        before = world.clock.now()
        release.set()
        await world.rest()
        assert bodies(world) == [b"1", b"2", b"3"]
        assert world.clock.now() == before
        assert (await queue_of(world)).waiting == 0
        assert world.destinations.most_concurrent[URL] == 1

    async def test_retries_are_not_overtaken(self, world):
        world.destinations.answer(URL, 500, 500, 200)
        await enqueue(world, b"1", b"2", retry_delay="1000")
        await world.clock.advance(1_000)
        assert bodies(world) == [b"1", b"1"]
        await world.clock.advance(1_000)
        assert bodies(world) == [b"1", b"1", b"1", b"2"]

    async def test_next_starts_when_the_current_one_is_given_up(self, world):
        world.destinations.behave(URL, unreachable)
        await enqueue(world, b"1", b"2", retries=0)
        assert bodies(world) == [b"1", b"2"]
        assert len(await world.dead_letters()) == 2

    async def test_callbacks_are_not_overtaken_nor_are_their_retries(self, world):
        world.destinations.answer(CALLBACK, 500, 200)
        callback = CallbackPatch(url=CALLBACK)
        await enqueue(world, b"1", b"2", callback=callback, retries=1, retry_delay="1000")
        assert (bodies(world), len(bodies(world, CALLBACK))) == ([b"1"], 1)
        await world.clock.advance(11_000)
        assert bodies(world) == [b"1"]
        await world.clock.advance(2_000)
        assert (bodies(world), len(bodies(world, CALLBACK))) == ([b"1", b"2"], 3)

    async def test_delayed_message_keeps_its_place_and_delays_the_rest(self, world):
        await enqueue(world, b"1", delay_ms=5_000)
        await enqueue(world, b"2")
        assert bodies(world) == []
        await world.clock.advance(5_000)
        assert bodies(world) == [b"1", b"2"]

    async def test_order_holds_across_a_restart(self, world):
        world.destinations.hang(URL)
        await enqueue(world, b"1", b"2", b"3")
        await world.kill()
        world.destinations.answer(URL, 200)
        await world.start_anew()
        assert bodies(world) == [b"1", b"1", b"2", b"3"]

    async def test_queues_do_not_wait_for_one_another(self, world):
        world.destinations.hang(URL)
        await enqueue(world, b"1", b"2")
        await enqueue(world, b"3", queue="other", to=OTHER)
        assert bodies(world, OTHER) == [b"3"]

    async def test_long_line_runs_to_its_end(self, world):
        release = world.destinations.hang(URL)
        wanted = [str(number).encode() for number in range(120)]
        await world.engine.publisher.publish_batch([world.request(URL, body, queue="line") for body in wanted])
        release.set()
        await world.rest()
        assert bodies(world) == wanted

    async def test_cancelled_message_makes_room_for_the_next(self, world):
        first, second = await enqueue(world, b"1", b"2", delay_ms=60_000)
        await enqueue(world, b"3")
        await world.engine.messages.cancel(world.tenant, second)
        await world.engine.messages.cancel(world.tenant, first)
        await world.rest()
        assert bodies(world) == [b"3"]


class TestParallelism:
    async def test_as_many_are_on_their_way_as_the_queue_has_slots(self, world):
        release = world.destinations.hang(URL)
        await world.engine.queues.put(world.tenant, "line", parallelism=3, paused=None)
        await enqueue(world, *[b"x"] * 8)
        assert world.destinations.concurrent[URL] == 3
        release.set()
        await world.rest()
        assert (len(bodies(world)), world.destinations.most_concurrent[URL]) == (8, 3)

    async def test_wider_queue_takes_more_at_once(self, world):
        world.destinations.hang(URL)
        await enqueue(world, *[b"x"] * 8)
        await world.engine.queues.put(world.tenant, "line", parallelism=5, paused=None)
        await world.rest()
        assert world.destinations.concurrent[URL] == 5

    async def test_narrower_queue_lets_what_runs_run(self, world):
        release = world.destinations.hang(URL)
        await world.engine.queues.put(world.tenant, "line", parallelism=3, paused=None)
        await enqueue(world, *[b"x"] * 6)
        await world.engine.queues.put(world.tenant, "line", parallelism=1, paused=None)
        await world.rest()
        assert world.destinations.concurrent[URL] == 3
        world.destinations.most_concurrent.clear()
        release.set()
        await world.rest()
        assert (len(bodies(world)), world.destinations.most_concurrent[URL]) == (6, 1)

    async def test_enqueuing_never_changes_the_queue(self, world):
        made = await world.engine.queues.put(world.tenant, "line", parallelism=4, paused=True)
        await world.clock.advance(5_000)
        await enqueue(world, b"x")
        after = await queue_of(world)
        assert (after.parallelism, after.paused, after.updated_at) == (4, True, made.updated_at)


class TestPausing:
    async def test_paused_queue_starts_nothing_and_goes_on_at_once_when_resumed(self, world):
        await world.engine.queues.put(world.tenant, "line", parallelism=2, paused=None)
        await world.engine.queues.pause(world.tenant, "line")
        (first, *_) = await enqueue(world, b"1", b"2", b"3")
        assert bodies(world) == []
        assert (await world.message(first)).state is MessageState.HELD
        await world.clock.advance(120_000)
        assert bodies(world) == []
        await world.engine.queues.resume(world.tenant, "line")
        await world.rest()
        assert sorted(bodies(world)) == [b"1", b"2", b"3"]

    async def test_what_runs_when_the_queue_is_paused_runs_to_its_end(self, world):
        release = world.destinations.hang(URL)
        first, _ = await enqueue(world, b"1", b"2")
        await world.engine.queues.pause(world.tenant, "line")
        release.set()
        await world.rest()
        assert bodies(world) == [b"1"]
        assert await world.log(first) == [E.CREATED, E.ACTIVE, E.DELIVERED]

    async def test_unknown_queue_cannot_be_paused_resumed_or_read(self, world):
        for what in ("pause", "resume", "get"):
            with pytest.raises(NotFound, match="queue 'nobody'"):
                await getattr(world.engine.queues, what)(world.tenant, "nobody")
        assert await world.engine.queues.list(world.tenant) == []


class TestLife:
    async def test_queue_is_made_on_first_use_with_one_slot(self, world):
        await enqueue(world, b"x")
        (only,) = await world.engine.queues.list(world.tenant)
        assert (only.name, only.parallelism, only.paused, only.waiting) == ("line", 1, False, 0)

    async def test_put_changes_only_what_is_said(self, world):
        made = await world.engine.queues.put(world.tenant, "line", parallelism=None, paused=None)
        assert (made.parallelism, made.paused) == (1, False)
        await world.engine.queues.put(world.tenant, "line", parallelism=7, paused=None)
        await world.clock.advance(1)
        changed = await world.engine.queues.put(world.tenant, "line", parallelism=None, paused=True)
        assert (changed.parallelism, changed.paused) == (7, True)
        assert (changed.created_at, changed.updated_at) == (made.created_at, made.created_at + 1)

    async def test_rules_of_a_queue(self, world):
        with pytest.raises(Malformed, match="parallelism 0"):
            await world.engine.queues.put(world.tenant, "line", parallelism=0, paused=None)
        with pytest.raises(Malformed, match="queue 'a b'"):
            await world.engine.queues.put(world.tenant, "a b", parallelism=1, paused=None)
        with pytest.raises(Malformed, match="queue 'a b'"):
            await enqueue(world, b"x", queue="a b")

    async def test_queue_over_the_limit_is_refused_and_known_ones_go_on(self, make_world):
        world = await make_world(Limits(queues=1))
        await enqueue(world, b"1", queue="one")
        with pytest.raises(TooMany, match="'two'"):
            await enqueue(world, b"2", queue="two")
        with pytest.raises(TooMany):
            await world.engine.queues.put(world.tenant, "two", parallelism=1, paused=None)
        await world.engine.queues.put(world.tenant, "one", parallelism=2, paused=None)
        _, two = await world.engine.publisher.publish_batch(
            [world.request(URL, b"3", queue="one"), world.request(URL, b"4", queue="two")]
        )
        await world.rest()
        assert isinstance(two, TooMany)
        assert bodies(world) == [b"1", b"3"]

    async def test_batch_that_is_refused_whole_makes_no_queue(self, world):
        bad = world.request(URL, not_before=world.clock.now() + 10**12)
        with pytest.raises(Malformed, match="item 1"):
            await world.engine.publisher.publish_batch([world.request(URL, queue="line"), bad])
        assert await world.engine.queues.list(world.tenant) == []

    async def test_deleted_queue_cancels_what_waits_and_lets_what_runs_end(self, world):
        release = world.destinations.hang(URL)
        running, *waiting = await enqueue(world, *[b"x"] * 700)
        await world.engine.queues.delete(world.tenant, "line")
        assert await world.engine.queues.list(world.tenant) == []
        assert {(await world.message(one)).state for one in waiting} == {MessageState.CANCELED}
        release.set()
        await world.rest()
        assert (await world.message(running)).state is MessageState.DELIVERED
        assert len(bodies(world)) == 1

    async def test_message_that_comes_while_the_queue_is_deleted_goes_with_it(self, world, monkeypatch):
        world.destinations.hang(URL)
        await enqueue(world, b"running")
        delete_queue, late = world.store.delete_queue, []

        async def delete_late(*which):
            monkeypatch.undo()
            late.extend(await enqueue(world, b"late"))
            return await delete_queue(*which)

        monkeypatch.setattr(world.store, "delete_queue", delete_late)
        await world.engine.queues.delete(world.tenant, "line")
        assert await world.engine.queues.list(world.tenant) == []
        assert (await world.message(late[0])).state is MessageState.CANCELED

    async def test_deleting_no_queue_is_no_error_and_a_deleted_one_is_made_anew(self, world):
        await world.engine.queues.delete(world.tenant, "line")
        await world.engine.queues.put(world.tenant, "line", parallelism=5, paused=True)
        await enqueue(world, b"1")
        await world.engine.queues.delete(world.tenant, "line")
        await enqueue(world, b"2")
        assert bodies(world) == [b"2"]
        assert (await queue_of(world)).parallelism == 1

    async def test_first_messages_at_once_make_one_queue(self, world):
        await asyncio.gather(*(world.engine.publisher.publish(world.request(URL, queue="line")) for _ in range(20)))
        await world.rest()
        assert len(bodies(world)) == 20
        assert world.destinations.most_concurrent[URL] == 1

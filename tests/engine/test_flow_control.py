"""Flow control: rate and parallelism are never exceeded, and what may start starts at once."""

import pytest

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.event import EventKind
from outrider.domain.message import MessageState
from outrider.domain.options import FlowControl

URL = "https://a.example/x"
KEY = "key/with slash"


def control(**limits) -> FlowControl:
    return FlowControl(KEY, **limits)


async def publish(world, n: int, *, url: str = URL, delay_ms: int = 0, **limits) -> list[str]:
    ids = [await world.publish(url, flow_control=control(**limits), delay_ms=delay_ms) for _ in range(n)]
    await world.rest()
    return ids


def keys(world):
    return world.engine.flow_control


async def state(world):
    return await keys(world).get(world.tenant, KEY)


def starts(world) -> list[int]:
    """When attempts began, in order."""
    return [event.time for event in world.witness.seen if event.kind is EventKind.ACTIVE]


class TestParallelism:
    async def test_at_most_so_many_are_in_flight_and_the_next_starts_at_once(self, world):
        release = world.destinations.hang(URL)
        await publish(world, 7, parallelism=2)
        assert world.destinations.concurrent[URL] == 2
        assert ((await state(world)).in_flight, (await state(world)).waiting) == (2, 5)
        before = world.clock.now()
        release.set()
        await world.rest()
        assert (len(world.destinations.calls), world.destinations.most_concurrent[URL]) == (7, 2)
        assert world.clock.now() == before
        assert ((await state(world)).in_flight, (await state(world)).waiting) == (0, 0)

    async def test_retry_leaves_its_place_to_others_meanwhile(self, world):
        world.destinations.answer(URL, 500, 200)
        await publish(world, 2, parallelism=1)
        assert len(world.destinations.calls) == 2
        await world.clock.advance(13_000)
        assert len(world.destinations.calls) == 3
        assert world.destinations.most_concurrent[URL] == 1

    async def test_it_holds_across_a_restart(self, world):
        world.destinations.hang(URL)
        await publish(world, 5, parallelism=2)
        await world.kill()
        world.destinations.concurrent.clear()
        release = world.destinations.hang(URL)
        await world.start_anew()
        assert world.destinations.concurrent[URL] == 2
        release.set()
        await world.rest()
        assert len(world.destinations.calls) == 2 + 5
        assert world.destinations.most_concurrent[URL] == 2

    async def test_message_that_brings_wider_limits_frees_those_that_wait(self, world):
        world.destinations.hang(URL)
        await publish(world, 4, parallelism=1)
        await publish(world, 1, parallelism=9)
        assert world.destinations.concurrent[URL] == 5


class TestRate:
    async def test_so_many_start_in_each_window_and_the_next_at_its_very_end(self, world):
        began = world.clock.now()
        await publish(world, 7, rate=3, period_ms=10_000)
        assert len(world.destinations.calls) == 3
        await world.clock.advance(9_999)
        assert len(world.destinations.calls) == 3
        await world.clock.advance(1)
        assert len(world.destinations.calls) == 6
        await world.clock.advance(10_000)
        assert starts(world) == [began] * 3 + [began + 10_000] * 3 + [began + 20_000]

    async def test_message_held_long_after_the_window_began_starts_at_its_end(self, world):
        await publish(world, 1, rate=1, period_ms=10_000)
        await world.clock.advance(4_000)
        await publish(world, 1, rate=1, period_ms=10_000)
        await world.clock.advance(5_999)
        assert len(world.destinations.calls) == 1
        await world.clock.advance(1)
        assert len(world.destinations.calls) == 2

    async def test_every_line_that_fills_again_is_noticed(self, world):
        began = world.clock.now()
        for _ in range(4):
            await publish(world, 1, rate=1, period_ms=10_000)
            await world.clock.advance(4_000)
            await publish(world, 1, rate=1, period_ms=10_000)
            await world.clock.advance(16_000)
        assert [start - began for start in starts(world)] == [number * 10_000 for number in range(8)]

    async def test_delayed_messages_are_admitted_when_they_are_due(self, world):
        await publish(world, 3, delay_ms=5_000, rate=2, period_ms=10_000)
        await world.clock.advance(5_000)
        assert len(world.destinations.calls) == 2
        await world.clock.advance(10_000)
        assert len(world.destinations.calls) == 3

    async def test_retries_count_like_first_attempts(self, world):
        world.destinations.answer(URL, 500)
        await publish(world, 1, rate=1, period_ms=60_000)
        await world.clock.advance(59_999)
        assert len(world.destinations.calls) == 1
        await world.clock.advance(1)
        assert len(world.destinations.calls) == 2

    async def test_it_holds_across_a_restart(self, world):
        await publish(world, 5, rate=2, period_ms=10_000)
        await world.kill()
        await world.start_anew()
        assert len(world.destinations.calls) == 2
        await world.clock.advance(10_000)
        assert len(world.destinations.calls) == 4

    async def test_keys_do_not_wait_for_one_another(self, world):
        await publish(world, 2, rate=1, period_ms=60_000)
        await world.publish(URL, flow_control=FlowControl("other", rate=1))
        await world.rest()
        assert len(world.destinations.calls) == 2

    async def test_queue_and_key_hold_together(self, world):
        for body in (b"1", b"2", b"3"):
            request = world.request(URL, body, queue="line", flow_control=control(rate=1, period_ms=10_000))
            await world.engine.publisher.publish(request)
        await world.rest()
        assert len(world.destinations.calls) == 1
        await world.clock.advance(20_000)
        assert [call.body for call in world.destinations.calls] == [b"1", b"2", b"3"]


class TestByHand:
    async def test_paused_key_holds_everything_until_it_is_resumed(self, world):
        await publish(world, 1, parallelism=5)
        await keys(world).pause(world.tenant, KEY)
        (held, *_) = await publish(world, 3, parallelism=5)
        await world.clock.advance(120_000)
        assert len(world.destinations.calls) == 1
        assert (await world.message(held)).state is MessageState.HELD
        await keys(world).resume(world.tenant, KEY)
        await world.rest()
        assert len(world.destinations.calls) == 4

    async def test_pinned_limit_is_not_changed_by_messages_until_it_is_unpinned(self, world):
        world.destinations.hang(URL)
        await publish(world, 4, parallelism=1)
        pinned = await keys(world).pin(world.tenant, KEY, parallelism=3, rate=None, period_ms=None)
        assert (pinned.parallelism, pinned.pinned_parallelism, pinned.pinned_rate) == (3, True, False)
        await world.rest()
        assert world.destinations.concurrent[URL] == 3
        await publish(world, 1, parallelism=9)
        assert world.destinations.concurrent[URL] == 3
        await keys(world).unpin(world.tenant, KEY, parallelism=True, rate=False)
        await world.rest()
        await publish(world, 1, parallelism=9)
        assert world.destinations.concurrent[URL] == 6

    async def test_reset_rate_begins_a_fresh_window_now(self, world):
        await publish(world, 4, rate=1, period_ms=60_000)
        await world.clock.advance(5_000)
        await keys(world).reset_rate(world.tenant, KEY)
        await world.rest()
        assert len(world.destinations.calls) == 2
        await world.clock.advance(59_999)
        assert len(world.destinations.calls) == 2
        await world.clock.advance(1)
        assert len(world.destinations.calls) == 3

    async def test_reset_undoes_what_was_done_by_hand(self, world):
        await publish(world, 1, rate=5)
        await keys(world).pin(world.tenant, KEY, parallelism=1, rate=1, period_ms=5_000)
        await keys(world).pause(world.tenant, KEY)
        after = await keys(world).reset(world.tenant, KEY)
        assert (after.paused, after.pinned_parallelism, after.pinned_rate) == (False, False, False)

    async def test_cancelled_message_leaves_the_wait_list(self, world):
        _, held = await publish(world, 2, rate=1, period_ms=10_000)
        await world.engine.messages.cancel(world.tenant, held)
        assert (await state(world)).waiting == 0
        await world.clock.advance(20_000)
        assert len(world.destinations.calls) == 1


class TestLooking:
    async def test_key_is_there_right_after_the_publish_that_names_it(self, world):
        await world.publish(URL, flow_control=control(parallelism=3, rate=5, period_ms=60_000))
        found = await state(world)
        assert (found.parallelism, found.rate, found.period_ms) == (3, 5, 60_000)
        assert [key for key, _ in await keys(world).list(world.tenant, "with")] == [KEY]
        assert await keys(world).list(world.tenant, "without") == []

    async def test_unknown_key_is_named(self, world):
        for what in ("get", "pause", "resume", "reset", "reset_rate"):
            with pytest.raises(NotFound, match="flow-control key 'nobody'"):
                await getattr(keys(world), what)(world.tenant, "nobody")
        with pytest.raises(NotFound):
            await keys(world).pin(world.tenant, "nobody", parallelism=1, rate=None, period_ms=None)

    @pytest.mark.parametrize(
        ("limits", "what"),
        [
            ({}, "names no limit"),
            ({"parallelism": 0}, "parallelism 0"),
            ({"rate": -1}, "rate -1"),
            ({"period_ms": 10**12}, "period"),
        ],
    )
    async def test_pin_keeps_the_rules_of_limits(self, world, limits, what):
        await publish(world, 1, rate=1)
        said = {"parallelism": None, "rate": None, "period_ms": None} | limits
        with pytest.raises(Malformed, match=what):
            await keys(world).pin(world.tenant, KEY, **said)

    async def test_global_parallelism_is_the_window_of_the_dispatcher(self, make_world):
        world = await make_world(max_in_flight=7)
        release = world.destinations.hang(URL)
        await world.publish(URL)
        assert keys(world).global_parallelism() == (7, 1)
        release.set()
        await world.rest()
        assert keys(world).global_parallelism() == (7, 0)

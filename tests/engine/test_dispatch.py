"""The window: what is attempted at once, what waits, what a drain leaves behind."""

import asyncio
from itertools import pairwise

import pytest

from outrider.domain.attempt import Response, judge
from outrider.domain.errors import Unavailable
from outrider.domain.event import EventKind as E
from outrider.domain.instant import MINUTE_MS
from outrider.domain.message import MessageState
from outrider.domain.query import MessageFilter
from outrider.engine.dispatcher import TURN


async def test_window_bounds_what_is_attempted_at_once(make_world):
    world = await make_world(max_in_flight=3, max_in_flight_per_host=3)
    urls = [f"https://h{number}.example/x" for number in range(10)]
    releases = [world.destinations.hang(url) for url in urls]
    for url in urls:
        await world.publish(url)
    await world.rest()
    assert len(world.destinations.calls) == 3
    assert world.engine.dispatcher.in_flight == 3
    for release in releases:
        release.set()
    for _ in range(5):
        await world.rest()
    assert len(world.destinations.calls) == 10


async def test_host_may_hold_as_much_as_is_left_for_others(make_world):
    world = await make_world(max_in_flight=6, max_in_flight_per_host=6)
    release = world.destinations.hang("https://a.example/x")
    for _ in range(10):
        await world.publish("https://a.example/x")
    await world.rest()
    assert len(world.destinations.calls) == 3
    release.set()
    for _ in range(5):
        await world.rest()
    assert len(world.destinations.calls) == 10
    assert world.destinations.most_concurrent["https://a.example/x"] == 3


async def test_hanging_host_does_not_hold_up_another(make_world):
    world = await make_world(max_in_flight=20, max_in_flight_per_host=4)
    world.destinations.hang("https://dead.example/")
    for _ in range(12):
        await world.publish("https://dead.example/")
    await world.publish("https://healthy.example/")
    await world.publish("https://healthy.example/later", delay_ms=1_000)
    await world.clock.advance(1_000)
    urls = [call.url for call in world.destinations.calls]
    assert urls.count("https://dead.example/") == 4
    assert urls.count("https://healthy.example/") == urls.count("https://healthy.example/later") == 1


async def test_slot_of_a_host_passes_on_as_soon_as_an_attempt_ends(make_world):
    world = await make_world(max_in_flight=20, max_in_flight_per_host=4)
    hung = asyncio.Event()
    left = [hung, hung, hung]

    async def first_three_hang(_):
        if left:
            await left.pop().wait()
        return judge(Response(200))

    world.destinations.behave("https://a.example/", first_three_hang)
    for _ in range(12):
        await world.publish("https://a.example/")
    for _ in range(5):
        await world.rest()
    assert len(world.destinations.calls) == 12, "one free slot serves all that wait"
    hung.set()


async def test_backlog_is_claimed_in_order_of_time_before_newer_messages(make_world):
    world = await make_world(max_in_flight=1, max_in_flight_per_host=1)
    release = world.destinations.hang("https://a.example/0")
    for i in range(5):
        await world.publish(f"https://a.example/{i}")
        await world.clock.advance(1)
    release.set()
    for _ in range(5):
        await world.rest()
    assert [call.url[-1] for call in world.destinations.calls] == ["0", "1", "2", "3", "4"]


async def test_thousands_due_at_once_are_all_delivered_once(make_world):
    world = await make_world(max_in_flight=50, max_in_flight_per_host=50)
    requests = [world.request(f"https://h{i % 7}.example/{i}", delay_ms=1_000) for i in range(1_500)]
    await world.engine.publisher.publish_batch(requests)
    await world.clock.advance(1_000)
    await world.destinations.called(1_500)
    await world.rest()
    assert len({call.url for call in world.destinations.calls}) == len(world.destinations.calls) == 1_500


async def test_no_turn_of_the_loop_starts_a_whole_claim(make_world):
    world = await make_world(max_in_flight=10 * TURN, max_in_flight_per_host=10 * TURN)
    world.destinations.hang("https://a.example/")
    requests = [world.request("https://a.example/", delay_ms=1_000) for _ in range(4 * TURN)]
    await world.engine.publisher.publish_batch(requests)
    advancing = asyncio.ensure_future(world.clock.advance(1_000))
    attempts = [0]
    while attempts[-1] < 4 * TURN:
        await asyncio.sleep(0)
        attempts.append(sum(task.get_name().startswith("msg_") for task in asyncio.all_tasks()))
    await advancing
    assert max(now - before for before, now in pairwise(attempts)) == TURN


async def test_cancelled_message_is_not_delivered(world):
    message_id = await world.publish(delay_ms=1_000)
    await world.engine.messages.cancel(world.tenant, message_id)
    await world.clock.advance(2_000)
    assert not world.destinations.calls
    assert (await world.message(message_id)).state is MessageState.CANCELED
    assert await world.log(message_id) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]


async def test_cancelling_a_running_attempt_ends_its_retries(world):
    release = asyncio.Event()

    async def fail_late(_):
        await release.wait()
        return judge(Response(500))

    world.destinations.behave("https://a.example/x", fail_late)
    message_id = await world.publish()
    await world.clock.advance(1_000)
    await world.engine.messages.cancel(world.tenant, message_id)
    await world.engine.messages.cancel(world.tenant, message_id)
    release.set()
    await world.clock.leap(60 * MINUTE_MS)
    assert len(world.destinations.calls) == 1
    assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.CANCEL_REQUESTED, E.ERROR, E.CANCELED]
    assert not await world.dead_letters()


async def test_cancelled_message_whose_attempt_succeeds_was_delivered(world):
    release = world.destinations.hang("https://a.example/x")
    message_id = await world.publish()
    await world.clock.advance(1_000)
    await world.engine.messages.cancel(world.tenant, message_id)
    release.set()
    await world.rest()
    assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.CANCEL_REQUESTED, E.DELIVERED]


async def test_cancellation_that_the_next_process_carries_out_is_told(world):
    world.destinations.hang("https://a.example/x")
    message_id = await world.publish()
    await world.engine.messages.cancel(world.tenant, message_id)
    await world.kill()
    await world.node.start_anew("node_2")
    await world.clock.advance(180 * MINUTE_MS)
    assert await world.log(message_id) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]
    assert [event.kind for event in world.witness.seen] == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]


async def test_clock_that_is_set_back_during_an_attempt_delays_no_retry(world):
    release = asyncio.Event()

    async def fail_late(_):
        await release.wait()
        return judge(Response(500))

    world.destinations.behave("https://a.example/x", fail_late)
    message_id = await world.publish(retry_delay="1000")
    await world.rest()
    world.clock._now -= 60 * MINUTE_MS
    release.set()
    await world.rest()
    assert (await world.message(message_id)).due_at == world.clock.now() + 1_000


async def test_held_message_that_is_cancelled_before_its_attempt_is_not_sent(make_world):
    world = await make_world(max_in_flight=10, max_in_flight_per_host=2)
    release = world.destinations.hang("https://a.example/x")
    await world.engine.publisher.publish_batch([world.request(delay_ms=1_000) for _ in range(6)])
    await world.clock.advance(1_000)
    assert len(world.destinations.calls) == 2
    assert await world.engine.messages.cancel_many(world.tenant, MessageFilter(), None) == 6
    await world.rest()
    release.set()
    await world.rest()
    assert len(world.destinations.calls) == 2
    kinds = [event.kind for event in world.witness.seen]
    assert (kinds.count(E.DELIVERED), kinds.count(E.CANCEL_REQUESTED), kinds.count(E.CANCELED)) == (2, 6, 4)
    await asyncio.wait_for(world.engine.dispatcher.idle(), 1)


async def test_bulk_cancel_stops_at_its_limit(world):
    await world.engine.publisher.publish_batch([world.request(delay_ms=MINUTE_MS) for _ in range(7)])
    assert await world.engine.messages.cancel_many(world.tenant, MessageFilter(), 3) == 3
    assert await world.engine.messages.cancel_many(world.tenant, MessageFilter(), None) == 4


async def test_drain_waits_for_running_attempts(world):
    release = world.destinations.hang("https://a.example/x")
    message_id = await world.publish()
    await world.rest()
    draining = asyncio.create_task(world.engine.drain(10_000))
    await world.rest()
    assert not draining.done()
    release.set()
    await draining
    assert (await world.message(message_id)).state is MessageState.DELIVERED


async def test_drain_gives_back_what_does_not_end_in_time(world):
    world.destinations.hang("https://a.example/x")
    message_id = await world.publish()
    await world.rest()
    draining = asyncio.create_task(world.engine.drain(10_000))
    await world.clock.advance(10_000)
    await draining
    assert (await world.message(message_id)).state is MessageState.DUE


async def test_publish_during_a_drain_is_kept_for_the_next_process(world):
    await world.engine.drain(0)
    message_id = await world.publish()
    assert (await world.message(message_id)).state is MessageState.DUE
    with pytest.raises(Unavailable):
        await world.engine.check()


async def test_next_process_delivers_what_its_predecessor_held(world):
    world.destinations.hang("https://a.example/x")
    held = await world.publish()
    waiting = await world.publish(delay_ms=5_000)
    await world.rest()
    # The first engine dies here: its tasks are gone, its leases are in the store.
    await world.kill()
    world.destinations.answer("https://a.example/x", 200)
    await world.start_anew()
    await world.clock.advance(5_000)
    assert (await world.message(held)).state is MessageState.DELIVERED
    assert (await world.message(waiting)).state is MessageState.DELIVERED
    assert len(world.destinations.calls) == 3


async def test_engine_that_delivers_is_ready(world):
    await world.engine.check()

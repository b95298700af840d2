"""Several nodes on one store: who takes what, and that order, limits and schedules hold across them."""

import asyncio
import itertools
from collections import Counter

import pytest
from tests.backends import OF_MANY_NODES, Backend
from tests.engine.world import World

from outrider.domain.attempt import Response, judge
from outrider.domain.instant import MINUTE_MS, SECOND_MS
from outrider.domain.message import MessageState
from outrider.domain.options import CallbackPatch, FlowControl
from outrider.testing import DEFAULT_START

LEASE_MS = 6 * SECOND_MS
BEAT_MS = 2 * SECOND_MS
URL = "https://a.example/x"


@pytest.fixture(params=OF_MANY_NODES)
def backend(request) -> Backend:
    return OF_MANY_NODES[request.param]


@pytest.fixture
async def world(make_world) -> World:
    return await make_world(lease_ms=LEASE_MS)


class TestSharing:
    async def test_every_message_is_attempted_once_whoever_took_it(self, make_world):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=20, max_in_flight_per_host=20)
        await world.join_node()
        await world.engine.publisher.publish_batch([world.request(f"{URL}/{i}", delay_ms=1_000) for i in range(300)])
        await world.clock.advance(1_000)
        await world.destinations.called(300)
        await world.rest()
        assert set(Counter(call.url for call in world.destinations.calls).values()) == {1}
        assert not world.witness.noted("lease_lost")

    async def test_message_that_was_stored_by_one_that_cannot_deliver_is_delivered_by_another(self, world):
        other = await world.join_node(poll_ms=SECOND_MS)
        world.engine.dispatcher.stop()
        message_id = await world.publish()
        await world.clock.advance(SECOND_MS)
        await world.destinations.called(1)
        await world.rest()
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        assert other.engine.dispatcher.in_flight == 0

    async def test_what_is_due_but_locked_is_not_asked_for_without_pause(self, world, monkeypatch):
        asked = []

        async def nothing(*_, **__):
            asked.append(world.clock.now())
            return []

        await world.publish(delay_ms=1_000)
        monkeypatch.setattr(world.store, "claim_due", nothing)
        await world.clock.advance(1_100)
        assert len(asked) <= 7
        assert all(later - earlier >= 20 for earlier, later in itertools.pairwise(asked))
        monkeypatch.undo()
        await world.clock.advance(20)
        assert len(world.destinations.calls) == 1


class TestTelling:
    @pytest.fixture(params=[name for name, backend in OF_MANY_NODES.items() if backend.tells])
    def backend(self, request) -> Backend:
        return OF_MANY_NODES[request.param]

    async def test_full_window_tells_and_another_node_claims_at_once(self, make_world):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=2, max_in_flight_per_host=2)
        await world.join_node(max_in_flight=50, max_in_flight_per_host=50)
        urls = [f"https://h{number}.example/x" for number in range(10)]
        began = world.clock.now()
        for url in urls:
            world.destinations.hang(url)
            await world.publish(url)
        await world.destinations.called(10)
        assert world.clock.now() == began
        assert [node.engine.dispatcher.in_flight for node in world.nodes] == [2, 8]

    async def test_full_host_tells_too(self, make_world):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=50, max_in_flight_per_host=1)
        await world.join_node()
        world.destinations.hang(URL)
        began = world.clock.now()
        for _ in range(2):
            await world.publish()
        await world.destinations.called(2)
        assert world.clock.now() == began

    async def test_two_full_nodes_leave_each_other_alone(self, make_world):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=1, max_in_flight_per_host=1)
        await world.join_node()
        release = world.destinations.hang(URL)
        ids = [await world.publish() for _ in range(10)]
        await world.destinations.called(2)
        assert [node.engine.dispatcher.in_flight for node in world.nodes] == [1, 1]
        release.set()
        await world.destinations.called(10)
        await world.rest()
        assert set(await world.states(ids)) == {MessageState.DELIVERED}
        assert len(world.destinations.calls) == 10


class TestSchedules:
    async def test_each_tick_is_published_once_by_three_nodes(self, world):
        await world.join_node()
        await world.join_node()
        schedule = await world.schedule("* * * * *", URL)
        await world.clock.advance(31 * SECOND_MS)
        before = sum(node.process.begun for node in world.nodes)
        await world.clock.advance_to(DEFAULT_START + 5 * MINUTE_MS)
        assert world.created_at() == [DEFAULT_START + minute * MINUTE_MS for minute in range(1, 6)]
        await world.destinations.called(5)
        assert len(world.destinations.calls) == 5
        assert ("Upstash-Schedule-Id", schedule.id) in world.destinations.calls[0].headers
        # 5 minutes of 3 nodes that beat, look after the dead, poll and fire.
        assert sum(node.process.begun for node in world.nodes) - before < 3 * 270 * 2

    async def test_schedule_of_a_node_that_died_fires_on_another(self, world):
        await world.join_node(poll_ms=2 * SECOND_MS)
        await world.schedule("* * * * *", URL)
        await world.kill()
        await world.clock.advance_to(DEFAULT_START + MINUTE_MS)
        assert world.created_at() == [DEFAULT_START + MINUTE_MS]

    async def test_schedule_is_seen_by_another_node_at_its_next_poll(self, world):
        await world.clock.advance_to(DEFAULT_START + MINUTE_MS - 1_500)
        await world.join_node(poll_ms=2 * SECOND_MS)
        await world.schedule("* * * * *", URL)
        await world.kill()
        await world.clock.advance(2 * SECOND_MS)
        assert world.created_at() == [DEFAULT_START + MINUTE_MS + 500]

    async def test_trigger_that_another_took_is_not_asked_for_without_pause(self, world, monkeypatch):
        asked = []

        async def taken(*_, **__):
            asked.append(world.clock.now())

        await world.schedule("* * * * *", URL)
        monkeypatch.setattr(world.store, "fire_schedule", taken)
        await world.clock.advance_to(DEFAULT_START + MINUTE_MS + 100)
        assert len(asked) <= 7
        monkeypatch.undo()
        await world.clock.advance(20)
        assert len(world.created_at()) == 1


class TestOrder:
    async def test_line_of_a_queue_holds_across_nodes_with_retries_and_callbacks(self, make_world):
        world = await make_world(lease_ms=LEASE_MS)
        other = await world.join_node(poll_ms=2 * SECOND_MS)
        order = []

        async def behave(request):
            order.append(request.body)
            await asyncio.sleep(0)
            failed = request.body == b"2" and order.count(b"2") == 1
            return judge(Response(503 if failed else 200, (), b"ok"))

        callback = "https://a.example/callback"
        world.destinations.behave(URL, behave)
        called_back = []

        async def behave_back(_):
            called_back.append(list(order))
            return judge(Response(200))

        world.destinations.behave(callback, behave_back)
        for number in range(6):
            node = (world.node, other)[number % 2]
            await node.engine.publisher.publish(
                world.request(body=str(number).encode(), queue="line", callback=CallbackPatch(url=callback), retries=3)
            )
        await world.clock.advance(MINUTE_MS)
        await world.destinations.called(7 + 7)
        await world.rest()
        assert order == [b"0", b"1", b"2", b"2", b"3", b"4", b"5"]
        assert [len(seen) for seen in called_back] == [1, 2, 3, 4, 5, 6, 7]
        assert world.destinations.most_concurrent[URL] == 1

    async def test_parallelism_holds_across_nodes(self, make_world):
        world = await make_world(lease_ms=LEASE_MS)
        other = await world.join_node(poll_ms=2 * SECOND_MS)
        limits = FlowControl("key", parallelism=1)
        world.destinations.answer(URL, 503, 200)
        for number in range(10):
            node = (world.node, other)[number % 2]
            await node.engine.publisher.publish(world.request(flow_control=limits))
        await world.clock.advance(MINUTE_MS)
        await world.destinations.called(11)
        assert world.destinations.most_concurrent[URL] == 1

    async def test_rate_holds_across_nodes(self, make_world):
        world = await make_world(lease_ms=LEASE_MS)
        other = await world.join_node(poll_ms=2 * SECOND_MS)
        limits = FlowControl("key", rate=2, period_ms=10_000)
        for number in range(6):
            node = (world.node, other)[number % 2]
            await node.engine.publisher.publish(world.request(flow_control=limits))
        for calls in (2, 4, 6):
            await world.rest()
            assert len(world.destinations.calls) == calls
            await world.clock.advance(10_000)

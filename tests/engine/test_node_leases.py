"""What becomes of the messages of a node that dies, pauses, leaves, or cannot reach the store."""

import asyncio

import pytest
from tests.backends import OF_MANY_NODES, Backend
from tests.engine.world import World

from outrider.domain.errors import StoreUnavailable
from outrider.domain.event import EventKind as E
from outrider.domain.instant import MINUTE_MS, SECOND_MS
from outrider.domain.message import MessageState
from outrider.ports import EndedLeases

LEASE_MS = 6 * SECOND_MS
BEAT_MS = 2 * SECOND_MS
FOUND_DEAD_MS = LEASE_MS + BEAT_MS
"""By then another node has struck off one that does not beat."""
GRACE_MS = LEASE_MS + BEAT_MS
"""By then a node that has joined strikes others off."""
URL = "https://a.example/x"


@pytest.fixture(params=OF_MANY_NODES)
def backend(request) -> Backend:
    return OF_MANY_NODES[request.param]


@pytest.fixture
async def world(make_world) -> World:
    return await make_world(lease_ms=LEASE_MS)


class TestDeath:
    async def test_killed_nodes_messages_are_attempted_by_another_within_a_lease_and_a_beat(self, world):
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        world.destinations.hang(URL)
        ids = [await world.publish() for _ in range(5)]
        await world.rest()
        await world.kill()
        world.destinations.answer(URL, 200)
        await world.clock.advance(LEASE_MS - BEAT_MS - 1)
        assert len(world.destinations.calls) == 5
        await world.clock.advance(2 * BEAT_MS + 1)
        await world.destinations.called(10)
        await world.rest()
        assert set(await world.states(ids)) == {MessageState.DELIVERED}
        assert await world.entered() == ["node_2"]
        assert world.witness.noted("leases_ended") == [{"leases": 5}]

    async def test_retry_of_a_killed_node_is_made_by_another_in_its_time(self, world):
        await world.join_node(poll_ms=2 * SECOND_MS)
        world.destinations.answer(URL, 500, 200)
        message_id = await world.publish()
        await world.rest()
        due_at = (await world.message(message_id)).due_at
        await world.kill()
        await world.clock.advance_to(due_at)
        await world.destinations.called(2)
        await world.rest()
        assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.ERROR, E.RETRY, E.ACTIVE, E.DELIVERED]

    async def test_whoever_lives_strikes_nobody_off(self, world):
        await world.join_node()
        await world.join_node()
        await world.clock.advance(MINUTE_MS)
        assert await world.entered() == ["node_1", "node_2", "node_3"]
        assert not world.witness.noted("node_struck_off")

    async def test_node_that_has_just_started_gives_the_others_a_lease_to_beat(self, world):
        await world.kill()
        # Its lease is over when the next one comes, as after an outage of the store that ended just now.
        await world.clock.advance(LEASE_MS + 1)
        await world.join_node()
        await world.clock.advance(LEASE_MS - 1)
        assert await world.entered() == ["node_1", "node_2"]
        await world.clock.advance(BEAT_MS)
        assert await world.entered() == ["node_2"]

    async def test_leases_of_an_id_that_is_not_entered_are_ended_at_once(self, world):
        world.engine.dispatcher.stop()
        message_id = await world.publish()
        await world.rest()
        (leased,) = await world.store.claim_due("node_unknown", world.clock.now(), 1)
        await world.join_node()
        await world.destinations.called(1)
        await world.rest()
        assert leased.id == message_id
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        assert world.witness.noted("engine_started")[-1] == {"node": "node_2", "recovered": 1}


class TestPause:
    async def test_what_a_paused_node_brings_late_is_refused(self, world):
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        release = world.destinations.hang(URL)
        message_id = await world.publish()
        await world.rest()
        world.node.pause()
        world.destinations.answer(URL, 503, 200)
        await world.clock.advance(FOUND_DEAD_MS)
        await world.destinations.called(2)
        await world.rest()
        # The other's attempt failed; the late one succeeded, and does not count.
        release.set()
        await world.rest()
        world.node.resume()
        await world.clock.advance(BEAT_MS)
        assert (await world.nodes[1].store.get_message(world.tenant, message_id)).state is MessageState.DUE
        assert world.witness.noted("attempt_overtaken") == [{"message_id": message_id}]
        assert not world.witness.noted("lease_lost")
        assert world.witness.noted("node_struck_off") == [{"node": "node_1", "joined_as": "node_1.2"}]

    async def test_it_goes_on_under_another_id(self, world):
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        world.node.pause()
        await world.clock.advance(FOUND_DEAD_MS)
        assert await world.entered() == ["node_2"]
        world.node.resume()
        await world.clock.advance(BEAT_MS)
        assert await world.entered() == ["node_1.2", "node_2"]
        release = world.destinations.hang(URL)
        message_id = await world.publish()
        await world.rest()
        assert (await world.message(message_id)).lease == "node_1.2"
        release.set()
        await world.rest()
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        for number in (3, 4):
            world.node.pause()
            await world.clock.advance(FOUND_DEAD_MS)
            world.node.resume()
            await world.clock.advance(BEAT_MS)
            assert world.node.id == f"node_1.{number}"

    async def test_it_starts_nothing_that_it_held_when_its_lease_is_over(self, make_world):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=10, max_in_flight_per_host=1)
        release = world.destinations.hang(URL)
        ids = [await world.publish() for _ in range(1)]
        published = [world.request(delay_ms=1_000) for _ in range(5)]
        ids += [each.message_id for each in await world.engine.publisher.publish_batch(published)]
        await world.clock.advance(1_000)
        release.set()
        await world.rest()
        release = world.destinations.hang(URL)
        ids += [each.message_id for each in await world.engine.publisher.publish_batch(published)]
        await world.clock.advance(1_000)
        assert world.engine.dispatcher.in_flight == 5
        await world.join_node(max_in_flight=50, max_in_flight_per_host=50)
        await world.clock.advance(GRACE_MS)
        world.node.pause()
        world.destinations.answer(URL, 200)
        before = len(world.destinations.calls)
        await world.clock.advance(FOUND_DEAD_MS)
        await world.destinations.called(before + 5)
        await world.rest()
        release.set()
        world.node.resume()
        await world.rest()
        await world.clock.advance(BEAT_MS)
        assert len(world.destinations.calls) == before + 5
        assert world.engine.dispatcher.in_flight == 0
        assert set(await world.states(ids)) == {MessageState.DELIVERED}
        await world.publish()
        await world.rest()
        assert len(world.destinations.calls) == before + 6

    async def test_message_comes_back_to_the_node_that_still_attempts_it(self, world):
        """Under its new id it may claim what it lost; the attempt under the former one changes nothing."""
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        release = world.destinations.hang(URL)
        message_id = await world.publish()
        await world.rest()
        world.node.pause()
        other = world.nodes[1]
        other.engine.dispatcher.stop()
        await world.clock.advance(FOUND_DEAD_MS)
        world.destinations.answer(URL, 200)
        world.node.resume()
        await world.clock.advance(BEAT_MS)
        await world.destinations.called(2)
        await world.rest()
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        assert world.engine.dispatcher.in_flight == 1
        release.set()
        await world.rest()
        assert world.engine.dispatcher.in_flight == 0
        assert world.witness.noted("attempt_overtaken") == [{"message_id": message_id}]
        assert (await world.log(message_id)).count(E.DELIVERED) == 1

    async def test_claim_that_is_answered_after_the_node_was_struck_off_is_let_go_of(self, world, monkeypatch):
        claim_due, answered = world.store.claim_due, asyncio.Event()

        async def claim_late(*asked, **said):
            claimed = await claim_due(*asked, **said)
            if claimed:
                await answered.wait()
            return claimed

        message_id = await world.publish(delay_ms=1_000)
        monkeypatch.setattr(world.store, "claim_due", claim_late)
        await world.clock.advance(1_000)
        assert (await world.message(message_id)).lease == "node_1"
        now = world.clock.now()
        assert await world.store.recover(now, 10, dead_before=now + 2 * LEASE_MS) == EndedLeases(1)
        await world.clock.advance(BEAT_MS)
        assert world.node.id == "node_1.2"
        answered.set()
        await world.rest()
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        assert len(world.destinations.calls) == 1
        assert world.engine.dispatcher.in_flight == 0


class TestLateBeat:
    """A beat that the store has carried out, and whose answer comes when most of the lease is over."""

    @pytest.fixture
    def answered(self, world, monkeypatch) -> asyncio.Event:
        """Once it is set, the first node's beats are answered; the store has had them before."""
        beat, answered = world.store.beat, asyncio.Event()

        async def beat_late(node, *asked):
            granted = await beat(node, *asked)
            if node == "node_1":
                await answered.wait()
            return granted

        monkeypatch.setattr(world.store, "beat", beat_late)
        return answered

    async def test_is_followed_by_the_next_before_the_lease_is_over(self, world, answered):
        await world.clock.advance(BEAT_MS)
        await world.clock.advance(LEASE_MS - SECOND_MS)
        answered.set()
        await world.rest()
        await world.clock.advance(SECOND_MS)
        assert world.engine.membership.holds(world.clock.now())

    async def test_repeats_no_attempt_that_has_begun_since(self, world, answered):
        answered.set()
        await world.clock.advance(SECOND_MS)
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        answered.clear()
        await world.clock.advance(SECOND_MS)
        await world.clock.advance(LEASE_MS - SECOND_MS // 2)
        answered.set()
        world.destinations.hang(URL)
        await world.publish()
        await world.clock.advance(FOUND_DEAD_MS)
        assert len(world.destinations.calls) == 1
        assert world.node.id == "node_1"


class TestOutage:
    async def test_outage_that_is_longer_than_the_lease_makes_nobody_strike_others_off(self, world):
        await world.join_node()
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        for node in world.nodes:
            node.store.reachable = False
        await world.clock.advance(3 * LEASE_MS)
        # One is there again long before the others.
        world.nodes[2].store.reachable = True
        await world.clock.advance(LEASE_MS - SECOND_MS)
        for node in world.nodes:
            node.store.reachable = True
        await world.clock.advance(3 * LEASE_MS)
        assert await world.entered() == ["node_1", "node_2", "node_3"]
        assert not world.witness.noted("node_struck_off")
        assert len(world.witness.noted("beat_failed")) == 3
        assert len(world.witness.noted("beat_recovered")) == 3

    async def test_node_that_is_cut_off_alone_is_struck_off(self, world):
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        world.node.store.reachable = False
        await world.clock.advance(FOUND_DEAD_MS)
        assert await world.entered() == ["node_2"]

    async def test_what_was_under_way_goes_on_after_an_outage_within_the_lease(self, make_world):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=10, max_in_flight_per_host=1)
        release = world.destinations.hang(URL)
        published = [world.request(delay_ms=1_000) for _ in range(3)]
        ids = [each.message_id for each in await world.engine.publisher.publish_batch(published)]
        await world.clock.advance(1_000)
        world.node.store.reachable = False
        await world.clock.advance(BEAT_MS)
        release.set()
        await world.rest()
        world.node.store.reachable = True
        await world.clock.advance(SECOND_MS)
        await world.destinations.called(3)
        await world.rest()
        assert set(await world.states(ids)) == {MessageState.DELIVERED}
        assert len(world.destinations.calls) == 3

    async def test_nothing_starts_after_the_lease_until_it_runs_again(self, make_world, monkeypatch):
        world = await make_world(lease_ms=LEASE_MS, max_in_flight=10, max_in_flight_per_host=1)
        release = world.destinations.hang(URL)
        published = [world.request(delay_ms=1_000) for _ in range(3)]
        ids = [each.message_id for each in await world.engine.publisher.publish_batch(published)]
        await world.clock.advance(1_000)

        async def unreachable(*_):
            raise StoreUnavailable("the store cannot be reached")

        monkeypatch.setattr(world.store, "beat", unreachable)
        await world.clock.advance(LEASE_MS)
        release.set()
        ids.append(await world.publish("https://b.example/"))
        await world.clock.advance(SECOND_MS)
        assert await world.states([ids[0], ids[-1]]) == [MessageState.DELIVERED, MessageState.DUE]
        assert world.engine.dispatcher.in_flight == 2
        assert len(world.destinations.calls) == 1
        # The node was not struck off: what it holds is still its own.
        monkeypatch.undo()
        await world.clock.advance(SECOND_MS)
        await world.destinations.called(4)
        await world.rest()
        assert set(await world.states(ids)) == {MessageState.DELIVERED}
        assert len(world.destinations.calls) == 4

    async def test_request_that_takes_longer_to_make_than_the_lease_is_not_sent(self, world, monkeypatch):
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        await world.publish("https://b.example/")
        await world.destinations.called(1)
        await world.clock.advance(2 * SECOND_MS)
        answered = asyncio.Event()
        get_keys = world.store.get_keys

        async def late(tenant):
            await answered.wait()
            return await get_keys(tenant)

        monkeypatch.setattr(world.store, "get_keys", late)
        message_id = await world.publish()
        await world.rest()
        world.node.store.reachable = False
        await world.clock.advance(FOUND_DEAD_MS)
        await world.destinations.called(2)
        world.node.store.reachable = True
        answered.set()
        await world.clock.advance(BEAT_MS)
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        assert len(world.destinations.calls_to(URL)) == 1
        assert world.witness.noted("attempt_overtaken") == [{"message_id": message_id}]
        assert world.engine.dispatcher.in_flight == 0

    async def test_machine_that_was_suspended_goes_on_at_once_if_nobody_else_was_there(self, world):
        late = await world.publish(delay_ms=MINUTE_MS)
        soon = await world.publish(delay_ms=SECOND_MS)
        await world.clock.leap(10 * MINUTE_MS)
        assert set(await world.states([late, soon])) == {MessageState.DELIVERED}
        assert world.node.id == "node_1"


class TestDrain:
    async def test_drain_of_one_gives_back_only_its_own(self, world):
        await world.join_node()
        world.destinations.hang(URL)
        mine = await world.publish()
        await world.rest()
        other = world.nodes[1]
        published = await other.engine.publisher.publish(world.request())
        await world.rest()
        other.engine.dispatcher.stop()
        await world.stop()
        theirs = await other.store.get_message(world.tenant, published.message_id)
        assert (theirs.state, theirs.lease) == (MessageState.LEASED, "node_2")
        assert (await other.store.get_message(world.tenant, mine)).state is MessageState.DUE
        assert await world.entered() == ["node_2"]

    async def test_node_beats_while_it_drains(self, world):
        await world.join_node()
        await world.clock.advance(GRACE_MS)
        release = world.destinations.hang(URL)
        message_id = await world.publish()
        await world.rest()
        draining = asyncio.create_task(world.engine.drain(MINUTE_MS))
        await world.clock.advance(3 * LEASE_MS)
        release.set()
        await draining
        assert (await world.message(message_id)).state is MessageState.DELIVERED
        assert len(world.destinations.calls) == 1

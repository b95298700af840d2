"""The contract of every Store: nodes, and what becomes of the leases of those that are gone."""

from tests.factories import NOW, make_leased, make_settlement
from tests.store.steps import cancel, get, kinds
from tests.store.turns import DUE, HELD, LEASED, keyed, queued, states

from outrider.domain.event import Event
from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState
from outrider.ports import Applied, EndedLeases, LeaseLost, Node

LATER = NOW + 6_000


async def add_held_by(store, node, *messages):
    await store.add(list(messages), NOW)
    assert all(message.lease == node for message in messages)


def canceled(message, at):
    return Event(tenant=message.tenant, message_id=message.id, kind=E.CANCELED, time=at)


async def test_nodes_are_listed_by_id_with_their_times(store):
    await store.join("node_a", NOW, LATER)
    assert await store.list_nodes() == [Node("node_a", NOW, LATER)]
    assert await store.beat("node_a", NOW + 1, LATER + 1)
    assert await store.list_nodes() == [Node("node_a", NOW, LATER + 1)]


async def test_node_that_was_struck_off_learns_it_by_its_beat(store):
    assert not await store.beat("node_a", NOW, LATER)
    await store.join("node_a", NOW, LATER)
    assert await store.recover(LATER, 10, dead_before=LATER) == EndedLeases()
    assert await store.beat("node_a", LATER, LATER + 1)
    await store.recover(LATER + 2, 10, dead_before=LATER + 2)
    assert await store.list_nodes() == []
    assert not await store.beat("node_a", LATER + 2, LATER + 9)


async def test_leases_of_a_living_node_stay(store):
    await store.join("node_a", NOW, LATER)
    mine = make_leased("node_a")
    await add_held_by(store, "node_a", mine)
    assert await store.recover(NOW, 10, dead_before=NOW) == EndedLeases()
    assert await get(store, mine) == mine


async def test_leases_of_a_dead_node_end_and_its_late_settlement_is_refused(store):
    await store.join("node_a", NOW, LATER)
    held, unwanted = make_leased("node_a"), make_leased("node_a")
    await add_held_by(store, "node_a", held, unwanted)
    await cancel(store, ids=(unwanted.id,))
    ended = await store.recover(LATER + 1, 10, dead_before=LATER + 1)
    assert ended == EndedLeases(2, canceled=(canceled(unwanted, LATER + 1),))
    assert await states(store, held, unwanted) == [DUE, MessageState.CANCELED]
    assert await kinds(store, unwanted) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]
    assert await store.apply([make_settlement(held)], LATER + 1) == [LeaseLost(held.id)]
    (claimed,) = await store.claim_due("node_b", LATER + 1, 10)
    assert (claimed.id, claimed.lease, claimed.retried) == (held.id, "node_b", 0)
    assert await store.apply([make_settlement(held)], LATER + 1) == [LeaseLost(held.id)]
    (verdict,) = await store.apply([make_settlement(claimed)], LATER + 1)
    assert isinstance(verdict, Applied)


async def test_leases_end_a_bounded_number_at_a_time(store):
    await add_held_by(store, "node_a", *(make_leased("node_a") for _ in range(5)))
    ended = [(await store.recover(NOW, 2, dead_before=NOW)).count for _ in range(4)]
    assert ended == [2, 2, 1, 0]


async def test_node_that_leaves_gives_back_what_it_held_and_nothing_else(store):
    await store.join("node_a", NOW, LATER)
    mine, foreign = make_leased("node_a"), make_leased("node_b")
    await add_held_by(store, "node_a", mine)
    await add_held_by(store, "node_b", foreign)
    assert await store.leave("node_a", NOW) == EndedLeases(1)
    assert await states(store, mine, foreign) == [DUE, LEASED]
    assert await store.list_nodes() == []
    assert await store.leave("node_a", NOW) == EndedLeases()


async def test_dead_nodes_messages_keep_their_slots_and_their_place_at_their_key(store):
    first, second = queued(2)
    early, late = keyed(2, parallelism=1)
    await store.add([first, second, early, late], NOW)
    assert await states(store, first, second, early, late) == [LEASED, HELD, LEASED, HELD]
    assert await store.recover(NOW, 10, dead_before=NOW) == EndedLeases(2)
    claimed = await store.claim_due("node_b", NOW, 10)
    assert sorted(message.id for message in claimed) == sorted([first.id, early.id])
    assert await states(store, second, late) == [HELD, HELD]

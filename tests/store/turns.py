"""Steps of tests about gates: messages that wait their turn, and how they come by it."""

from msgspec import structs
from tests.factories import (
    NODE,
    NOW,
    TENANT,
    make_leased,
    make_settlement,
)
from tests.store.steps import get

from outrider.domain.message import MessageState
from outrider.domain.options import FlowControl
from outrider.domain.queue import Queue
from outrider.domain.settlement import with_follow_ups
from outrider.ports import Applied

DUE, HELD, LEASED = MessageState.DUE, MessageState.HELD, MessageState.LEASED
DELIVERED, FAILED, CANCELED = MessageState.DELIVERED, MessageState.FAILED, MessageState.CANCELED

MINUTE = 60_000


def queued(n=1, queue="q", **fields):
    return [make_leased(queue=queue, **fields) for _ in range(n)]


def keyed(n=1, key="k", *, parallelism=None, rate=None, period_ms=MINUTE, **fields):
    control = FlowControl(key, parallelism=parallelism, rate=rate, period_ms=period_ms)
    return [make_leased(flow_control=control, **fields) for _ in range(n)]


async def add(store, messages, now=NOW):
    """The states of the messages as their receipts tell them."""
    return [receipt.message.state for receipt in await store.add(messages, now)]


async def states(store, *messages):
    return [(await get(store, message)).state for message in messages]


async def claim(store, now=NOW, limit=1000, **options):
    return await store.claim_due(NODE, now, limit, **options)


def ids(messages):
    return [message.id for message in messages]


async def settle(store, *messages, outcome=None, now=NOW, follow_ups=()):
    """Settle each as it stands; the verdicts."""
    standing = [await get(store, message) for message in messages]
    settlements = [make_settlement(message, outcome, ended_at=now) for message in standing]
    if follow_ups:
        made = iter(follow_ups)
        settlements = [with_follow_ups(settlement, lambda _: next(made)) for settlement in settlements]
    verdicts = await store.apply(settlements, now)
    assert all(isinstance(verdict, Applied) for verdict in verdicts)
    return verdicts


async def claim_all(store):
    """Claim while `next_due_at` says so; each claim must bring something."""
    came = []
    while (due_at := await store.next_due_at()) is not None and due_at <= NOW:
        claimed = await claim(store, limit=400)
        assert claimed
        came += ids(claimed)
    return came


async def deliver_in_turn(store, now=NOW):
    """Claim and deliver until nothing is due; ids in the order they came."""
    came = []
    while claimed := await claim(store, now):
        came += ids(claimed)
        await settle(store, *claimed, now=now)
    return came


async def set_queue(store, name="q", now=NOW, most=100, **changes):
    def change(queue):
        base = Queue(name=name, created_at=now, updated_at=now) if queue is None else queue
        return structs.replace(base, updated_at=now, **changes)

    return await store.change_queue(TENANT, name, change, now, most=most)


async def counts(store, name="q"):
    queue = await store.get_queue(TENANT, name)
    return queue.in_use, queue.waiting


async def key_counts(store, key="k"):
    state = await store.get_flow_key(TENANT, key)
    return state.in_flight, state.waiting


async def change_key(store, change, key="k", now=NOW):
    return await store.change_flow_key(TENANT, key, change, now)

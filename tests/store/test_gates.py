"""The contract of every Store: queues and flow-control keys together, and what is cleared away of them."""

from functools import partial

import pytest
from msgspec import structs
from tests.factories import (
    NOW,
    TENANT,
    make_callback,
    make_leased,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.inspection import Inspected
from tests.store.steps import cancel
from tests.store.turns import (
    CANCELED,
    DUE,
    HELD,
    LEASED,
    MINUTE,
    add,
    change_key,
    claim,
    counts,
    deliver_in_turn,
    ids,
    key_counts,
    keyed,
    queued,
    settle,
    states,
)

from outrider.domain import flow_control
from outrider.ports import Retention


@pytest.fixture
def store(store):
    return Inspected(store)


class TestBothGates:
    async def test_queue_comes_first_then_the_key(self, store):
        (running,) = keyed(1, parallelism=1)
        both = keyed(2, parallelism=1, queue="q")
        assert await add(store, [running, *both]) == [LEASED, HELD, HELD]
        assert (await counts(store), await key_counts(store)) == ((1, 1), (1, 1))
        await settle(store, running)
        assert await states(store, *both) == [DUE, HELD]
        assert await deliver_in_turn(store) == ids(both)
        assert (await counts(store), await key_counts(store)) == ((0, 0), (0, 0))

    async def test_next_in_line_asks_the_key_when_it_is_claimed(self, store):
        first, second = keyed(2, rate=1, queue="q")
        await add(store, [first, second])
        await settle(store, first)
        assert await states(store, second) == [DUE]
        assert await claim(store) == []
        assert await states(store, second) == [HELD]
        assert ids(await claim(store, NOW + MINUTE)) == [second.id]

    async def test_canceled_on_the_list_it_frees_its_slot_too(self, store):
        (running,) = keyed(1, parallelism=1)
        first, second = keyed(2, parallelism=1, queue="q")
        await add(store, [running, first, second])
        await cancel(store, ids=(first.id,))
        assert await states(store, first, second) == [CANCELED, DUE]
        assert (await counts(store), await key_counts(store)) == ((1, 0), (1, 0))


class TestUpkeep:
    async def purge(self, store, now, limit=1000):
        return await store.purge(Retention(logs_before=now, dead_letters_before=now, now=now), limit)

    async def test_slot_of_a_finished_message_waits_for_its_callbacks_however_old_it_is(self, store):
        first, second = queued(2, callback=make_callback())
        await add(store, [first, second])
        report = make_leased(callback_of=first.id)
        await settle(store, first, follow_ups=[report])
        await self.purge(store, NOW + 10**8)
        assert await states(store, second, report) == [HELD, LEASED]
        await settle(store, report)
        assert await states(store, second) == [DUE]
        await self.purge(store, NOW + 10**8)
        assert await store.get_message(TENANT, first.id) is None

    async def test_key_that_was_not_used_for_long_is_forgotten(self, store):
        (message,) = keyed(1, rate=1)
        await add(store, [message])
        await settle(store, message, now=NOW + 5)
        await self.purge(store, NOW + 5)
        assert await key_counts(store) == (0, 0)
        await self.purge(store, NOW + MINUTE - 1)
        assert await key_counts(store) == (0, 0)
        await self.purge(store, NOW + MINUTE)
        assert await store.get_flow_key(TENANT, "k") is None

    @pytest.mark.parametrize("change", [flow_control.pause, partial(flow_control.pin, rate=1), None])
    async def test_paused_pinned_or_used_key_stays(self, store, change):
        messages = keyed(2, parallelism=1)
        await add(store, messages)
        if change is not None:
            await settle(store, messages[0])
            await settle(store, *await claim(store))
            await change_key(store, change)
        await self.purge(store, NOW + 10**9)
        assert await store.get_flow_key(TENANT, "k") is not None

    async def test_forgotten_key_is_made_again_by_a_message_that_comes_due(self, store):
        later = [structs.replace(m, state=DUE, lease=None, due_at=NOW + 10**9) for m in keyed(2, parallelism=1)]
        await add(store, later)
        await self.purge(store, NOW + 10**8)
        assert await store.get_flow_key(TENANT, "k") is None
        assert ids(await claim(store, NOW + 10**9)) == [later[0].id]
        assert await key_counts(store) == (1, 1)

    async def test_what_a_removed_tenant_had_is_gone(self, store):
        await add(store, queued(3, tenant=OTHER_TENANT) + keyed(3, parallelism=1, tenant=OTHER_TENANT) + queued(2))
        await store.remove_tenant(OTHER_TENANT)
        assert await store.list_queues(OTHER_TENANT) == []
        assert await store.list_flow_keys(OTHER_TENANT, "", 10) == []
        assert await counts(store) == (1, 1)

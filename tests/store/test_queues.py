"""The contract of every Store: queues, and the slots that their messages take in turn."""

import asyncio

import pytest
from msgspec import structs
from tests.factories import (
    NODE,
    NOW,
    TENANT,
    make_callback,
    make_deduplicated,
    make_leased,
    make_message,
    refused,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.inspection import Inspected
from tests.store.steps import cancel, dead_letters, get, lose_leases
from tests.store.turns import (
    CANCELED,
    DELIVERED,
    DUE,
    FAILED,
    HELD,
    LEASED,
    add,
    claim,
    claim_all,
    counts,
    deliver_in_turn,
    ids,
    queued,
    set_queue,
    settle,
    states,
)

from outrider.domain.errors import TooMany
from outrider.domain.queue import Oldest, Queue
from outrider.ports import Duplicate, Stored


@pytest.fixture
def store(store):
    return Inspected(store)


class TestQueueGate:
    async def test_queue_is_made_by_its_first_message_with_parallelism_one(self, store):
        assert await store.get_queue(TENANT, "q") is None
        assert await add(store, queued(2)) == [LEASED, HELD]
        queue = await store.get_queue(TENANT, "q")
        assert queue == Queue(name="q", created_at=NOW, updated_at=NOW, in_use=1, waiting=1)

    async def test_held_message_is_stored_without_its_lease(self, store):
        _, second = queued(2)
        receipts = await store.add([_, second], NOW)
        held = structs.replace(second, state=HELD, lease=None)
        assert receipts[1] == Stored(held)
        assert await get(store, second) == held
        assert await claim(store) == []
        assert await store.next_due_at() is None

    async def test_line_moves_when_the_one_before_is_delivered(self, store):
        messages = queued(3)
        await add(store, messages)
        await settle(store, messages[0], now=NOW + 5)
        second = await get(store, messages[1])
        assert (second.state, second.due_at) == (DUE, NOW + 5)
        assert await states(store, *messages) == [DELIVERED, DUE, HELD]
        assert await deliver_in_turn(store, NOW + 5) == ids(messages[1:])
        assert await counts(store) == (0, 0)

    async def test_order_is_kept_through_retries(self, store):
        first, second = queued(2, retries=1, retry_delay="1000")
        await add(store, [first, second])
        await settle(store, first, outcome=refused())
        assert await states(store, first, second) == [DUE, HELD]
        assert await claim(store, NOW + 999) == []
        assert ids(await claim(store, NOW + 1000)) == [first.id]
        await settle(store, first, outcome=refused(), now=NOW + 1000)
        assert await states(store, first, second) == [FAILED, DUE]

    async def test_slot_is_kept_until_every_callback_is_finished(self, store):
        first, second = queued(2, callback=make_callback(), failure_callback=make_callback(), retries=0)
        await add(store, [first, second])
        report, failure = make_leased(callback_of=first.id), make_leased(callback_of=first.id, retries=0)
        await settle(store, first, outcome=refused(), follow_ups=[report, failure])
        assert await states(store, first, second) == [FAILED, HELD]
        await settle(store, report)
        assert await states(store, second) == [HELD]
        await settle(store, failure, outcome=refused())
        assert await states(store, second) == [DUE]
        assert await counts(store) == (1, 0)

    async def test_callback_of_an_earlier_attempt_keeps_the_slot_too(self, store):
        first, second = queued(2, callback=make_callback(), retries=1, retry_delay="0")
        await add(store, [first, second])
        reports = [make_leased(callback_of=first.id, retries=1) for _ in range(2)]
        await settle(store, first, outcome=refused(), follow_ups=reports[:1])
        await claim(store)
        await settle(store, first, follow_ups=reports[1:])
        await settle(store, reports[1])
        await settle(store, reports[0], outcome=refused())
        assert await states(store, first, reports[0], second) == [DELIVERED, DUE, HELD]
        await cancel(store, ids=(reports[0].id,))
        assert await states(store, second) == [DUE]

    async def test_callbacks_are_not_queued(self, store):
        first, second = queued(2, callback=make_callback())
        await add(store, [first, second])
        report = make_leased(callback_of=first.id)
        (verdict,) = await settle(store, first, follow_ups=[report])
        assert verdict.settlement.follow_ups == (report,)
        assert await states(store, report) == [LEASED]

    async def test_slots_are_as_many_as_the_parallelism(self, store):
        await set_queue(store, parallelism=3)
        messages = queued(5)
        assert await add(store, messages) == [LEASED] * 3 + [HELD] * 2
        await settle(store, messages[1])
        assert await states(store, *messages[3:]) == [DUE, HELD]

    async def test_delayed_message_in_front_is_not_overtaken(self, store):
        first = make_message(queue="q", due_at=NOW + 50, not_before=NOW + 50)
        (second,) = queued(1)
        assert await add(store, [first, second]) == [DUE, HELD]
        assert await store.next_due_at() == NOW + 50
        assert ids(await claim(store, NOW + 50)) == [first.id]

    async def test_delayed_message_in_line_is_due_at_its_time(self, store):
        first = queued(1)[0]
        later = make_message(queue="q", due_at=NOW + 50, not_before=NOW + 50)
        await add(store, [first, later])
        await settle(store, first)
        assert (await get(store, later)).due_at == NOW + 50

    async def test_newcomer_does_not_overtake_the_line(self, store):
        await set_queue(store, paused=True)
        early, late = queued(1), queued(1)
        await add(store, early)
        await set_queue(store, parallelism=1, paused=True)
        await add(store, late)
        await set_queue(store, paused=False)
        assert await deliver_in_turn(store) == ids(early + late)

    async def test_queues_and_tenants_do_not_hold_one_another(self, store):
        mine, other, foreign = queued(1), queued(1, "r"), queued(1, tenant=OTHER_TENANT)
        assert await add(store, mine + other + foreign) == [LEASED] * 3

    async def test_message_given_back_keeps_its_slot(self, store):
        first, second = queued(2)
        await add(store, [first, second])
        await store.give_back(NODE, [first.id], NOW)
        assert await states(store, first, second) == [DUE, HELD]
        assert await deliver_in_turn(store) == [first.id, second.id]

    async def test_voided_leases_keep_order_and_slots(self, store):
        await set_queue(store, parallelism=2)
        messages = queued(6)
        await add(store, messages)
        await settle(store, messages[0])
        assert await lose_leases(store, NOW) == 1
        assert await states(store, *messages) == [DELIVERED, DUE, DUE, HELD, HELD, HELD]
        assert await deliver_in_turn(store) == ids(messages[1:])

    async def test_line_is_kept_however_calls_are_merged(self, store):
        messages = queued(60)
        await asyncio.gather(*(store.add([message], NOW) for message in messages))
        assert await counts(store) == (1, 59)
        await settle(store, messages[0])
        assert await deliver_in_turn(store) == ids(messages[1:])

    async def test_duplicates_take_no_slot(self, store):
        first, second, third = (structs.replace(make_deduplicated(k), queue="q") for k in "aab")
        receipts = await store.add([first, second, third], NOW)
        assert receipts[1] == Duplicate(first.id)
        assert await counts(store) == (1, 1)

    async def test_revived_dead_letter_joins_the_line(self, store):
        first, second = queued(2, retries=0)
        await add(store, [first, second])
        await settle(store, first, outcome=refused())
        (letter,) = await dead_letters(store)
        (again,) = queued(1)
        await store.retry_dead_letters(TENANT, [(letter.id, again)], NOW)
        assert await states(store, second, again) == [DUE, HELD]
        assert await deliver_in_turn(store) == [second.id, again.id]


class TestCancelingQueued:
    async def test_message_in_line_leaves_it(self, store):
        messages = queued(3)
        await add(store, messages)
        await cancel(store, ids=(messages[1].id,))
        assert await counts(store) == (1, 1)
        await settle(store, messages[0])
        assert await states(store, *messages) == [DELIVERED, CANCELED, DUE]

    async def test_holder_that_is_not_running_frees_its_slot(self, store):
        first = make_message(queue="q")
        (second,) = queued(1)
        await add(store, [first, second])
        await cancel(store, ids=(first.id,))
        assert await states(store, first, second) == [CANCELED, DUE]

    async def test_running_holder_frees_its_slot_when_its_attempt_ends(self, store):
        first, second = queued(2, retries=5)
        await add(store, [first, second])
        await cancel(store, ids=(first.id,))
        assert await states(store, second) == [HELD]
        await settle(store, first, outcome=refused())
        assert await states(store, first, second) == [CANCELED, DUE]

    @pytest.mark.parametrize("how", ["give_back", "lose_leases"])
    async def test_running_holder_frees_its_slot_when_its_lease_ends(self, store, how):
        first, second = queued(2)
        await add(store, [first, second])
        await cancel(store, ids=(first.id,))
        await (lose_leases(store, NOW) if how == "lose_leases" else store.give_back(NODE, [first.id], NOW))
        assert await states(store, first, second) == [CANCELED, DUE]

    async def test_whole_line_can_be_canceled(self, store):
        messages = queued(30)
        await add(store, messages)
        await cancel(store, queues=("q",))
        await settle(store, messages[0], outcome=refused())
        assert await counts(store) == (0, 0)
        assert await add(store, queued(1)) == [LEASED]


class TestChangingQueues:
    async def test_new_queue_is_as_it_was_wanted(self, store):
        made = await set_queue(store, "r", parallelism=7, paused=True)
        assert made == Queue(name="r", parallelism=7, paused=True, created_at=NOW, updated_at=NOW)
        assert await store.get_queue(TENANT, "r") == made
        assert await store.get_queue(OTHER_TENANT, "r") is None

    async def test_paused_queue_gives_no_slots_until_it_is_resumed(self, store):
        running, waiting = queued(2)
        await add(store, [running])
        await set_queue(store, paused=True)
        await add(store, [waiting])
        await settle(store, running)
        assert await states(store, waiting) == [HELD]
        assert await store.next_due_at() is None
        resumed = await set_queue(store, paused=False, now=NOW + 9)
        assert (resumed.in_use, resumed.waiting, resumed.updated_at, resumed.created_at) == (1, 0, NOW + 9, NOW)
        assert (await get(store, waiting)).due_at == NOW + 9

    async def test_raised_parallelism_lets_the_first_through(self, store):
        messages = queued(5)
        await add(store, messages)
        changed = await set_queue(store, parallelism=3)
        assert (changed.in_use, changed.waiting) == (3, 2)
        assert await states(store, *messages) == [LEASED, DUE, DUE, HELD, HELD]

    async def test_lowered_parallelism_lets_nobody_through_until_it_is_kept(self, store):
        await set_queue(store, parallelism=3)
        messages = queued(5)
        await add(store, messages)
        await set_queue(store, parallelism=1)
        for done, standing in enumerate([HELD, HELD, DUE]):
            await settle(store, messages[done])
            assert await states(store, messages[3]) == [standing]
        assert await states(store, messages[4]) == [HELD]

    async def test_long_line_is_let_through_bit_by_bit_without_a_stall(self, store):
        await set_queue(store, paused=True)
        messages = queued(1300)
        await add(store, messages)
        opened = await set_queue(store, paused=False, parallelism=2000)
        assert 0 < opened.in_use < 1300
        messages += queued(1)
        assert await add(store, messages[-1:]) == [HELD]
        assert await claim_all(store) == ids(messages)
        assert await counts(store) == (1301, 0)

    async def test_one_queue_more_than_there_may_be_is_refused(self, store):
        await set_queue(store, "a", most=1)
        with pytest.raises(TooMany, match="'b'"):
            await set_queue(store, "b", most=1)
        await set_queue(store, "a", most=1, parallelism=2)
        assert [queue.name for queue in await store.list_queues(TENANT)] == ["a"]

    async def test_oldest_message_of_a_queue_is_that_which_was_published_first(self, store):
        """Whatever it waits for: it may have been put back behind a thousand others."""
        first, second, *others = queued(40, retries=1, retry_delay="1000000")
        messages = [
            structs.replace(message, created_at=NOW + number) for number, message in enumerate([first, second, *others])
        ]
        await set_queue(store, parallelism=2)
        await set_queue(store, "idle")
        await add(store, messages)
        await add(store, queued(1, queue="r"))
        await settle(store, first, outcome=refused())
        told = await store.oldest_in_queues(TENANT)
        assert (told["q"], "idle" in told) == (Oldest(first.id, NOW), False)
        assert await store.oldest_in_queues(TENANT, "q") == {"q": told["q"]}
        assert await store.oldest_in_queues(OTHER_TENANT) == {}
        await cancel(store, ids=(first.id,))
        assert (await store.oldest_in_queues(TENANT, "q"))["q"] == Oldest(second.id, NOW + 1)

    async def test_holder_of_a_slot_that_waits_for_its_callback_is_not_the_oldest(self, store):
        source, waiting = queued(2, callback=make_callback())
        await add(store, [source, waiting])
        await settle(store, source, follow_ups=[make_leased(callback_of=source.id)])
        assert await counts(store) == (1, 1)
        assert (await store.oldest_in_queues(TENANT))["q"].message_id == waiting.id

    async def test_queues_are_listed_by_name(self, store):
        for name in ("b", "c", "a"):
            await set_queue(store, name)
        assert [queue.name for queue in await store.list_queues(TENANT)] == ["a", "b", "c"]
        assert await store.list_queues(OTHER_TENANT) == []

    async def test_queue_with_a_line_is_not_deleted(self, store):
        await add(store, queued(2))
        assert not await store.delete_queue(TENANT, "q")
        assert await counts(store) == (1, 1)

    async def test_holder_of_a_slot_goes_on_without_its_queue(self, store):
        (old,) = queued(1, retries=1, retry_delay="0")
        await add(store, [old])
        assert await store.delete_queue(TENANT, "q")
        assert await store.get_queue(TENANT, "q") is None
        new = queued(2)
        assert await add(store, new) == [LEASED, HELD]
        await settle(store, old, outcome=refused())
        assert ids(await claim(store)) == [old.id]
        await settle(store, old)
        assert await states(store, old, *new) == [DELIVERED, LEASED, HELD]
        assert await counts(store) == (1, 1)

    async def test_deleting_what_is_not_there_leaves_it_gone(self, store):
        assert await store.delete_queue(TENANT, "q")

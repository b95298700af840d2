"""The contract of every Store: messages on their way."""

import asyncio

import pytest
from msgspec import structs
from tests.factories import (
    NODE,
    NOW,
    make_active,
    make_callback,
    make_deduplicated,
    make_leased,
    make_message,
    make_settlement,
    refused,
    succeeded,
    timed_out,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.reading import dead_letters, entries, get, kinds

from outrider.domain.attempt import Blocked
from outrider.domain.event import EventKind as E
from outrider.domain.message import DeduplicationKey, MessageState
from outrider.domain.options import DeliveryOptions, FlowControl, Redaction
from outrider.domain.query import MessageFilter
from outrider.domain.settlement import with_follow_ups
from outrider.ports import Applied, Cancellation, Duplicate, LeaseLost, Stored

EVERYTHING = make_message(
    url="https://user@A.example:8443/a/b%20c?x=1&y=ü",
    options=DeliveryOptions(
        method="PATCH",
        headers=(("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "zwei ✓")),
        retries=7,
        retry_delay="1000 * (1 + retried)",
        timeout_ms=1234,
        delay_ms=5,
        not_before=NOW + 7,
        callback=make_callback(labels=("cb",), method="PUT"),
        failure_callback=make_callback("https://a.example/failed", retries=0),
        flow_control=FlowControl("a/key", parallelism=3, rate=5, period_ms=60_000),
        labels=("one", "two"),
        redaction=Redaction(body=True, headers=("authorization",)),
    ),
    body=bytes(range(256)),
    not_before=NOW + 7,
    due_at=NOW + 7,
    queue="orders",
    group="everyone",
    endpoint="first",
    schedule_id="scd_1",
    caller_ip="2001:db8::1",
    callback_of="msg_source",
    deduplication=DeduplicationKey("key", 1000),
)


class TestAdd:
    @pytest.mark.parametrize("body", [b"", b"\x00\xff", b"x" * 1024, b"x" * 1025, bytes(range(256)) * 4096])
    async def test_message_comes_back_as_it_was_stored(self, store, body):
        message = structs.replace(EVERYTHING, body=body)
        assert await store.add([message], NOW) == [Stored(message)]
        assert await get(store, message) == message

    async def test_created_entry_has_the_time_of_creation(self, store):
        message = make_message(created_at=NOW - 5)
        await store.add([message], NOW)
        (entry,) = await entries(store, message)
        assert (entry.event.kind, entry.event.time, entry.message) == (E.CREATED, NOW - 5, message)

    async def test_message_offered_as_leased_stays_leased(self, store):
        message = make_leased()
        assert await store.add([message], NOW) == [Stored(message)]
        assert await store.claim_due("node_2", NOW, 10) == []
        assert (await get(store, message)).lease == NODE

    async def test_nothing_to_store_is_no_error(self, store):
        assert await store.add([], NOW) == []

    @pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 300])
    async def test_receipts_come_in_order_for_any_number(self, store, count):
        messages = [make_message(body=str(n).encode() * (n % 3) * 400) for n in range(count)]
        assert await store.add(messages, NOW) == [Stored(message) for message in messages]
        assert await store.claim_due(NODE, NOW, count + 1) == [
            structs.replace(message, state=MessageState.LEASED, lease=NODE) for message in messages
        ]

    async def test_all_are_stored_or_none(self, store):
        known, new = make_message(), make_message()
        await store.add([known], NOW)
        with pytest.raises(Exception, match=r"(?i)unique"):
            await store.add([new, known], NOW)
        assert await store.get_message(new.tenant, new.id) is None

    async def test_many_callers_at_once_each_get_their_own_receipts(self, store):
        batches = [[make_message() for _ in range(n % 4)] for n in range(60)]
        receipts = await asyncio.gather(*(store.add(batch, NOW) for batch in batches))
        assert receipts == [[Stored(message) for message in batch] for batch in batches]
        assert len(await entries(store)) == sum(map(len, batches))

    async def test_message_of_another_tenant_is_not_there(self, store):
        message = make_message()
        await store.add([message], NOW)
        assert await store.get_message(OTHER_TENANT, message.id) is None


class TestDeduplication:
    async def test_second_message_with_a_key_is_a_duplicate_of_the_first(self, store):
        first, second = make_deduplicated("k"), make_deduplicated("k")
        await store.add([first], NOW)
        assert await store.add([second], NOW + 1) == [Duplicate(first.id)]
        assert await store.get_message(second.tenant, second.id) is None
        assert await kinds(store) == [E.CREATED]

    async def test_earlier_messages_of_the_same_call_count(self, store):
        first, second, other = make_deduplicated("k"), make_deduplicated("k"), make_deduplicated("l")
        assert await store.add([first, second, other], NOW) == [Stored(first), Duplicate(first.id), Stored(other)]

    async def test_of_concurrent_callers_one_is_first(self, store):
        messages = [make_deduplicated("k") for _ in range(20)]
        receipts = [receipt for (receipt,) in await asyncio.gather(*(store.add([m], NOW) for m in messages))]
        stored = [receipt.message.id for receipt in receipts if isinstance(receipt, Stored)]
        assert stored == [messages[0].id]
        assert receipts[1:] == [Duplicate(messages[0].id)] * 19

    async def test_key_counts_until_its_window_has_passed(self, store):
        first, late, later = (make_deduplicated("k", window_ms=1000) for _ in range(3))
        await store.add([first], NOW)
        assert await store.add([late], NOW + 999) == [Duplicate(first.id)]
        assert await store.add([later], NOW + 1000) == [Stored(later)]
        assert await store.add([late], NOW + 1999) == [Duplicate(later.id)]

    async def test_window_is_that_of_the_first_message(self, store):
        first = make_deduplicated("k", window_ms=1000)
        await store.add([first], NOW)
        await store.add([make_deduplicated("k", window_ms=90_000)], NOW + 500)
        third = make_deduplicated("k")
        assert await store.add([third], NOW + 1001) == [Stored(third)]

    async def test_tenants_do_not_share_keys(self, store):
        mine, theirs = make_deduplicated("k"), make_deduplicated("k", tenant=OTHER_TENANT)
        assert await store.add([mine, theirs], NOW) == [Stored(mine), Stored(theirs)]


class TestClaiming:
    async def test_earliest_due_come_first_up_to_the_limit(self, store):
        late, early, middle = (make_message(due_at=NOW - age) for age in (1, 30, 20))
        await store.add([late, early, middle], NOW)
        claimed = await store.claim_due(NODE, NOW, 2)
        assert [message.id for message in claimed] == [early.id, middle.id]
        assert {(m.state, m.lease) for m in claimed} == {(MessageState.LEASED, NODE)}
        assert [m.id for m in await store.claim_due(NODE, NOW, 2)] == [late.id]

    async def test_equally_due_come_in_order_of_arrival(self, store):
        messages = [make_message(url=f"https://{9 - n}.example/") for n in range(5)]
        await store.add(messages, NOW)
        assert [m.id for m in await store.claim_due(NODE, NOW, 5)] == [m.id for m in messages]

    async def test_what_is_not_due_waits(self, store):
        await store.add([make_message(due_at=NOW + 1)], NOW)
        assert await store.claim_due(NODE, NOW, 5) == []
        assert len(await store.claim_due(NODE, NOW + 1, 5)) == 1

    async def test_held_messages_are_not_claimed(self, store):
        await store.add([make_message(state=MessageState.HELD)], NOW)
        assert await store.claim_due(NODE, NOW, 5) == []
        assert await store.next_due_at() is None

    async def test_message_is_claimed_once(self, store):
        await store.add([make_message() for _ in range(30)], NOW)
        claims = await asyncio.gather(*(store.claim_due(f"node_{n}", NOW, 7) for n in range(6)))
        ids = [message.id for claim in claims for message in claim]
        assert len(ids) == len(set(ids)) == 30

    async def test_excluded_hosts_are_left_out(self, store):
        slow = make_message(url="https://SLOW.example:8443/x", due_at=NOW - 9)
        fine = make_message(due_at=NOW - 5)
        await store.add([slow, fine], NOW)
        excluded = frozenset({"slow.example:8443", "unknown.example"})
        assert await store.next_due_at(excluded) == NOW - 5
        assert [m.id for m in await store.claim_due(NODE, NOW, 9, excluded)] == [fine.id]
        assert await store.next_due_at(excluded) is None
        assert await store.next_due_at() == NOW - 9

    async def test_large_bodies_are_claimed_whole(self, store):
        message = make_message(body=b"z" * 100_000)
        await store.add([message], NOW)
        (claimed,) = await store.claim_due(NODE, NOW, 1)
        assert claimed.body == message.body

    async def test_next_due_is_the_earliest_whether_due_or_not(self, store):
        assert await store.next_due_at() is None
        await store.add([make_message(due_at=NOW + 50), make_message(due_at=NOW + 20), make_leased(due_at=NOW)], NOW)
        assert await store.next_due_at() == NOW + 20


async def leased(store, **fields):
    message = make_leased(**fields)
    await store.add([message], NOW)
    return message


class TestApply:
    async def test_delivered_message_is_finished(self, store):
        message = await leased(store)
        settlement = make_settlement(message)
        settlement = structs.replace(settlement, events=(make_active(message), *settlement.events))
        assert await store.apply([settlement], NOW + 9) == [Applied(settlement)]
        after = await get(store, message)
        assert (after.state, after.finished_at, after.lease) == (MessageState.DELIVERED, NOW + 9, None)
        assert await kinds(store, message) == [E.CREATED, E.ACTIVE, E.DELIVERED]
        assert (await entries(store, message))[-1].event == settlement.events[-1]

    async def test_failed_attempt_with_retries_left_is_due_again(self, store):
        message = await leased(store, retries=2, retry_delay="700")
        settlement = make_settlement(message, refused())
        await store.apply([settlement], NOW + 9)
        after = await get(store, message)
        assert (after.state, after.due_at, after.retried) == (MessageState.DUE, NOW + 700, 1)
        assert (after.lease, after.finished_at) == (None, None)
        assert [entry.event for entry in await entries(store, message)][1:] == list(settlement.events)
        assert await store.claim_due(NODE, NOW + 699, 9) == []
        (again,) = await store.claim_due("node_2", NOW + 700, 9)
        assert (again.retried, again.lease) == (1, "node_2")

    @pytest.mark.parametrize("outcome", [refused(), timed_out(), Blocked("private address")])
    async def test_exhausted_message_fails_and_becomes_a_dead_letter(self, store, outcome):
        message = await leased(store, retries=0)
        settlement = make_settlement(message, outcome)
        await store.apply([settlement], NOW + 9)
        after = await get(store, message)
        assert (after.state, after.finished_at) == (MessageState.FAILED, NOW + 9)
        assert [entry.event for entry in await entries(store, message)][1:] == list(settlement.events)
        (letter,) = await dead_letters(store)
        assert letter == structs.replace(settlement.dead_letter, message=after)

    async def test_settlement_is_applied_once(self, store):
        message = await leased(store)
        settlement = make_settlement(message)
        assert await store.apply([settlement, settlement], NOW) == [Applied(settlement), LeaseLost(message.id)]
        assert await store.apply([settlement], NOW) == [LeaseLost(message.id)]
        assert await kinds(store, message) == [E.CREATED, E.DELIVERED]

    async def test_concurrent_settlements_of_one_message_take_effect_once(self, store):
        message = await leased(store)
        settlement = make_settlement(message)
        verdicts = await asyncio.gather(*(store.apply([settlement], NOW) for _ in range(5)))
        assert sorted(type(verdict).__name__ for (verdict,) in verdicts) == ["Applied"] + ["LeaseLost"] * 4

    @pytest.mark.parametrize(
        "change", [{"lease": "node_2"}, {"retried": 1}, {"id": "msg_unknown"}, {"tenant": OTHER_TENANT}]
    )
    async def test_settlement_with_another_fence_is_refused(self, store, change):
        message = await leased(store, retries=5)
        late = structs.replace(message, **change)
        callback = make_leased(callback_of=message.id)
        settlement = structs.replace(make_settlement(late, refused()), follow_ups=(callback,))
        assert await store.apply([settlement], NOW) == [LeaseLost(late.id)]
        assert await get(store, message) == message
        assert await kinds(store, message) == [E.CREATED]
        assert await store.get_message(callback.tenant, callback.id) is None

    async def test_settlement_of_an_earlier_lease_is_refused(self, store):
        message = await leased(store, retries=5)
        await store.void_leases(NOW)
        assert await store.apply([make_settlement(message)], NOW) == [LeaseLost(message.id)]
        await store.claim_due("node_2", NOW, 1)
        assert await store.apply([make_settlement(message)], NOW) == [LeaseLost(message.id)]

    async def test_one_refusal_does_not_hold_up_the_others(self, store):
        gone, there = make_leased(), await leased(store)
        settlement = make_settlement(there)
        assert await store.apply([make_settlement(gone), settlement], NOW) == [LeaseLost(gone.id), Applied(settlement)]

    async def test_follow_ups_are_stored_with_their_entries(self, store):
        message = await leased(store, callback=make_callback(), failure_callback=make_callback(), retries=0)
        callbacks = [make_leased(callback_of=message.id, body=b"r" * 5000), make_message(callback_of=message.id)]
        made = iter(callbacks)
        settlement = with_follow_ups(make_settlement(message, refused()), lambda _: next(made))
        assert await store.apply([settlement], NOW) == [Applied(settlement)]
        assert [await get(store, callback) for callback in callbacks] == callbacks
        assert await kinds(store, *callbacks) == [E.CREATED, E.CREATED]

    async def test_three_hundred_settlements_at_once(self, store):
        messages = [make_leased(retries=n % 2) for n in range(300)]
        await store.add(messages, NOW)
        outcomes = [succeeded(), refused(), timed_out()]
        settlements = [make_settlement(message, outcomes[n % 3]) for n, message in enumerate(messages)]
        assert await store.apply(settlements, NOW) == [Applied(settlement) for settlement in settlements]
        assert [(await get(store, s.message)).state for s in settlements] == [s.state for s in settlements]

    async def test_nothing_to_settle_is_no_error(self, store):
        assert await store.apply([], NOW) == []


async def cancel(store, *, limit: int = 100, tenant: str = "ten_1", now: int = NOW, **which):
    return await store.cancel(tenant, MessageFilter(**which), now, limit)


class TestCancellation:
    @pytest.mark.parametrize("state", [MessageState.DUE, MessageState.HELD])
    async def test_waiting_message_ends_at_once(self, store, state):
        message = make_message(state=state, due_at=NOW + 9)
        await store.add([message], NOW)
        assert await cancel(store, ids=(message.id,), now=NOW + 3) == Cancellation(canceled=(message.id,))
        after = await get(store, message)
        assert (after.state, after.finished_at) == (MessageState.CANCELED, NOW + 3)
        log = await entries(store, message)
        assert [entry.event.kind for entry in log] == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]
        assert {entry.event.time for entry in log[1:]} == {NOW + 3}
        assert await store.claim_due(NODE, NOW + 9, 9) == []

    async def test_leased_message_is_marked_and_not_counted_again(self, store):
        message = await leased(store)
        assert await cancel(store, ids=(message.id,)) == Cancellation(requested=(message.id,))
        assert await cancel(store, ids=(message.id,)) == Cancellation()
        after = await get(store, message)
        assert (after.state, after.cancel_requested) == (MessageState.LEASED, True)
        assert await kinds(store, message) == [E.CREATED, E.CANCEL_REQUESTED]

    async def test_requested_cancellation_turns_a_failure_into_canceled(self, store):
        message = await leased(store, retries=0, callback=make_callback(), failure_callback=make_callback())
        report, failure_report = make_leased(), make_leased()
        made = iter([report, failure_report])
        settlement = with_follow_ups(make_settlement(message, refused()), lambda _: next(made))
        await cancel(store, ids=(message.id,))
        (verdict,) = await store.apply([settlement], NOW + 1)
        assert verdict.settlement.state is MessageState.CANCELED
        assert verdict.settlement.follow_ups == (report,)
        after = await get(store, message)
        assert (after.state, after.finished_at) == (MessageState.CANCELED, NOW + 1)
        assert await kinds(store, message) == [E.CREATED, E.CANCEL_REQUESTED, E.ERROR, E.CANCELED]
        assert await dead_letters(store) == []
        assert await get(store, report) == report
        assert await store.get_message(failure_report.tenant, failure_report.id) is None

    async def test_requested_cancellation_stops_retries(self, store):
        message = await leased(store, retries=5)
        await cancel(store)
        await store.apply([make_settlement(message, refused())], NOW)
        after = await get(store, message)
        assert (after.state, after.retried) == (MessageState.CANCELED, 0)

    async def test_success_stands_though_a_cancellation_was_requested(self, store):
        message = await leased(store)
        await cancel(store)
        settlement = make_settlement(message)
        assert await store.apply([settlement], NOW) == [Applied(settlement)]
        assert (await get(store, message)).state is MessageState.DELIVERED

    async def test_finished_messages_are_not_cancelled(self, store):
        message = await leased(store)
        await store.apply([make_settlement(message)], NOW)
        assert await cancel(store) == Cancellation()

    async def test_empty_filter_means_all_unfinished_of_the_tenant(self, store):
        waiting, held, running = make_message(), make_message(state=MessageState.HELD), make_leased()
        foreign = make_message(tenant=OTHER_TENANT)
        await store.add([waiting, held, running, foreign], NOW)
        canceled = await cancel(store)
        assert canceled == Cancellation(canceled=(waiting.id, held.id), requested=(running.id,))
        assert await get(store, foreign) == foreign

    async def test_oldest_go_first_and_the_rest_is_announced(self, store):
        messages = [make_message() for _ in range(5)]
        await store.add(messages, NOW)
        first, second, third = [await cancel(store, limit=2) for _ in range(3)]
        assert first == Cancellation(canceled=(messages[0].id, messages[1].id), more=True)
        assert second == Cancellation(canceled=(messages[2].id, messages[3].id), more=True)
        assert third == Cancellation(canceled=(messages[4].id,))

    async def test_running_messages_do_not_stand_in_the_way_of_the_next_batch(self, store):
        messages = [make_leased(), make_leased(), make_message()]
        await store.add(messages, NOW)
        assert (await cancel(store, limit=2)).more
        assert await cancel(store, limit=2) == Cancellation(canceled=(messages[2].id,))


FILTERS = [
    ("ids", "id", "msg_wanted", {"id": "msg_wanted"}),
    ("urls", "url", "https://b.example/y?z=1", {"url": "https://b.example/y?z=1"}),
    ("hosts", "host", "b.example:8443", {"url": "https://B.example:8443/y"}),
    ("paths", "path", "/wanted", {"url": "https://a.example/wanted?z=1"}),
    ("groups", "group", "g", {"group": "g"}),
    ("queues", "queue", "q", {"queue": "q"}),
    ("schedule_ids", "schedule", "scd_1", {"schedule_id": "scd_1"}),
    ("labels", "label", "two", {"labels": ("one", "two")}),
    ("flow_control_keys", "key", "a/key", {"flow_control": FlowControl("a/key", rate=1)}),
    ("caller_ips", "ip", "203.0.113.7", {"caller_ip": "203.0.113.7"}),
    ("time_from", "from", NOW + 5, {"created_at": NOW + 5}),
]


class TestFilters:
    @pytest.mark.parametrize(("name", "value", "fields"), [(f[0], f[2], f[3]) for f in FILTERS])
    async def test_each_filter_finds_its_messages_alone(self, store, name, value, fields):
        wanted, others = make_message(**fields), [make_message(), make_message(labels=("three",), queue="other")]
        await store.add([*others, wanted], NOW)
        which = {name: value if isinstance(value, int) else ("nothing", value)}
        assert [entry.message.id for entry in await entries(store, filter=MessageFilter(**which))] == [wanted.id]
        assert (await cancel(store, **which)).canceled == (wanted.id,)

    async def test_time_bounds_are_inclusive(self, store):
        messages = [make_message(created_at=NOW + n) for n in range(4)]
        await store.add(messages, NOW)
        canceled = await cancel(store, time_from=NOW + 1, time_to=NOW + 2)
        assert canceled.canceled == (messages[1].id, messages[2].id)

    async def test_values_of_one_filter_are_or_ed_and_filters_and_ed(self, store):
        a, b, c = (make_message(queue=queue, group=group) for queue, group in (("q", "g"), ("r", "g"), ("q", "h")))
        await store.add([a, b, c], NOW)
        assert (await cancel(store, queues=("q", "r"), groups=("g",))).canceled == (a.id, b.id)

    async def test_message_with_two_wanted_labels_is_found_once(self, store):
        message = make_message(labels=("one", "two"))
        await store.add([message], NOW)
        assert (await cancel(store, labels=("one", "two"))).canceled == (message.id,)

    async def test_quotes_in_a_filter_are_data(self, store):
        await store.add([make_message()], NOW)
        assert await cancel(store, queues=("') OR 1=1 --",)) == Cancellation()


class TestLeases:
    async def test_given_back_message_is_due_again_unattempted(self, store):
        message = await leased(store, retried=2, due_at=NOW - 4)
        await store.give_back(NODE, [message.id, "msg_unknown"], NOW)
        assert await get(store, message) == structs.replace(message, state=MessageState.DUE, lease=None)
        assert await kinds(store, message) == [E.CREATED]

    async def test_node_gives_back_only_what_it_holds(self, store):
        message = await leased(store)
        await store.give_back("node_2", [message.id], NOW)
        assert await get(store, message) == message

    async def test_message_given_back_after_a_cancellation_is_canceled(self, store):
        message = await leased(store)
        await cancel(store)
        await store.give_back(NODE, [message.id], NOW + 2)
        after = await get(store, message)
        assert (after.state, after.finished_at, after.lease) == (MessageState.CANCELED, NOW + 2, None)
        assert await kinds(store, message) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]

    async def test_voided_leases_are_due_again_or_canceled_and_counted(self, store):
        wanted, unwanted, waiting = make_leased(), make_leased("node_9"), make_message(due_at=NOW + 9)
        await store.add([wanted, unwanted, waiting], NOW)
        await cancel(store, ids=(unwanted.id,))
        assert await store.void_leases(NOW + 1) == 2
        assert await store.void_leases(NOW + 1) == 0
        assert [(await get(store, m)).state for m in (wanted, unwanted, waiting)] == [
            MessageState.DUE,
            MessageState.CANCELED,
            MessageState.DUE,
        ]
        assert await kinds(store, unwanted) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]

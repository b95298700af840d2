"""The contract of every Store: settlements and cancellations."""

import asyncio

import pytest
from msgspec import structs
from tests.factories import (
    NODE,
    NOW,
    make_active,
    make_callback,
    make_leased,
    make_message,
    make_settlement,
    refused,
    succeeded,
    timed_out,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import add_leased, as_logged, cancel, dead_letters, entries, get, kinds, lose_leases

from outrider.domain.attempt import Blocked
from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState
from outrider.domain.options import FlowControl
from outrider.domain.query import MessageFilter
from outrider.domain.settlement import with_follow_ups
from outrider.ports import Applied, Cancellation, LeaseLost


class TestApply:
    async def test_delivered_message_is_finished(self, store):
        message = await add_leased(store)
        settlement = make_settlement(message)
        settlement = structs.replace(settlement, events=(make_active(message), *settlement.events))
        assert await store.apply([settlement], NOW + 9) == [Applied(settlement)]
        after = await get(store, message)
        assert (after.state, after.finished_at, after.lease) == (MessageState.DELIVERED, NOW + 9, None)
        assert await kinds(store, message) == [E.CREATED, E.ACTIVE, E.DELIVERED]
        assert (await entries(store, message))[-1].event == settlement.events[-1]

    async def test_failed_attempt_with_retries_left_is_due_again(self, store):
        message = await add_leased(store, retries=2, retry_delay="700")
        settlement = make_settlement(message, refused())
        await store.apply([settlement], NOW + 9)
        after = await get(store, message)
        assert (after.state, after.due_at, after.retried) == (MessageState.DUE, NOW + 700, 1)
        assert (after.lease, after.finished_at) == (None, None)
        assert [entry.event for entry in await entries(store, message)][1:] == as_logged(settlement.events)
        assert await store.claim_due(NODE, NOW + 699, 9) == []
        (again,) = await store.claim_due("node_2", NOW + 700, 9)
        assert (again.retried, again.lease) == (1, "node_2")

    @pytest.mark.parametrize("outcome", [refused(), timed_out(), Blocked("private address")])
    async def test_exhausted_message_fails_and_becomes_a_dead_letter(self, store, outcome):
        message = await add_leased(store, retries=0)
        settlement = make_settlement(message, outcome)
        await store.apply([settlement], NOW + 9)
        after = await get(store, message)
        assert (after.state, after.finished_at) == (MessageState.FAILED, NOW + 9)
        assert [entry.event for entry in await entries(store, message)][1:] == as_logged(settlement.events)
        (letter,) = await dead_letters(store)
        assert letter == structs.replace(settlement.dead_letter, message=after)

    async def test_settlement_is_applied_once(self, store):
        message = await add_leased(store)
        settlement = make_settlement(message)
        assert await store.apply([settlement, settlement], NOW) == [Applied(settlement), LeaseLost(message.id)]
        assert await store.apply([settlement], NOW) == [LeaseLost(message.id)]
        assert await kinds(store, message) == [E.CREATED, E.DELIVERED]

    async def test_concurrent_settlements_of_one_message_take_effect_once(self, store):
        message = await add_leased(store)
        settlement = make_settlement(message)
        verdicts = await asyncio.gather(*(store.apply([settlement], NOW) for _ in range(5)))
        assert sorted(type(verdict).__name__ for (verdict,) in verdicts) == ["Applied"] + ["LeaseLost"] * 4

    @pytest.mark.parametrize(
        "change", [{"lease": "node_2"}, {"retried": 1}, {"id": "msg_unknown"}, {"tenant": OTHER_TENANT}]
    )
    async def test_settlement_with_another_fence_is_refused(self, store, change):
        message = await add_leased(store, retries=5)
        late = structs.replace(message, **change)
        callback = make_leased(callback_of=message.id)
        settlement = structs.replace(make_settlement(late, refused()), follow_ups=(callback,))
        assert await store.apply([settlement], NOW) == [LeaseLost(late.id)]
        assert await get(store, message) == message
        assert await kinds(store, message) == [E.CREATED]
        assert await store.get_message(callback.tenant, callback.id) is None

    async def test_settlement_of_an_earlier_lease_is_refused(self, store):
        message = await add_leased(store, retries=5)
        await lose_leases(store, NOW)
        assert await store.apply([make_settlement(message)], NOW) == [LeaseLost(message.id)]
        await store.claim_due("node_2", NOW, 1)
        assert await store.apply([make_settlement(message)], NOW) == [LeaseLost(message.id)]

    async def test_one_refusal_does_not_hold_up_the_others(self, store):
        gone, there = make_leased(), await add_leased(store)
        settlement = make_settlement(there)
        assert await store.apply([make_settlement(gone), settlement], NOW) == [LeaseLost(gone.id), Applied(settlement)]

    async def test_follow_ups_are_stored_with_their_entries(self, store):
        message = await add_leased(store, callback=make_callback(), failure_callback=make_callback(), retries=0)
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
        message = await add_leased(store)
        assert await cancel(store, ids=(message.id,)) == Cancellation(requested=(message.id,))
        assert await cancel(store, ids=(message.id,)) == Cancellation()
        after = await get(store, message)
        assert (after.state, after.cancel_requested) == (MessageState.LEASED, True)
        assert await kinds(store, message) == [E.CREATED, E.CANCEL_REQUESTED]

    async def test_requested_cancellation_turns_a_failure_into_canceled(self, store):
        message = await add_leased(store, retries=0, callback=make_callback(), failure_callback=make_callback())
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
        message = await add_leased(store, retries=5)
        await cancel(store)
        await store.apply([make_settlement(message, refused())], NOW)
        after = await get(store, message)
        assert (after.state, after.retried) == (MessageState.CANCELED, 0)

    async def test_success_stands_though_a_cancellation_was_requested(self, store):
        message = await add_leased(store)
        await cancel(store)
        settlement = make_settlement(message)
        assert await store.apply([settlement], NOW) == [Applied(settlement)]
        assert (await get(store, message)).state is MessageState.DELIVERED

    async def test_finished_messages_are_not_cancelled(self, store):
        message = await add_leased(store)
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

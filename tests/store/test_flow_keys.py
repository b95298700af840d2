"""The contract of every Store: flow-control keys, and what waits for them."""

import asyncio
from functools import partial

import pytest
from msgspec import structs
from tests.factories import (
    NODE,
    NOW,
    TENANT,
    make_callback,
    make_deduplicated,
    make_message,
    refused,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.inspection import Inspected
from tests.store.steps import cancel, get, lose_leases
from tests.store.turns import (
    CANCELED,
    DELIVERED,
    DUE,
    HELD,
    LEASED,
    MINUTE,
    add,
    change_key,
    claim,
    claim_all,
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
from outrider.domain.hosts import Hosts
from outrider.domain.options import FlowControl


@pytest.fixture
def store(store):
    return Inspected(store)


class TestKeyGate:
    async def test_at_most_parallelism_are_in_flight(self, store):
        messages = keyed(4, parallelism=2)
        assert await add(store, messages) == [LEASED, LEASED, HELD, HELD]
        assert await key_counts(store) == (2, 2)
        await settle(store, messages[1], now=NOW + 5)
        third = await get(store, messages[2])
        assert (third.state, third.due_at) == (DUE, NOW + 5)
        assert await key_counts(store) == (2, 1)

    async def test_at_most_rate_start_in_a_window(self, store):
        messages = keyed(5, rate=2)
        assert await add(store, messages) == [LEASED, LEASED, HELD, HELD, HELD]
        await settle(store, *messages[:2])
        assert await claim(store, NOW + MINUTE - 1) == []
        assert await store.next_due_at() == NOW + MINUTE
        assert ids(await claim(store, NOW + MINUTE)) == ids(messages[2:4])
        assert await store.next_due_at() == NOW + 2 * MINUTE

    async def test_what_comes_late_to_the_store_begins_no_window(self, store):
        *first, late, last = keyed(4, rate=2, period_ms=1000)
        assert await add(store, first, NOW + 5000) == [LEASED, LEASED]
        assert await add(store, [late], NOW) == [HELD]
        assert await add(store, [last], NOW + 5001) == [HELD]
        assert await claim(store, NOW + 5999) == []
        assert ids(await claim(store, NOW + 6000)) == ids([late, last])

    async def test_what_is_admitted_is_not_asked_again(self, store):
        messages = keyed(2, rate=1)
        await add(store, messages)
        await claim(store, NOW + MINUTE, limit=0)
        assert await states(store, *messages) == [LEASED, DUE]
        assert ids(await claim(store, NOW + MINUTE)) == [messages[1].id]
        state = await store.get_flow_key(TENANT, "k")
        assert (state.window_started_at, state.window_count, state.waiting) == (NOW + MINUTE, 1, 0)

    async def test_due_message_is_asked_when_it_is_claimed(self, store):
        messages = [structs.replace(m, state=DUE, lease=None, due_at=NOW + 9) for m in keyed(3, parallelism=1)]
        assert await add(store, messages) == [DUE] * 3
        assert await key_counts(store) == (0, 0)
        assert ids(await claim(store, NOW + 9)) == [messages[0].id]
        assert await states(store, *messages) == [LEASED, HELD, HELD]
        assert await key_counts(store) == (1, 2)

    async def test_held_ones_do_not_keep_others_out_of_a_claim(self, store):
        blocked = [structs.replace(m, state=DUE, lease=None) for m in keyed(200, parallelism=1)]
        free = [make_message() for _ in range(3)]
        await store.add([*blocked, *free], NOW)
        came = []
        while claimed := await claim(store, limit=2):
            assert len(claimed) <= 2
            came += ids(claimed)
        assert came == ids([blocked[0], *free])

    async def test_newcomer_waits_behind_those_who_wait(self, store):
        first, second, third = keyed(3, parallelism=1)
        await add(store, [first, second])
        await change_key(store, flow_control.pause)
        await settle(store, first)
        due = structs.replace(third, state=DUE, lease=None)
        assert await add(store, [due]) == [HELD]
        await change_key(store, flow_control.resume)
        assert await states(store, second, third) == [DUE, HELD]

    async def test_list_is_in_order_of_arrival_not_of_publishing(self, store):
        running, early, late = keyed(3, parallelism=1)
        early = structs.replace(early, state=DUE, lease=None, due_at=NOW + 50)
        await add(store, [running, early])
        await add(store, [late], NOW + 10)
        await claim(store, NOW + 60)
        await settle(store, running, now=NOW + 60)
        assert await deliver_in_turn(store, NOW + 60) == [late.id, early.id]

    async def test_retry_is_admitted_anew(self, store):
        first, second = keyed(2, parallelism=1, retries=3, retry_delay="0")
        await add(store, [first, second])
        await settle(store, first, outcome=refused())
        assert await states(store, first, second) == [DUE, DUE]
        assert ids(await claim(store)) == [second.id]
        assert await states(store, first, second) == [HELD, LEASED]
        await settle(store, second)
        assert ids(await claim(store)) == [first.id]

    async def test_retry_that_was_held_keeps_its_time_whatever_clock_lets_it_through(self, store):
        first, second = keyed(2, parallelism=1, retries=3, retry_delay="50")
        await add(store, [first, second])
        await settle(store, first, outcome=refused())
        assert ids(await claim(store)) == [second.id]
        assert await claim(store, NOW + 50) == []
        assert await states(store, first) == [HELD]
        await settle(store, second, now=NOW + 20)  # by a node whose clock is behind
        assert ids(await claim(store, NOW + 49)) == []
        assert ids(await claim(store, NOW + 50)) == [first.id]

    async def test_delayed_message_that_was_made_due_and_then_held_waits_for_no_time_again(self, store):
        running, delayed = keyed(2, parallelism=1)
        delayed = structs.replace(delayed, state=DUE, lease=None, due_at=NOW + MINUTE, not_before=NOW + MINUTE)
        await add(store, [running, delayed])
        assert await store.make_due(TENANT, delayed.id, NOW + 10)
        assert await claim(store, NOW + 10) == []
        assert await states(store, delayed) == [HELD]
        await settle(store, running, now=NOW + 20)
        assert ids(await claim(store, NOW + 20)) == [delayed.id]

    async def test_retries_count_in_the_rate(self, store):
        (message,) = keyed(1, rate=2, retries=5, retry_delay="0")
        await add(store, [message])
        await settle(store, message, outcome=refused())
        await claim(store)
        await settle(store, message, outcome=refused())
        assert await claim(store) == []
        assert await states(store, message) == [HELD]
        assert ids(await claim(store, NOW + MINUTE)) == [message.id]

    async def test_message_given_back_stands_where_it_stood(self, store):
        first, second, third = keyed(3, parallelism=1)
        await add(store, [first, second, third])
        await store.give_back(NODE, [first.id], NOW)
        assert await states(store, first, second, third) == [DUE, HELD, HELD]
        assert await deliver_in_turn(store) == ids([first, second, third])

    async def test_given_back_ones_stand_in_the_order_they_were_admitted(self, store):
        late, early = keyed(2, parallelism=2)
        late = structs.replace(late, state=DUE, lease=None, due_at=NOW + 50)
        await add(store, [late, early])
        await claim(store, NOW + 50)
        await change_key(store, flow_control.pause)
        await store.give_back(NODE, ids([late, early]), NOW + 50)
        await change_key(store, partial(flow_control.pin, parallelism=1), now=NOW + 50)
        await change_key(store, flow_control.resume, now=NOW + 50)
        assert await states(store, early, late) == [DUE, HELD]

    async def test_voided_leases_are_in_flight_no_more(self, store):
        messages = keyed(5, parallelism=2)
        await add(store, messages)
        assert await lose_leases(store, NOW) == 2
        assert await states(store, *messages) == [DUE, DUE, HELD, HELD, HELD]
        assert await deliver_in_turn(store) == ids(messages)
        assert await key_counts(store) == (0, 0)

    async def test_start_of_a_voided_attempt_remains_counted(self, store):
        (message,) = keyed(1, rate=1)
        await add(store, [message])
        await lose_leases(store, NOW)
        assert await states(store, message) == [HELD]
        assert await claim(store, NOW + MINUTE - 1) == []
        assert ids(await claim(store, NOW + MINUTE)) == [message.id]

    async def test_excluded_host_takes_no_admission(self, store):
        slow = structs.replace(keyed(1, parallelism=1, url="https://slow.example/")[0], state=DUE, lease=None)
        fine = structs.replace(keyed(1, parallelism=1)[0], state=DUE, lease=None)
        await add(store, [slow, fine])
        assert ids(await claim(store, hosts=Hosts.but("slow.example"))) == [fine.id]
        assert await states(store, slow) == [DUE]

    async def test_callback_with_a_key_waits_for_it(self, store):
        (running,) = keyed(1, parallelism=1)
        (source,) = queued(1, callback=make_callback())
        await add(store, [running, source])
        (report,) = keyed(1, parallelism=1, callback_of=source.id)
        (verdict,) = await settle(store, source, follow_ups=[report])
        assert verdict.settlement.follow_ups == (structs.replace(report, state=HELD, lease=None),)
        assert await states(store, report) == [HELD]
        assert await counts(store) == (1, 0)
        await settle(store, running)
        await settle(store, *await claim(store))
        assert await counts(store) == (0, 0)

    async def test_last_limits_of_a_call_count_for_all_of_it(self, store):
        assert await add(store, keyed(2, parallelism=5) + keyed(1, parallelism=1)) == [LEASED, HELD, HELD]
        assert (await store.get_flow_key(TENANT, "k")).parallelism == 1

    async def test_message_that_brings_higher_limits_lets_those_before_it_through(self, store):
        messages = keyed(3, parallelism=1)
        await add(store, messages)
        assert await add(store, keyed(1, parallelism=3)) == [HELD]
        assert await states(store, *messages) == [LEASED, DUE, DUE]

    async def test_duplicates_are_not_admitted_and_bring_no_limits(self, store):
        first = make_deduplicated("a", flow_control=FlowControl("k", parallelism=1))
        again = make_deduplicated("a", flow_control=FlowControl("k", parallelism=9))
        await store.add([first], NOW)
        await store.add([again], NOW)
        assert await key_counts(store) == (0, 0)
        assert (await store.get_flow_key(TENANT, "k")).parallelism == 1

    async def test_list_is_kept_however_calls_are_merged(self, store):
        messages = keyed(60, parallelism=1)
        await asyncio.gather(*(store.add([message], NOW) for message in messages))
        assert await key_counts(store) == (1, 59)
        await settle(store, messages[0])
        assert await deliver_in_turn(store) == ids(messages[1:])

    async def test_tenants_do_not_share_keys(self, store):
        assert await add(store, keyed(1, parallelism=1) + keyed(1, parallelism=1, tenant=OTHER_TENANT)) == [LEASED] * 2

    async def test_wide_window_is_used_bit_by_bit_without_a_stall(self, store):
        await add(store, keyed(1, rate=1))
        await change_key(store, flow_control.pause)
        messages = keyed(1300, rate=1300)
        await add(store, messages)
        resumed = await change_key(store, flow_control.resume)
        assert 0 < resumed.window_count < 1300
        messages += keyed(1, rate=1300)
        assert await add(store, messages[-1:]) == [HELD]
        assert await claim_all(store) == ids(messages[:1299])
        assert ids(await claim(store, NOW + MINUTE)) == ids(messages[1299:])


class TestCancelingKeyed:
    async def test_waiting_message_leaves_the_list(self, store):
        messages = keyed(3, parallelism=1)
        await add(store, messages)
        await cancel(store, ids=(messages[1].id,))
        assert await key_counts(store) == (1, 1)
        await settle(store, messages[0])
        assert await states(store, *messages) == [DELIVERED, CANCELED, DUE]

    async def test_admitted_message_makes_room(self, store):
        messages = keyed(3, parallelism=1)
        await add(store, messages)
        await settle(store, messages[0])
        await cancel(store, ids=(messages[1].id,))
        assert await states(store, *messages[1:]) == [CANCELED, DUE]

    async def test_running_message_makes_room_when_its_lease_ends(self, store):
        first, second = keyed(2, parallelism=1)
        await add(store, [first, second])
        await cancel(store, ids=(first.id,))
        assert await states(store, second) == [HELD]
        await store.give_back(NODE, [first.id], NOW)
        assert await states(store, first, second) == [CANCELED, DUE]


class TestChangingKeys:
    async def test_unknown_key_is_none(self, store):
        assert await store.get_flow_key(TENANT, "k") is None
        assert await change_key(store, flow_control.pause) is None

    async def test_key_is_readable_right_after_a_message_names_it(self, store):
        await add(store, keyed(1, "a b/c", parallelism=3, rate=5))
        state = await store.get_flow_key(TENANT, "a b/c")
        assert state == flow_control.KeyState(
            parallelism=3, rate=5, period_ms=MINUTE, in_flight=1, window_started_at=NOW, window_count=1
        )
        assert await store.get_flow_key(OTHER_TENANT, "a b/c") is None

    async def test_paused_key_starts_nothing_until_it_is_resumed(self, store):
        first, second = keyed(2, rate=1)
        await add(store, [first, second])
        paused = await change_key(store, flow_control.pause)
        assert paused.paused
        assert await claim(store, NOW + MINUTE) == []
        assert await store.next_due_at() is None
        resumed = await change_key(store, flow_control.resume, now=NOW + 2 * MINUTE)
        assert (resumed.in_flight, resumed.waiting) == (2, 0)
        assert ids(await claim(store, NOW + 2 * MINUTE)) == [second.id]

    async def test_resumed_key_still_waits_for_its_window(self, store):
        await add(store, keyed(2, rate=1))
        await change_key(store, flow_control.pause)
        await change_key(store, flow_control.resume, now=NOW + 5)
        assert await store.next_due_at() == NOW + MINUTE

    async def test_pinned_limits_are_kept_whatever_messages_bring(self, store):
        messages = keyed(4, parallelism=1)
        await add(store, messages)
        pinned = await change_key(store, partial(flow_control.pin, parallelism=3))
        assert (pinned.in_flight, pinned.waiting) == (3, 1)
        await add(store, keyed(1, parallelism=9))
        assert (await store.get_flow_key(TENANT, "k")).parallelism == 3
        await change_key(store, partial(flow_control.unpin, parallelism=True))
        assert await key_counts(store) == (3, 2)
        await add(store, keyed(1, parallelism=5))
        assert await key_counts(store) == (5, 1)

    async def test_pinning_begins_the_rate_anew(self, store):
        messages = keyed(4, rate=1)
        await add(store, messages)
        await change_key(store, partial(flow_control.pin, rate=2), now=NOW + 5)
        assert await states(store, *messages) == [LEASED, DUE, DUE, HELD]
        assert await store.next_due_at() == NOW + 5
        await claim(store, NOW + 5)
        assert await store.next_due_at() == NOW + 5 + MINUTE

    async def test_reset_rate_admits_at_once(self, store):
        messages = keyed(3, rate=1)
        await add(store, messages)
        await change_key(store, partial(flow_control.reset_rate, now=NOW + 5), now=NOW + 5)
        assert await states(store, *messages) == [LEASED, DUE, HELD]

    async def test_reset_lifts_a_pause(self, store):
        messages = keyed(3, parallelism=2)
        await add(store, messages)
        await change_key(store, flow_control.pause)
        await settle(store, messages[0])
        await change_key(store, flow_control.reset)
        assert await states(store, *messages) == [DELIVERED, LEASED, DUE]

    async def test_keys_are_searched_and_listed_by_name(self, store):
        for name in ("b/one", "a/one", "a/two%"):
            await add(store, keyed(1, name, rate=1))

        async def found(search, limit=10):
            return [key for key, _ in await store.list_flow_keys(TENANT, search, limit)]

        assert await found("") == ["a/one", "a/two%", "b/one"]
        assert await found("", limit=2) == ["a/one", "a/two%"]
        assert await found("one") == ["a/one", "b/one"]
        assert await found("%") == ["a/two%"]
        assert await store.list_flow_keys(OTHER_TENANT, "", 10) == []

"""The contract of every Store: messages on their way."""

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
)
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import add_leased, cancel, entries, get, kinds, lose_leases

from outrider.domain.event import EventKind as E
from outrider.domain.hosts import Hosts
from outrider.domain.message import DeduplicationKey, MessageState
from outrider.domain.options import DeliveryOptions, FlowControl, Redaction
from outrider.ports import Duplicate, Stored
from outrider.store.relational import turns

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
        excluded = Hosts.but("slow.example:8443", "unknown.example")
        assert await store.next_due_at(excluded) == NOW - 5
        assert [m.id for m in await store.claim_due(NODE, NOW, 9, excluded)] == [fine.id]
        assert await store.next_due_at(excluded) is None
        assert await store.next_due_at() == NOW - 9

    async def test_hosts_that_are_not_named_are_left_out(self, store):
        unknown = make_message(url="https://unknown.example/x", due_at=NOW - 9)
        fine = make_message(url="https://fine.example/x", due_at=NOW - 5)
        await store.add([unknown, fine], NOW)
        fine_alone = Hosts.only("fine.example", "idle.example")
        assert await store.next_due_at(fine_alone) == NOW - 5
        assert [m.id for m in await store.claim_due(NODE, NOW, 9, fine_alone)] == [fine.id]
        assert await store.next_due_at(fine_alone) is None
        assert await store.claim_due(NODE, NOW, 9, Hosts.only()) == []
        assert [m.id for m in await store.claim_due(NODE, NOW, 9)] == [unknown.id]

    async def test_large_bodies_are_claimed_whole(self, store):
        message = make_message(body=b"z" * 100_000)
        await store.add([message], NOW)
        (claimed,) = await store.claim_due(NODE, NOW, 1)
        assert claimed.body == message.body

    async def test_next_due_is_the_earliest_whether_due_or_not(self, store):
        assert await store.next_due_at() is None
        await store.add([make_message(due_at=NOW + 50), make_message(due_at=NOW + 20), make_leased(due_at=NOW)], NOW)
        assert await store.next_due_at() == NOW + 20


class TestLeases:
    async def test_given_back_message_is_due_again_unattempted(self, store):
        message = await add_leased(store, retried=2, due_at=NOW - 4)
        await store.give_back(NODE, [message.id, "msg_unknown"], NOW)
        assert await get(store, message) == structs.replace(message, state=MessageState.DUE, lease=None)
        assert await kinds(store, message) == [E.CREATED]

    async def test_node_gives_back_only_what_it_holds(self, store):
        message = await add_leased(store)
        await store.give_back("node_2", [message.id], NOW)
        assert await get(store, message) == message

    async def test_message_given_back_after_a_cancellation_is_canceled(self, store):
        message = await add_leased(store)
        await cancel(store)
        await store.give_back(NODE, [message.id], NOW + 2)
        after = await get(store, message)
        assert (after.state, after.finished_at, after.lease) == (MessageState.CANCELED, NOW + 2, None)
        assert await kinds(store, message) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]

    async def test_voided_leases_are_due_again_or_canceled_and_counted(self, store):
        wanted, unwanted, waiting = make_leased(), make_leased("node_9"), make_message(due_at=NOW + 9)
        await store.add([wanted, unwanted, waiting], NOW)
        await cancel(store, ids=(unwanted.id,))
        assert await lose_leases(store, NOW + 1) == 2
        assert await lose_leases(store, NOW + 1) == 0
        assert [(await get(store, m)).state for m in (wanted, unwanted, waiting)] == [
            MessageState.DUE,
            MessageState.CANCELED,
            MessageState.DUE,
        ]
        assert await kinds(store, unwanted) == [E.CREATED, E.CANCEL_REQUESTED, E.CANCELED]


class TestTurns:
    """Claims with `after`: by tenant and host."""

    async def test_each_lane_gives_as_many_and_its_earliest_first(self, store):
        many = [make_message(url="https://many.example/", due_at=NOW - 99 + n) for n in range(9)]
        few = [make_message(url="https://few.example/", due_at=NOW - n) for n in range(3)]
        others = [make_message(tenant=OTHER_TENANT, due_at=NOW - 5) for _ in range(2)]
        await store.add([*many, *few, *others], NOW)
        claimed = await store.claim_due(NODE, NOW, 6, after=("", ""))
        assert [m.id for m in claimed] == [m.id for m in (few[2], few[1], many[0], many[1], *others)]
        assert {m.state for m in claimed} == {MessageState.LEASED}

    async def test_what_a_lane_does_not_have_others_give(self, store):
        many = [make_message(url="https://many.example/") for _ in range(9)]
        few = make_message(url="https://few.example/")
        await store.add([*many, few], NOW)
        claimed = await store.claim_due(NODE, NOW, 8, after=("", ""))
        assert {m.id for m in claimed} == {few.id, *(m.id for m in many[:7])}

    async def test_claims_go_on_in_a_circle(self, store):
        messages = [make_message(url=f"https://{name}.example/") for name in "abcd" for _ in range(2)]
        await store.add(messages, NOW)
        after, hosts = ("", ""), []
        for _ in range(4):
            claimed = await store.claim_due(NODE, NOW, 2, after=after)
            after = (claimed[-1].tenant, claimed[-1].host)
            hosts.append("".join(sorted(message.host[0] for message in claimed)))
        assert hosts == ["ab", "cd", "ab", "cd"]
        assert await store.claim_due(NODE, NOW, 2, after=after) == []

    async def test_excluded_hosts_and_what_is_not_due_are_left_out(self, store):
        dead = [make_message(url="https://dead.example/", due_at=NOW - 9) for _ in range(3)]
        fine = make_message(url="https://fine.example/")
        later = make_message(url="https://later.example/", due_at=NOW + 7)
        await store.add([*dead, fine, later], NOW)
        excluded = Hosts.but("dead.example")
        assert [m.id for m in await store.claim_due(NODE, NOW, 9, excluded, after=("", ""))] == [fine.id]
        assert await store.claim_due(NODE, NOW, 9, excluded, after=("", "")) == []
        assert await store.next_due_at(excluded) == NOW + 7

    async def test_turns_are_of_those_alone_that_are_named(self, store):
        unknown = [make_message(url=f"https://unknown{n}.example/", due_at=NOW - 9) for n in range(3)]
        fine, later = (make_message(url="https://fine.example/", due_at=NOW + ms) for ms in (0, 7))
        await store.add([*unknown, fine, later], NOW)
        fine_alone = Hosts.only("fine.example")
        assert [m.id for m in await store.claim_due(NODE, NOW, 9, fine_alone, after=("", ""))] == [fine.id]
        assert await store.next_due_at(fine_alone) == NOW + 7

    async def test_more_lanes_than_one_look_sees_hide_nothing(self, store, monkeypatch):
        monkeypatch.setattr(turns, "LANES", 3)
        parked = [make_message(url=f"https://b{n}.example/", due_at=NOW + 9) for n in range(5)]
        due = [make_message(url=f"https://{name}.example/") for name in "ac"]
        await store.add([*parked, *due], NOW)
        excluded = Hosts.but("c.example")
        claimed = []
        while some := await store.claim_due(NODE, NOW, 9, after=(TENANT, "b0.example")):
            claimed += some
        assert {m.id for m in claimed} == {m.id for m in due}
        await store.give_back(NODE, [m.id for m in due], NOW)
        assert [m.host for m in await store.claim_due(NODE, NOW, 9, excluded, after=("", ""))] == ["a.example"]
        assert await store.next_due_at(excluded) == NOW + 9
        c_alone = Hosts.only("c.example")
        assert [m.host for m in await store.claim_due(NODE, NOW, 9, c_alone, after=("", ""))] == ["c.example"]
        assert await store.next_due_at(c_alone) is None

    async def test_nodes_that_claim_at_once_share(self, store):
        await store.add([make_message(url=f"https://{n % 3}.example/") for n in range(30)], NOW)
        claimed = []
        for _ in range(5):
            claims = await asyncio.gather(*(store.claim_due(f"node_{n}", NOW, 7, after=("", "")) for n in range(4)))
            claimed += [message.id for claim in claims for message in claim]
        assert len(claimed) == len(set(claimed)) == 30

    async def test_limits_of_keys_hold(self, store):
        control = FlowControl("k", parallelism=2)
        keyed = [make_message(flow_control=control, url=f"https://{n}.example/", due_at=NOW + 5) for n in range(6)]
        await store.add([*keyed, make_message(due_at=NOW + 5)], NOW)
        claimed = await store.claim_due(NODE, NOW + 5, 9, after=("", ""))
        assert [m.options.flow_control for m in claimed].count(control) == 2
        assert len(claimed) == 3
        assert await store.claim_due(NODE, NOW + 5, 9, after=("", "")) == []

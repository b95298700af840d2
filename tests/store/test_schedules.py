"""The contract of every Store: schedules, and the transaction in which one fires."""

import asyncio

import pytest
from msgspec import structs
from tests.factories import NOW, TENANT, make_deduplicated, make_leased, make_message, make_settlement
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import get, kinds

from outrider.domain.destination import GroupName, Url
from outrider.domain.errors import LimitReached, NotFound, TooMany
from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState
from outrider.domain.options import CallbackPatch, OptionPatch
from outrider.domain.schedule import Schedule
from outrider.ports import Duplicate, Stored


def make_schedule(schedule_id: str = "scd_1", **overrides) -> Schedule:
    said = {
        "id": schedule_id,
        "tenant": TENANT,
        "cron": "* * * * *",
        "destination": Url("https://a.example/x"),
        "created_at": NOW,
        "updated_at": NOW,
        "next_fire_at": NOW + 60_000,
    }
    return Schedule(**said | overrides)


async def put(store, *schedules: Schedule, most: int = 9) -> None:
    for schedule in schedules:
        await store.put_schedule(schedule, most=most)


async def fire(store, before: Schedule, *messages, now: int = NOW + 60_000, per_day: int | None = None, **after):
    advanced = structs.replace(before, **{"next_fire_at": now + 60_000, "last_fired_at": now} | after)
    return await store.fire_schedule(before, advanced, messages, now, per_day=per_day)


@pytest.mark.parametrize(
    "schedule",
    [
        make_schedule(),
        make_schedule(
            destination=GroupName("group"),
            patch=OptionPatch(
                headers=(("X-A", "ä"),), callback=CallbackPatch(options=OptionPatch(retries=1)), delay_ms=5
            ),
            body=b"\x00\xff" * 5000,
            queue="queue",
            caller_ip="192.0.2.1",
            paused=True,
            jitter_ms=7,
            last_fired_at=NOW - 1,
            next_fire_at=None,
            last_message_ids=("msg_1", "msg_2"),
            error="why",
        ),
    ],
)
async def test_schedule_is_read_as_it_was_stored(store, schedule):
    await put(store, schedule)
    assert await store.get_schedule(TENANT, "scd_1") == schedule
    assert await store.list_schedules(TENANT) == [schedule]


async def test_schedules_are_listed_oldest_first_each_tenant_its_own(store):
    older, newer = make_schedule("b", created_at=NOW - 1), make_schedule("a")
    others = make_schedule("a", tenant=OTHER_TENANT)
    await put(store, newer, older, others)
    assert await store.list_schedules(TENANT) == [older, newer]
    assert await store.list_schedules(OTHER_TENANT) == [others]
    await store.remove_tenant(TENANT)
    assert await store.list_schedules(TENANT) == []


async def test_overwritten_schedule_keeps_nothing_but_its_creation_and_what_was_published(store):
    await put(store, make_schedule(body=b"body", error="why", last_fired_at=NOW, last_trigger=NOW, paused=True))
    later = make_schedule(created_at=NOW + 5, updated_at=NOW + 5, cron="*/5 * * * *", next_fire_at=NOW + 300_000)
    await put(store, later)
    kept = structs.replace(later, created_at=NOW, last_trigger=NOW)
    assert await store.get_schedule(TENANT, "scd_1") == kept
    assert await store.next_fire_at() == NOW + 300_000


async def test_new_schedule_over_the_limit_is_refused_and_others_can_be_overwritten(store):
    await put(store, make_schedule("a"), make_schedule("b"), most=2)
    with pytest.raises(TooMany, match="limit of 2 schedules"):
        await put(store, make_schedule("c"), most=2)
    await put(store, make_schedule("a", cron="@daily"), most=2)
    await put(store, make_schedule("c", tenant=OTHER_TENANT), most=2)


async def test_change_is_stored_and_of_an_unknown_schedule_none(store):
    await put(store, make_schedule())
    changed = await store.change_schedule(TENANT, "scd_1", lambda s: structs.replace(s, paused=True, next_fire_at=None))
    assert changed.paused
    assert await store.get_schedule(TENANT, "scd_1") == changed
    assert await store.next_fire_at() is None
    assert await store.change_schedule(OTHER_TENANT, "scd_1", lambda s: s) is None


async def test_deleted_schedule_is_gone(store):
    await put(store, make_schedule())
    assert not await store.delete_schedule(OTHER_TENANT, "scd_1")
    assert await store.delete_schedule(TENANT, "scd_1")
    assert not await store.delete_schedule(TENANT, "scd_1")
    assert await store.get_schedule(TENANT, "scd_1") is None


async def test_due_schedules_come_earliest_first_up_to_the_limit(store):
    second = make_schedule("a", next_fire_at=NOW)
    first = make_schedule("b", next_fire_at=NOW - 1, tenant=OTHER_TENANT)
    await put(store, second, first, make_schedule("c", next_fire_at=NOW + 1), make_schedule("d", next_fire_at=None))
    assert await store.due_schedules(NOW, 9) == [first, second]
    assert await store.due_schedules(NOW, 1) == [first]
    assert await store.next_fire_at() == NOW - 1


async def test_nothing_fires_where_there_is_no_schedule(store):
    assert await store.due_schedules(NOW, 9) == []
    assert await store.next_fire_at() is None


async def test_fire_advances_the_schedule_and_stores_its_messages(store):
    before, messages = make_schedule(body=b"x" * 3000), [make_leased(), make_message()]
    await put(store, before)
    assert await fire(store, before, *messages) == [Stored(message) for message in messages]
    assert [await get(store, message) for message in messages] == messages
    assert await kinds(store, messages[0]) == [E.CREATED]
    after = await store.get_schedule(TENANT, "scd_1")
    assert (after.next_fire_at, after.last_fired_at, after.body) == (NOW + 120_000, NOW + 60_000, before.body)


@pytest.mark.parametrize("meanwhile", ["fired", "changed", "overwritten", "deleted"])
async def test_fire_of_a_schedule_that_is_another_by_now_does_nothing(store, meanwhile):
    before = make_schedule()
    await put(store, before)
    match meanwhile:
        case "fired":
            await fire(store, before)
        case "changed":
            await store.change_schedule(TENANT, "scd_1", lambda s: structs.replace(s, paused=True))
        case "overwritten":
            await put(store, make_schedule(body=b"another"))
        case "deleted":
            await store.delete_schedule(TENANT, "scd_1")
    stored, message = await store.get_schedule(TENANT, "scd_1"), make_message()
    assert await fire(store, before, message) is None
    assert await store.get_message(TENANT, message.id) is None
    assert await store.get_schedule(TENANT, "scd_1") == stored


async def test_of_nodes_that_fire_at_once_one_does(store):
    before = make_schedule()
    await put(store, before)
    outcomes = await asyncio.gather(*(fire(store, before, make_message()) for _ in range(5)))
    assert [outcome is None for outcome in outcomes].count(False) == 1


async def test_fire_deduplicates_as_publishing_does(store):
    before, first = make_schedule(), make_deduplicated("key", window_ms=10**6)
    await put(store, before)
    await store.add([first], NOW)
    assert await fire(store, before, make_deduplicated("key")) == [Duplicate(first.id)]


async def test_fire_that_the_day_has_no_room_for_changes_nothing(store):
    before, message = make_schedule(), make_message()
    await put(store, before)
    await fire(store, before, make_message(), per_day=1, next_fire_at=NOW + 60_000)
    before = await store.get_schedule(TENANT, "scd_1")
    with pytest.raises(LimitReached):
        await fire(store, before, message, per_day=1)
    assert await store.get_schedule(TENANT, "scd_1") == before
    assert await store.get_message(TENANT, message.id) is None


async def test_states_of_messages_are_told_of_those_that_are_there(store):
    waiting, done = make_message(), make_leased()
    others = make_message(tenant=OTHER_TENANT)
    await store.add([waiting, done, others], NOW)
    await store.apply([make_settlement(done)], NOW)
    assert await store.message_states(TENANT, [waiting.id, done.id, others.id, "msg_gone"]) == {
        waiting.id: MessageState.DUE,
        done.id: MessageState.DELIVERED,
    }
    assert await store.message_states(TENANT, []) == {}


async def test_schedule_of_an_unknown_tenant_is_refused(store):
    with pytest.raises(NotFound, match="tenant"):
        await put(store, make_schedule(tenant="ten_nobody"))

"""The contract of every Store: messages a tenant publishes in a UTC day, and the limit on them."""

import asyncio

import pytest
from tests.factories import (
    NOW,
    TENANT,
    make_callback,
    make_deduplicated,
    make_leased,
    make_message,
    make_settlement,
    refused,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import dead_letters

from outrider.domain.errors import LimitReached
from outrider.domain.instant import DAY_MS
from outrider.domain.settlement import with_follow_ups
from outrider.domain.usage import day_of
from outrider.ports import Duplicate, Stored

DAY = day_of(NOW)


async def test_messages_are_counted_by_tenant_and_day(store):
    assert await store.messages_on(TENANT, DAY) == 0
    await store.add([make_message(), make_message(), make_message(tenant=OTHER_TENANT)], NOW)
    await store.add([make_message()], DAY + DAY_MS - 1)
    await store.add([make_message()], DAY + DAY_MS)
    assert await store.messages_on(TENANT, DAY) == 3
    assert await store.messages_on(OTHER_TENANT, DAY) == 1
    assert await store.messages_on(TENANT, DAY + DAY_MS) == 1


async def test_duplicates_and_callbacks_do_not_count(store):
    message = make_leased(callback=make_callback())
    await store.add([message, make_deduplicated("key"), make_deduplicated("key")], NOW)
    settlement = make_settlement(message)
    await store.apply([with_follow_ups(settlement, lambda _: make_message(callback_of=message.id))], NOW)
    assert await store.messages_on(TENANT, DAY) == 2


async def test_retried_dead_letter_counts_again(store):
    message = make_leased(retries=0)
    await store.add([message], NOW)
    await store.apply([make_settlement(message, refused())], NOW)
    (letter,) = await dead_letters(store)
    await store.retry_dead_letters(TENANT, [(letter.id, make_message())], NOW)
    assert await store.messages_on(TENANT, DAY) == 2


async def test_day_takes_as_many_as_its_limit_and_begins_anew_at_midnight(store):
    await store.add([make_message(), make_message()], NOW, per_day=3)
    assert len(await store.add([make_message()], NOW, per_day=3)) == 1
    with pytest.raises(LimitReached, match="limit of 3 messages a day: 3 were published") as refusal:
        await store.add([make_message()], NOW, per_day=3)
    assert refusal.value.window == "daily"
    assert (refusal.value.quota.limit, refusal.value.quota.remaining) == (3, 0)
    assert refusal.value.quota.resets_at_s == (DAY + DAY_MS) // 1000
    assert await store.messages_on(TENANT, DAY) == 3
    await store.add([make_message()], DAY + DAY_MS, per_day=3)


async def test_messages_that_do_not_fit_the_day_whole_are_refused_whole(store):
    await store.add([make_message()], NOW)
    refused_ones = [make_message(), make_message()]
    with pytest.raises(LimitReached) as refusal:
        await store.add(refused_ones, NOW, per_day=2)
    assert refusal.value.quota.remaining == 1
    assert [await store.get_message(TENANT, message.id) for message in refused_ones] == [None, None]
    assert await store.messages_on(TENANT, DAY) == 1


async def test_duplicate_fits_a_used_up_day(store):
    first = make_deduplicated("key")
    await store.add([first], NOW, per_day=1)
    assert await store.add([make_deduplicated("key")], NOW, per_day=1) == [Duplicate(first.id)]


async def test_refused_message_is_not_remembered_as_the_first_of_its_key(store):
    await store.add([make_message()], NOW, per_day=1)
    with pytest.raises(LimitReached):
        await store.add([make_deduplicated("key")], NOW, per_day=1)
    again = make_deduplicated("key")
    assert await store.add([again], NOW, per_day=2) == [Stored(again)]


async def test_of_publishes_at_once_exactly_as_many_pass_as_there_is_room_for(store):
    calls = [store.add([make_deduplicated(f"key {number}")], NOW, per_day=7) for number in range(20)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(outcome, LimitReached) for outcome in outcomes].count(False) == 7
    assert await store.messages_on(TENANT, DAY) == 7


async def test_limit_of_one_tenant_is_not_that_of_another(store):
    await store.add([make_message()], NOW, per_day=1)
    await store.add([make_message(tenant=OTHER_TENANT)], NOW, per_day=1)


async def test_removed_tenant_takes_its_counts_along(store):
    await store.add([make_message()], NOW)
    await store.remove_tenant(TENANT)
    assert await store.messages_on(TENANT, DAY) == 0

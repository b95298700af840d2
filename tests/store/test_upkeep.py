"""The contract of every Store: retention, pressure and closing."""

import asyncio

import pytest
from tests.factories import NOW, TENANT, make_deduplicated, make_leased, make_message, make_settlement, refused
from tests.store.steps import dead_letters, entries, get, kinds

from outrider.domain.errors import StoreUnavailable
from outrider.domain.event import EventKind as E
from outrider.domain.instant import DAY_MS
from outrider.domain.message import MessageState
from outrider.domain.query import MessageFilter
from outrider.ports import Duplicate, Retention, Stored

DAY_IS_OVER = (NOW // DAY_MS + 1) * DAY_MS
"""A store may keep finished messages and entries until all of their UTC day has passed the retention."""


async def finish(store, outcome=None, **fields):
    message = make_leased(**{"retries": 0} | fields)
    await store.add([message], NOW)
    await store.apply([make_settlement(message, outcome)], NOW)
    return message


async def purge(store, *, logs: int = DAY_IS_OVER, dead: int = DAY_IS_OVER, now: int = NOW + 1, limit: int = 1000):
    return await store.purge(Retention(logs_before=logs, dead_letters_before=dead, now=now), limit)


async def purge_all(store, **retention) -> None:
    """As upkeep does: until nothing is left to remove."""
    for _ in range(100):
        if not await purge(store, **retention):
            return
    raise AssertionError("purging finds something to remove for ever")


async def test_finished_messages_and_their_entries_go_once_their_day_has_passed_the_log_retention(store):
    message = await finish(store, body=b"x" * 5000)
    await purge_all(store, logs=NOW)
    assert (await get(store, message)).state is MessageState.DELIVERED
    assert await kinds(store) == [E.CREATED, E.DELIVERED]
    await purge_all(store)
    assert await store.get_message(TENANT, message.id) is None
    assert await entries(store) == []


@pytest.mark.parametrize("state", [MessageState.DUE, MessageState.HELD, MessageState.LEASED])
async def test_unfinished_message_stays_however_old(store, state):
    message = make_message(state=state, lease="node_1" if state is MessageState.LEASED else None)
    await store.add([message], NOW)
    await purge_all(store, logs=NOW + 10**9, dead=NOW + 10**9)
    assert await get(store, message) == message
    assert await entries(store) == []


async def test_message_of_a_dead_letter_stays_as_long_as_that(store):
    message = await finish(store, refused())
    await purge_all(store, dead=NOW)
    assert await entries(store) == []
    (letter,) = await dead_letters(store)
    assert letter.message == await get(store, message)
    await purge_all(store)
    assert await dead_letters(store) == []
    assert await store.get_message(TENANT, message.id) is None


async def test_canceled_messages_go_too(store):
    message = make_message()
    await store.add([message], NOW)
    await store.cancel(TENANT, MessageFilter(), NOW, 9)
    await purge_all(store)
    assert await store.get_message(TENANT, message.id) is None


async def test_purge_removes_at_most_its_limit(store):
    for _ in range(4):
        await finish(store, refused())
    removed = [await purge(store, limit=3) for _ in range(8)]
    assert removed[0] == 3
    assert max(removed) == 3
    assert removed[-1] == 0
    assert await dead_letters(store) == []
    assert await entries(store) == []


async def test_expired_deduplication_keys_are_removed_and_others_count(store):
    short, long = make_deduplicated("short", window_ms=10), make_deduplicated("long", window_ms=11)
    await store.add([short, long], NOW)
    assert await purge(store, logs=NOW, now=NOW + 10) == 1
    again = make_deduplicated("short")
    assert await store.add([again, make_deduplicated("long")], NOW + 5) == [Stored(again), Duplicate(long.id)]


async def test_check_commits(store):
    await store.check(NOW)
    await store.check(NOW + 1)


async def test_what_was_accepted_before_closing_is_committed(store):
    message = make_message()
    waiting = asyncio.ensure_future(store.add([message], NOW))
    await asyncio.sleep(0)
    await store.close()
    assert await waiting == [Stored(message)]


async def test_closed_store_says_so_and_closes_again(store):
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.add([make_message()], NOW)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.get_message(TENANT, "msg_1")

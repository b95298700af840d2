"""The contract of every Store: dead letters."""

import pytest
from msgspec import structs
from tests.factories import (
    NOW,
    TENANT,
    make_attempt,
    make_deduplicated,
    make_leased,
    make_message,
    make_settlement,
    refused,
    unreachable,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import dead_letters, get, kinds

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState
from outrider.domain.query import DeadLetterQuery, MessageFilter
from outrider.domain.settlement import settle
from outrider.ports import Duplicate, Stored


async def give_up(store, outcome=None, at: int = NOW, **fields):
    """A dead letter, as it should be shown."""
    message = make_leased(**{"retries": 0} | fields)
    await store.add([message], NOW)
    settlement = settle(message, make_attempt(message, outcome or refused(), ended_at=at))
    await store.apply([settlement], at)
    return structs.replace(settlement.dead_letter, message=await get(store, message))


async def walk(store, **query):
    """The ids on every page of a query."""
    pages, cursor = [], None
    while True:
        page = await store.list_dead_letters(TENANT, DeadLetterQuery(cursor=cursor, **query))
        pages.append([letter.id for letter in page.items])
        cursor = page.cursor
        if cursor is None:
            return pages


async def test_dead_letter_keeps_its_message_and_its_response(store):
    letter = await give_up(store, refused(503, bytes(range(256))), body=b"y" * 9000)
    assert letter.message.state is MessageState.FAILED
    assert await store.get_dead_letter(TENANT, letter.id) == letter
    assert await dead_letters(store) == [letter]


async def test_dead_letter_without_a_response(store):
    letter = await give_up(store, unreachable())
    assert letter.response is None
    assert await store.get_dead_letter(TENANT, letter.id) == letter


async def test_other_tenants_see_nothing_of_it(store):
    letter = await give_up(store)
    assert await store.get_dead_letter(OTHER_TENANT, letter.id) is None
    assert await dead_letters(store, OTHER_TENANT) == []
    assert await store.delete_dead_letters(OTHER_TENANT, [letter.id]) == 0
    with pytest.raises(NotFound):
        await store.retry_dead_letters(OTHER_TENANT, [(letter.id, make_message(tenant=OTHER_TENANT))], NOW)


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("count", [1, 2, 5, 6, 7])
async def test_pages_neither_repeat_nor_skip(store, count, latest_first):
    letters = [await give_up(store, at=NOW + n // 2) for n in range(6)]
    ordered = sorted((letter.failed_at, letter.id) for letter in letters)
    pages = await walk(store, count=count, latest_first=latest_first)
    assert [one for page in pages for one in page] == [key[1] for key in (ordered[::-1] if latest_first else ordered)]
    assert all(len(page) == count for page in pages[:-1])
    assert pages[-1]


@pytest.mark.parametrize("cursor", ["", "1", "1725323658779-0", "l1-1", "d", "d1", "d1-", "d-1", "9" * 99])
async def test_foreign_cursor_is_malformed(store, cursor):
    with pytest.raises(Malformed, match="cursor"):
        await store.list_dead_letters(TENANT, DeadLetterQuery(cursor=cursor))


async def test_filters_are_about_message_response_and_time_of_failure(store):
    a = await give_up(store, refused(500), at=NOW + 1, queue="q", labels=("l",))
    b = await give_up(store, refused(404), at=NOW + 2)
    c = await give_up(store, unreachable(), at=NOW + 3)

    async def ids(**query):
        return [letter.id for letter in await dead_letters(store, latest_first=False, **query)]

    assert await ids(response_statuses=(500,)) == [a.id]
    assert await ids(response_statuses=(404, 0)) == [b.id, c.id]
    assert await ids(ids=(c.id, "nothing", a.id)) == [a.id, c.id]
    assert await ids(filter=MessageFilter(ids=(b.message.id,))) == [b.id]
    assert await ids(filter=MessageFilter(queues=("q",), labels=("l",))) == [a.id]
    assert await ids(filter=MessageFilter(time_from=NOW + 2, time_to=NOW + 3)) == [b.id, c.id]


async def test_deleted_dead_letter_is_gone_and_its_message_stays(store):
    letter, other = await give_up(store), await give_up(store)
    assert await store.delete_dead_letters(TENANT, [letter.id, "nothing"]) == 1
    assert await store.delete_dead_letters(TENANT, [letter.id]) == 0
    assert await store.get_dead_letter(TENANT, letter.id) is None
    assert await get(store, letter.message) == letter.message
    assert await dead_letters(store) == [other]


async def test_retried_dead_letter_is_replaced_by_a_new_message(store):
    letter, kept = await give_up(store), await give_up(store)
    anew = make_leased(created_at=NOW + 5)
    assert await store.retry_dead_letters(TENANT, [(letter.id, anew)], NOW + 5) == [Stored(anew)]
    assert await get(store, anew) == anew
    assert await kinds(store, anew) == [E.CREATED]
    assert await dead_letters(store) == [kept]
    assert (await get(store, letter.message)).state is MessageState.FAILED


async def test_unknown_id_is_named_and_nothing_is_retried(store):
    letter = await give_up(store)
    anew = make_message()
    with pytest.raises(NotFound, match="1725323658779-0"):
        await store.retry_dead_letters(TENANT, [(letter.id, anew), ("1725323658779-0", make_message())], NOW)
    assert await dead_letters(store) == [letter]
    assert await store.get_message(TENANT, anew.id) is None


async def test_dead_letter_named_twice_does_not_become_two_messages(store):
    letter = await give_up(store)
    with pytest.raises(NotFound, match=letter.id):
        await store.retry_dead_letters(TENANT, [(letter.id, make_message()), (letter.id, make_message())], NOW)
    assert await dead_letters(store) == [letter]


async def test_retries_heed_deduplication(store):
    letter, first = await give_up(store), make_deduplicated("k")
    await store.add([first], NOW)
    assert await store.retry_dead_letters(TENANT, [(letter.id, make_deduplicated("k"))], NOW) == [Duplicate(first.id)]


async def test_no_retries_is_no_error(store):
    assert await store.retry_dead_letters(TENANT, [], NOW) == []


async def test_delivered_message_leaves_no_dead_letter(store):
    message = make_leased()
    await store.add([message], NOW)
    await store.apply([make_settlement(message)], NOW)
    assert await dead_letters(store) == []

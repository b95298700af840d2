"""The contract of every Store: the log."""

import pytest
from msgspec import structs
from tests.factories import (
    NOW,
    TENANT,
    make_active,
    make_leased,
    make_message,
    make_settlement,
    refused,
    succeeded,
    unreachable,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import as_logged, entries, get, kinds

from outrider.domain.attempt import Delivered, Response
from outrider.domain.errors import Malformed
from outrider.domain.event import IN_PROGRESS
from outrider.domain.event import EventKind as E
from outrider.domain.query import LogQuery, MessageFilter
from outrider.ports import LogEntry


async def log_of_ten(store):
    """Ten messages, two for each of five instants."""
    messages = [make_message(created_at=NOW + n // 2) for n in range(10)]
    await store.add(messages, NOW)
    return messages


async def walk(store, **query):
    """Every page of a query."""
    pages, cursor = [], None
    while True:
        page = await store.list_log(TENANT, LogQuery(cursor=cursor, **query))
        pages.append([entry.message.id for entry in page.items])
        cursor = page.cursor
        if cursor is None:
            return pages


async def test_recorded_entries_appear_with_their_message(store):
    message = make_leased()
    await store.add([message], NOW)
    await store.record([make_active(message, NOW + 4)])
    assert (await entries(store, message))[-1] == LogEntry(make_active(message, NOW + 4), message)


async def test_entries_of_unknown_messages_are_dropped(store):
    known, unknown = make_leased(), make_leased()
    await store.add([known], NOW)
    await store.record([make_active(unknown), make_active(known), make_active(structs.replace(known, tenant="ten_2"))])
    assert await kinds(store) == [E.CREATED, E.ACTIVE]


async def test_entries_are_counted_by_kind_and_time_and_tenant(store):
    await log_of_ten(store)
    await store.add([make_message(created_at=NOW, tenant=OTHER_TENANT), leased := make_leased(created_at=NOW)], NOW)
    await store.record([make_active(leased, NOW + 4)])
    assert await store.count_entries(TENANT, NOW, NOW + 1) == {E.CREATED: 3}
    assert await store.count_entries(TENANT, NOW + 1, NOW + 5) == {E.CREATED: 8, E.ACTIVE: 1}
    assert await store.count_entries(TENANT, NOW + 5, NOW + 9) == {}


async def test_nothing_to_record_is_no_error(store):
    await store.record([])


@pytest.mark.parametrize(
    "outcome",
    [
        succeeded(body=bytes(range(256)) * 300),
        Delivered(Response(204, (("X-Ü", "✓\t"),), b"", truncated=True)),
        refused(),
        unreachable(),
    ],
)
async def test_entry_keeps_everything_of_its_response(store, outcome):
    message = make_leased()
    await store.add([message], NOW)
    settlement = make_settlement(message, outcome)
    await store.apply([settlement], NOW)
    assert [entry.event for entry in await entries(store, message)][1:] == as_logged(settlement.events)


async def test_entry_shows_its_message_as_it_is_now(store):
    message = make_leased(body=b"x" * 5000)
    await store.add([message], NOW)
    await store.apply([make_settlement(message)], NOW)
    now = await get(store, message)
    assert [entry.message for entry in await entries(store, message)] == [now, now]


async def test_latest_come_first_unless_asked_otherwise(store):
    messages = await log_of_ten(store)
    ids = [message.id for message in messages]
    assert await walk(store) == [ids[::-1]]
    assert await walk(store, latest_first=False) == [ids]


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("count", [1, 3, 5, 9, 10, 11])
async def test_pages_neither_repeat_nor_skip(store, count, latest_first):
    ids = [message.id for message in await log_of_ten(store)]
    pages = await walk(store, count=count, latest_first=latest_first)
    assert [page_id for page in pages for page_id in page] == (ids[::-1] if latest_first else ids)
    assert [len(page) for page in pages[:-1]] == [count] * (len(pages) - 1)
    assert pages[-1]


async def test_entries_written_meanwhile_do_not_move_a_page(store):
    messages = await log_of_ten(store)
    first = await store.list_log(TENANT, LogQuery(count=5))
    await store.add([make_message(created_at=NOW + 100)], NOW)
    second = await store.list_log(TENANT, LogQuery(count=5, cursor=first.cursor))
    assert [entry.message.id for entry in first.items + second.items] == [m.id for m in messages[::-1]]


@pytest.mark.parametrize(
    "cursor", ["", "1", "1725323658779", "0", "-1", "x", "l1", "l1-", "l1-x", "l1-1 ", "d1-1", "9" * 99]
)
async def test_foreign_cursor_is_malformed(store, cursor):
    with pytest.raises(Malformed, match="cursor"):
        await store.list_log(TENANT, LogQuery(cursor=cursor))


async def test_cursor_of_dead_letters_is_foreign_here(store):
    with pytest.raises(Malformed):
        await store.list_log(TENANT, LogQuery(cursor="d1725323658779-1725323658779-0"))


async def test_time_bounds_are_of_the_entry_and_inclusive(store):
    message = make_leased(created_at=NOW)
    await store.add([message], NOW)
    await store.record([make_active(message, NOW + n) for n in (1, 2, 3)])
    bounded = MessageFilter(time_from=NOW + 1, time_to=NOW + 2)
    assert [entry.event.time for entry in await entries(store, filter=bounded)] == [NOW + 1, NOW + 2]


async def test_kinds_are_filtered(store):
    message = make_leased(retries=1)
    await store.add([message], NOW)
    await store.record([make_active(message)])
    await store.apply([make_settlement(message, refused())], NOW)
    assert [entry.event.kind for entry in await entries(store, kinds=IN_PROGRESS)] == [E.ACTIVE, E.ERROR, E.RETRY]
    assert [entry.event.kind for entry in await entries(store, kinds=(E.CREATED,))] == [E.CREATED]
    assert await entries(store, kinds=(E.DELIVERED,)) == []


async def test_tenants_see_their_own_entries(store):
    mine, theirs = make_message(), make_message(tenant=OTHER_TENANT)
    await store.add([mine, theirs], NOW)
    assert [entry.message.id for entry in await entries(store)] == [mine.id]
    assert [entry.message.id for entry in await entries(store, tenant=OTHER_TENANT)] == [theirs.id]
    assert await entries(store, theirs) == []


async def test_page_ends_early_where_bodies_are_large(store):
    messages = [make_message(body=b"x" * (9 << 20)) for _ in range(5)]
    for message in messages:
        await store.add([message], NOW)
    pages = await walk(store, count=100, latest_first=False)
    assert pages == [[m.id for m in messages[:3]], [m.id for m in messages[3:]]]


async def test_host_without_a_port_means_each_of_its_ports(store):
    urls = ("https://a.example/", "https://A.example:8443/x", "https://b.a.example/", "http://[2001:db8::1]:80/")
    messages = [make_message(url=url) for url in urls]
    await store.add(messages, NOW)

    async def found(host):
        return {url for page in await walk(store, filter=MessageFilter(hosts=(host,))) for url in page}

    assert await found("a.example") == {messages[0].id, messages[1].id}
    assert await found("a.example:8443") == {messages[1].id}
    assert await found("[2001:db8::1]") == {messages[3].id}
    assert await found("example") == set()

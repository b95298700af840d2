"""The contract of every Store: messages as people look for them, and how far one page looks."""

import pytest
from tests.factories import NOW, TENANT, make_active, make_leased, make_message, make_settlement, refused, succeeded
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import get, kinds

from outrider.domain.errors import Malformed
from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState, Progress
from outrider.domain.query import Count, DeadLetterQuery, LogQuery, MessageFilter, MessageQuery
from outrider.store.relational import filters, pages

LATER = NOW + 10_000


async def walk(ask, **query):
    """Every page of a listing."""
    found, cursor = [], None
    while True:
        page = await ask(cursor)
        found.append(list(page.items))
        cursor = page.cursor
        if cursor is None:
            return found


def unfinished(store, tenant=TENANT, **query):
    return walk(lambda cursor: store.list_messages(tenant, MessageQuery(cursor=cursor, **query), NOW))


def logged(store, tenant=TENANT, **query):
    return walk(lambda cursor: store.list_logged(tenant, LogQuery(cursor=cursor, **query)))


def ids(found):
    return [summary.message.id for page in found for summary in page]


@pytest.fixture
async def one_of_each(store):
    """An unfinished message of each kind, by progress, and one that is finished."""
    first, second = (make_message(queue="q", due_at=NOW - 3, created_at=NOW - 3) for _ in range(2))
    active, retrying, done = make_leased(due_at=NOW - 1), make_leased(retries=3), make_leased()
    delayed = make_message(due_at=LATER)
    await store.add([first, second, active, retrying, done, delayed], NOW)
    await store.apply([make_settlement(retrying, refused(503)), make_settlement(done)], NOW)
    return {
        Progress.ACTIVE: active,
        Progress.RETRYING: retrying,
        Progress.DELAYED: delayed,
        Progress.WAITING: second,
        None: first,
    }


async def test_unfinished_messages_come_soonest_due_first(store, one_of_each):
    found = await unfinished(store)
    assert len(found) == 1
    due = [summary.message.due_at for summary in found[0]]
    assert due == sorted(due)
    assert set(ids(found)) == {message.id for message in one_of_each.values()}


@pytest.mark.parametrize("progress", list(Progress))
async def test_each_progress_finds_its_messages_alone(store, one_of_each, progress):
    found = ids(await unfinished(store, progress=(progress,)))
    assert one_of_each[progress].id in found
    others = {message.id for other, message in one_of_each.items() if other not in {progress, None}}
    assert not others & set(found)


async def test_a_summary_tells_of_the_last_attempt(store, one_of_each):
    ((retrying,),) = await unfinished(store, progress=(Progress.RETRYING,))
    assert retrying.message == await get(store, one_of_each[Progress.RETRYING])
    assert (retrying.attempts, retrying.response_status, retrying.entries) == (1, 503, 3)
    assert retrying.error
    ((delayed, *_),) = await unfinished(store, filter=MessageFilter(ids=(one_of_each[Progress.DELAYED].id,)))
    assert (delayed.attempts, delayed.response_status, delayed.error, delayed.entries) == (0, None, None, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
async def test_pages_of_messages_neither_repeat_nor_skip(store, count):
    leased = [make_leased(due_at=NOW + n) for n in (0, 2, 2)]
    waiting = [make_message(due_at=NOW + n) for n in (1, 2, 3)]
    await store.add([*waiting, *leased], NOW)
    found = await unfinished(store, count=count)
    assert len(ids(found)) == len(set(ids(found))) == 6
    assert max(map(len, found)) <= count


async def test_messages_of_others_are_not_listed(store):
    await store.add([make_message(tenant=OTHER_TENANT)], NOW)
    assert ids(await unfinished(store)) == ids(await logged(store)) == []
    assert await store.count_messages(TENANT, MessageQuery(), NOW) == Count(0)


async def test_messages_are_counted_as_they_are_listed(store, one_of_each):
    assert await store.count_messages(TENANT, MessageQuery(), NOW) == Count(5)
    assert await store.count_messages(TENANT, MessageQuery(progress=(Progress.ACTIVE,)), NOW) == Count(1)
    assert await store.count_messages(TENANT, MessageQuery(filter=MessageFilter(queues=("q",))), NOW) == Count(2)


async def test_a_page_looks_at_so_many_and_goes_on_by_its_cursor(store, monkeypatch):
    monkeypatch.setattr(pages, "MOST_WALKED", 4)
    monkeypatch.setattr(filters, "MOST_NAMED", 1)
    messages = [make_message(due_at=NOW + n, created_at=NOW + n, queue="q" if n % 5 == 0 else None) for n in range(10)]
    await store.add(messages, NOW)
    wanted = [messages[0].id, messages[5].id]
    which = MessageFilter(queues=("q",))
    assert ids(await unfinished(store, filter=which)) == wanted
    found = await walk(lambda cursor: store.list_log(TENANT, LogQuery(filter=which, cursor=cursor)))
    assert [entry.message.id for page in found for entry in page] == wanted[::-1]
    assert len(found) > 2
    earliest = LogQuery(filter=which, latest_first=False)
    first = await store.list_log(TENANT, earliest)
    assert ([entry.message.id for entry in first.items], first.cursor is None) == (wanted[:1], False)
    assert ids(await logged(store, filter=which)) == wanted[::-1]
    assert (await store.count_messages(TENANT, MessageQuery(filter=MessageFilter(urls=("nobody",))), NOW)).capped


async def test_few_messages_are_found_wherever_they_are(store, monkeypatch):
    monkeypatch.setattr(pages, "MOST_WALKED", 2)
    old = make_message(queue="rare", created_at=NOW - 100)
    await store.add([old, *(make_message(created_at=NOW + n) for n in range(6))], NOW)
    which = MessageFilter(queues=("rare",))
    page = await store.list_log(TENANT, LogQuery(filter=which))
    assert ([entry.message.id for entry in page.items], page.cursor) == ([old.id], None)
    assert [len(found) for found in await logged(store, filter=which)] == [1]


async def test_what_goes_wrong_is_found_past_all_else(store, monkeypatch):
    monkeypatch.setattr(pages, "MOST_WALKED", 2)
    failed = make_leased(retries=0)
    await store.add([failed], NOW)
    await store.apply([make_settlement(failed, refused())], NOW)
    await store.add([make_message(created_at=NOW + n) for n in range(6)], NOW)
    page = await store.list_log(TENANT, LogQuery(kinds=(E.FAILED,)))
    assert [entry.event.kind for entry in page.items] == [E.FAILED]


async def test_logged_messages_come_once_by_their_latest_entry(store):
    one, two = make_leased(created_at=NOW), make_leased(created_at=NOW + 1)
    await store.add([one, two], NOW)
    await store.record([make_active(one, NOW + 5)])
    (found,) = await logged(store)
    assert [summary.message.id for summary in found] == [one.id, two.id]
    assert [(s.entries, s.first_at, s.last_at, s.attempts) for s in found] == [
        (2, NOW, NOW + 5, 0),
        (1, NOW + 1, NOW + 1, 0),
    ]


async def test_logged_messages_are_those_with_an_entry_as_asked_for(store):
    failed, delivered = make_leased(retries=0), make_leased()
    await store.add([failed, delivered], NOW)
    await store.apply([make_settlement(failed, refused(500)), make_settlement(delivered, succeeded(204))], NOW)
    ((only,),) = await logged(store, kinds=(E.ERROR,))
    assert (only.message.id, only.entries, only.response_status) == (failed.id, 3, 500)
    ((only,),) = await logged(store, kinds=(E.DELIVERED,))
    assert (only.message.id, only.response_status, only.error) == (delivered.id, 204, None)
    created = await logged(store, filter=MessageFilter(time_to=NOW - 1))
    assert ids(created) == []


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_pages_of_logged_messages_neither_repeat_nor_skip(store, count):
    messages = [make_leased(created_at=NOW + n // 2) for n in range(6)]
    await store.add(messages, NOW)
    await store.record([make_active(message, NOW + 9) for message in messages[:2]])
    found = ids(await logged(store, count=count))
    assert sorted(found) == sorted(message.id for message in messages)
    assert set(found[:2]) == {message.id for message in messages[:2]}


@pytest.mark.parametrize("cursor", ["", "1", "m1", "l1-1", "d1-1", "m1-x"])
async def test_foreign_cursors_are_malformed(store, cursor):
    with pytest.raises(Malformed):
        await store.list_messages(TENANT, MessageQuery(cursor=cursor), NOW)
    with pytest.raises(Malformed):
        await store.list_logged(TENANT, LogQuery(cursor=cursor))


class TestMakingDue:
    async def test_a_message_that_waits_for_time_waits_no_more(self, store):
        message = make_message(due_at=LATER, created_at=NOW)
        await store.add([message], NOW)
        assert await store.make_due(TENANT, message.id, NOW + 5)
        assert (await get(store, message)).due_at == NOW + 5
        assert await kinds(store, message) == [E.CREATED, E.RETRY]
        (claimed,) = await store.claim_due("node_1", NOW + 5, 10)
        assert claimed.id == message.id

    async def test_one_that_is_due_already_keeps_its_place(self, store):
        message = make_message(due_at=NOW)
        await store.add([message], NOW)
        assert await store.make_due(TENANT, message.id, LATER)
        assert (await get(store, message)).due_at == NOW

    async def test_any_other_is_left_as_it_is(self, store, one_of_each):
        for progress in (Progress.ACTIVE, Progress.WAITING):
            before = await get(store, one_of_each[progress])
            assert not await store.make_due(TENANT, before.id, NOW)
            assert await get(store, before) == before
        assert not await store.make_due(TENANT, "msg_none", NOW)

    async def test_another_tenant_cannot(self, store):
        message = make_message(due_at=LATER)
        await store.add([message], NOW)
        assert not await store.make_due(OTHER_TENANT, message.id, NOW)
        assert (await get(store, message)).due_at == LATER

    async def test_a_retry_keeps_its_count(self, store, one_of_each):
        retrying = one_of_each[Progress.RETRYING]
        assert await store.make_due(TENANT, retrying.id, NOW)
        now = await get(store, retrying)
        assert (now.state, now.retried, now.due_at) == (MessageState.DUE, 1, NOW)


class TestClusters:
    @pytest.fixture
    async def letters(self, store):
        urls = ["https://a.example/x", "https://a.example/y", "https://b.example/"]
        messages = [make_leased(url=url, retries=0, labels=(url[8],)) for url in urls]
        await store.add(messages, NOW)
        for n, message in enumerate(messages):
            await store.apply([make_settlement(message, refused(500 + n // 2), ended_at=NOW + n)], NOW + n)
        return messages

    async def test_dead_letters_are_grouped_by_status_and_host(self, store, letters):
        found = await store.cluster_dead_letters(TENANT, DeadLetterQuery())
        assert [(one.response_status, one.host, one.count, one.newest_at) for one in found.clusters] == [
            (500, "a.example", 2, NOW + 1),
            (501, "b.example", 1, NOW + 2),
        ]
        assert all(one.error for one in found.clusters)
        assert found.total == Count(3)

    async def test_they_are_counted_as_filtered(self, store, letters):
        only = DeadLetterQuery(filter=MessageFilter(labels=("a",)))
        assert await store.count_dead_letters(TENANT, only) == Count(2)
        assert await store.count_dead_letters(TENANT, DeadLetterQuery(response_statuses=(501,))) == Count(1)
        assert await store.count_dead_letters(OTHER_TENANT, DeadLetterQuery()) == Count(0)

    async def test_not_all_are_looked_at_where_there_are_very_many(self, store, letters, monkeypatch):
        monkeypatch.setattr(pages, "MOST_WALKED", 2)
        assert await store.count_dead_letters(TENANT, DeadLetterQuery()) == Count(2, capped=True)
        assert (await store.cluster_dead_letters(TENANT, DeadLetterQuery())).total == Count(2, capped=True)
        page = await store.list_dead_letters(TENANT, DeadLetterQuery(filter=MessageFilter(labels=("nobody",))))
        assert (page.items, page.cursor is None) == ((), False)

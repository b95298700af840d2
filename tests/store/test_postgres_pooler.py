"""The shared store behind a pooler that gives each transaction another session."""

import asyncio
import re

import pytest
from tests.factories import (
    NOW,
    TENANT,
    make_deduplicated,
    make_keys,
    make_leased,
    make_settlement,
    make_tenant,
)
from tests.pgbouncer import PgBouncer
from tests.store.inspection import check_gates
from tests.store.postgres_databases import fresh_database, server
from tests.store.steps import get
from tests.store.turns import deliver_in_turn, keyed, queued

from outrider.domain.message import MessageState
from outrider.ports import Applied, Duplicate, Retention, Stored
from outrider.store.postgres import PostgresStore


@pytest.fixture(scope="module")
def pooler():
    # Few sessions for many connections: transactions of one are spread over several.
    running = PgBouncer(server(), {"default_pool_size": "4"})
    yield running
    running.stop()


@pytest.fixture
def url(mode):
    # The pooler keeps its sessions with a database.
    with fresh_database(mode) as made:
        yield made


@pytest.fixture
async def nodes(url, pooler):
    stores = [await PostgresStore.open(pooler.url(named(url))) for _ in range(2)]
    await stores[0].add_tenant(make_tenant(id=TENANT), make_keys())
    yield stores
    for store in stores:
        await store.close()


def test_pooler_is_known_by_its_process_ids(nodes):
    assert all(store._database.pooled for store in nodes)


async def test_lives_are_lived(nodes):
    messages = [make_leased() for _ in range(60)]

    async def live(number, message):
        store = nodes[number % 2]
        assert await store.add([message], NOW) == [Stored(message)]
        (verdict,) = await store.apply([make_settlement(message)], NOW)
        assert isinstance(verdict, Applied)

    await asyncio.gather(*(live(number, message) for number, message in enumerate(messages)))
    assert {(await get(nodes[0], message)).state for message in messages} == {MessageState.DELIVERED}
    await nodes[1].check(NOW)
    await nodes[1].purge(Retention(logs_before=0, dead_letters_before=0, now=NOW), 10)


async def test_gates_hold(nodes):
    await asyncio.gather(*(store.add(queued(5) + keyed(5, parallelism=2), NOW) for store in nodes))
    await asyncio.gather(*(store.recover(NOW, 100, dead_before=NOW) for store in nodes))
    await asyncio.gather(*(deliver_in_turn(store) for store in nodes))
    await deliver_in_turn(nodes[0])
    await check_gates(nodes[0])
    first, second = await asyncio.gather(*(store.add([make_deduplicated("k")], NOW) for store in nodes))
    assert sorted(type(receipt) is Duplicate for receipt in (*first, *second)) == [False, True]


async def test_settings_hold_in_every_transaction(nodes):
    async def ask(connection):
        return await connection.raw.fetchval("SHOW lock_timeout")

    answers = await asyncio.gather(*(store._read(ask) for store in nodes for _ in range(8)))
    assert set(answers) == {"10s"}


async def test_nobody_listens_where_words_would_not_arrive(url, raw, pooler):
    await raw.execute(f"ALTER DATABASE {named(url)} SET log_statement = 'all'")
    begin = len(server().log)
    store = await PostgresStore.open(pooler.url(named(url)))
    store.listen(lambda: pytest.fail("heard something"))
    await store.check(NOW)
    store.tell()
    await store.close()
    said = server().log[begin:]
    assert "INSERT INTO checks" in said
    assert not re.search("LISTEN|pg_notify", said)


def named(url):
    return url.rpartition("/")[2]

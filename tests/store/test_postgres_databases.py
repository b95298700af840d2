"""The databases that tests lend one another: whatever one leaves behind, the next finds nothing of it."""

import asyncpg
import pytest
from tests.factories import NOW, TENANT, make_keys, make_leased, make_settlement, make_tenant, refused
from tests.store.postgres_databases import fresh_database, lent_database

from outrider.store.postgres import PostgresStore
from outrider.store.postgres.migrations import MIGRATIONS


async def use(url):
    store = await PostgresStore.open(url)
    await store.add_tenant(make_tenant(id=TENANT), make_keys())
    messages = [make_leased(retries=0, queue="q") for _ in range(3)]
    await store.add(messages, NOW)
    await store.apply([make_settlement(messages[0], refused())], NOW)
    await store.join("node_1", NOW, NOW + 1)
    await store.check(NOW)
    await store.close()


async def test_it_is_empty_whatever_was_left_behind(mode):
    with lent_database(mode) as url:
        await use(url)
        locking = await asyncpg.connect(url)
        await locking.execute("BEGIN; DELETE FROM tenants; LOCK TABLE messages, tenants")
    with lent_database(mode) as again, fresh_database(mode) as fresh:
        assert again == url
        with pytest.raises(asyncpg.PostgresError):
            await locking.fetch("SELECT 1")
        assert await contents(again) == await contents(fresh) == {"schema_versions": len(MIGRATIONS) + 1}


async def test_it_is_not_lent_again_when_it_cannot_be_emptied(mode):
    with lent_database(mode) as url:
        raw = await asyncpg.connect(url)
        await raw.execute("DROP TABLE usage")
    with lent_database(mode) as another:
        assert another != url
        assert await contents(another) == {"schema_versions": len(MIGRATIONS) + 1}


async def contents(url):
    """How many rows there are, by table."""
    raw = await asyncpg.connect(url)
    names = await raw.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    found = {name: await raw.fetchval(f"SELECT count(*) FROM {name}") for (name,) in names}
    await raw.close()
    return {name: count for name, count in found.items() if count}

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from tests.backends import OF_STORES
from tests.factories import TENANT, make_keys, make_tenant
from tests.store.postgres_databases import lent_database

from outrider.ports import Store

OTHER_TENANT = "ten_2"


@pytest.fixture(params=OF_STORES)
async def store(request, tmp_path) -> AsyncIterator[Store]:
    """The stores that must keep the contract."""
    backend = OF_STORES[request.param]
    opened = await backend.open(tmp_path)
    try:
        for tenant in (TENANT, OTHER_TENANT):
            await opened.add_tenant(make_tenant(id=tenant), make_keys())
        yield opened
    finally:
        await opened.close()
        backend.discard(tmp_path)


@pytest.fixture(params=["full", "portable"])
def mode(request) -> str:
    """Of PostgreSQL."""
    return request.param


@pytest.fixture
def url(mode) -> Iterator[str]:
    with lent_database(mode) as lent:
        yield lent


@pytest.fixture
async def raw(url) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own to that database."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()

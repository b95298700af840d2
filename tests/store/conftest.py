"""The stores that must keep the contract. Another backend joins by one entry in BACKENDS."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.factories import TENANT, make_keys, make_tenant

from outrider.ports import Store
from outrider.store.sqlite import SqliteStore

OTHER_TENANT = "ten_2"


async def _open_file(folder: Path) -> Store:
    return await SqliteStore.open(folder / "store.db")


async def _open_memory(_: Path) -> Store:
    return await SqliteStore.open(":memory:")


BACKENDS: dict[str, Callable[[Path], Awaitable[Store]]] = {"sqlite file": _open_file, "sqlite memory": _open_memory}


@pytest.fixture(params=BACKENDS)
async def store(request, tmp_path) -> AsyncIterator[Store]:
    opened = await BACKENDS[request.param](tmp_path)
    try:
        for tenant in (TENANT, OTHER_TENANT):
            await opened.add_tenant(make_tenant(id=tenant), make_keys())
        yield opened
    finally:
        await opened.close()

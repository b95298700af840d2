from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.engine.world import DEFAULT_LIMITS, World

from outrider.domain.limits import Limits
from outrider.store.sqlite import SqliteStore


@pytest.fixture
async def make_world(tmp_path) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    stores = []

    async def make(limits: Limits = DEFAULT_LIMITS, **bounds: int) -> World:
        store = await SqliteStore.open(tmp_path / f"{len(stores)}.db")
        stores.append(store)
        world = World(store, limits, **bounds)
        await world.begin()
        worlds.append(world)
        return world

    worlds: list[World] = []
    yield make
    for world in worlds:
        await world.engine.drain(0)
    for store in stores:
        await store.close()


@pytest.fixture
async def world(make_world) -> World:
    return await make_world()

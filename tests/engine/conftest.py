from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.backends import BACKENDS, Backend
from tests.engine.world import DEFAULT_LIMITS, World

from outrider.domain.limits import Limits


@pytest.fixture(params=BACKENDS)
def backend(request) -> Backend:
    return BACKENDS[request.param]


@pytest.fixture
async def make_world(backend, tmp_path) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    worlds: list[World] = []
    stores = []
    folders = []

    async def make(limits: Limits = DEFAULT_LIMITS, **bounds: int) -> World:
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        folders.append(folder)
        store = await backend.open(folder)
        stores.append(store)

        async def another():
            stores.append(await backend.another(folder, store))
            return stores[-1]

        world = World(store, limits, another=another if backend.another else None, **bounds)
        worlds.append(world)
        await world.begin()
        return world

    yield make
    for world in worlds:
        await world.end()
    for store in stores:
        await store.close()
    for folder in folders:
        backend.discard(folder)


@pytest.fixture
async def world(make_world) -> World:
    return await make_world()

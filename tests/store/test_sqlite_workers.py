"""Several stores on one SQLite file, as workers have them: turns, and what they tell one another."""

import asyncio
import sqlite3

import pytest
from tests.factories import NOW, TENANT, make_keys, make_leased, make_message, make_settlement, make_tenant

from outrider.domain.errors import Misconfigured
from outrider.ports import Applied, EndedLeases
from outrider.store.sqlite import SqliteStore
from outrider.store.sqlite.bells import SELDOM_S, Bells
from outrider.store.sqlite.lock import ServingLock, Turns

NO_TIME_MS = 1
"""What SQLite may wait for another writer here: whoever comes without its turn is refused."""


@pytest.fixture
def bells():
    bells = Bells(3)
    yield bells
    bells.close()


@pytest.fixture
async def stores(tmp_path, bells):
    path = tmp_path / "store.db"
    opened = [
        await SqliteStore.open(path, exclusive=False, busy_timeout_ms=NO_TIME_MS, bell=bells.of(number))
        for number in range(3)
    ]
    await opened[0].add_tenant(make_tenant(id=TENANT), make_keys())
    yield opened
    for store in opened:
        await store.close()


async def test_writers_take_turns_and_none_is_ever_refused(stores):
    async def work(number, store):
        for _ in range(40):
            mine = make_leased(f"node_{number}")
            await store.add([mine], NOW)
            (verdict,) = await store.apply([make_settlement(mine)], NOW)
            assert isinstance(verdict, Applied)

    await asyncio.gather(*(work(number, store) for number, store in enumerate(stores) for _ in range(8)))


async def test_turn_ends_with_a_group_that_fails(stores):
    first, second, _ = stores

    async def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await first._write(fail)
    async with asyncio.timeout(5):
        await second.add([make_message()], NOW)


async def test_command_line_may_write_too(stores, tmp_path):
    other = await SqliteStore.open(tmp_path / "store.db", exclusive=False)
    writing = asyncio.gather(*(store.add([make_message()], NOW) for store in stores for _ in range(50)))
    await other.add_tenant(make_tenant(id="ten_9"), make_keys())
    await other.close()
    await writing


async def test_who_joins_strikes_nobody_off(stores):
    for number, store in enumerate(stores):
        assert await store.join(f"node_{number}", NOW, NOW + 1) == EndedLeases()
    assert len(await stores[0].list_nodes()) == 3


async def test_what_is_rung_is_heard_by_the_others_and_seldom(stores):
    first, second, _ = stores
    heard = asyncio.Queue()
    for number, store in enumerate(stores):
        store.listen(lambda number=number: heard.put_nowait(number))
    began = asyncio.get_running_loop().time()
    for _ in range(100):
        first.tell()
    async with asyncio.timeout(5):
        assert sorted([await heard.get() for _ in range(4)]) == [1, 1, 2, 2]
    assert asyncio.get_running_loop().time() - began >= SELDOM_S * 0.9
    assert heard.empty()
    second.tell()
    async with asyncio.timeout(5):
        assert sorted([await heard.get() for _ in range(2)]) == [0, 2]


async def test_bell_that_nobody_hears_does_not_stop_who_rings(bells):
    bell = bells.of(0)
    for _ in range(100_000):
        bell.ring()
        bell.close()
        bell._resting = None


async def test_the_one_that_holds_the_serving_lock_keeps_it_while_it_opens_and_closes(tmp_path):
    path = tmp_path / "store.db"
    lock = ServingLock(path)
    lock.acquire()
    store = await SqliteStore.open(path, lock=lock)
    await store.close()
    with pytest.raises(Misconfigured, match="another process"):
        await SqliteStore.open(path)
    lock.release()
    await (await SqliteStore.open(path)).close()


def test_turn_that_cannot_be_made_is_a_misconfiguration(tmp_path):
    with pytest.raises(Misconfigured, match="cannot open the store"):
        Turns(tmp_path / "missing" / "store.db")


async def test_worker_that_comes_alone_finds_its_turn_free(tmp_path, bells):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, exclusive=False, bell=bells.of(0))
    await store.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()

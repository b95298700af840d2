"""Databases for tests: one server a process, and databases that are lent, emptied, and lent again.

To copy a template takes some ten times as long as to empty a database, so a test borrows one:

    with lent_database("full") as url: …

It is as new but for its sequences and the days that have partitions. A test that is about these, or changes the
schema, takes a `fresh_database`.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import asyncpg
from tests.postgres_server import PostgresServer, start_server

from outrider.store.postgres import PostgresStore

T = TypeVar("T")

MOST_DAYS = 10
"""With more of them every plan takes longer than a new database would."""

_DO_S = 60.0

_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> 'schema_versions'
"""

_DAYS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"


class _Administrator:
    """Does on a thread of its own what tests ask for inside and outside of their event loops."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._connections: dict[str, Any] = {}
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DO_S)

    async def create(self, name: str, template: str) -> None:
        admin = await self._connection("postgres")
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{server()._copying}')

    async def drop(self, name: str) -> None:
        kept = self._connections.pop(name, None)
        if kept is not None:
            kept.terminate()
        admin = await self._connection("postgres")
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def empty(self, name: str) -> bool:
        """End the sessions of a database and delete all its rows; whether it may be lent again."""
        connection = await self._connection(name)
        async with asyncio.timeout(_DO_S):
            while await connection.fetchval(_END_SESSIONS):
                pass
        await connection.execute("SELECT pg_temp.empty()")
        return bool(await connection.fetchval(_DAYS) <= MOST_DAYS)

    async def _connection(self, name: str) -> Any:
        if name not in self._connections:
            connection = await asyncpg.connect(server().url(name))
            if name != "postgres":
                await _prepare_emptying(connection)
            self._connections[name] = connection
        return self._connections[name]


async def _prepare_emptying(connection: Any) -> None:
    """A function that keeps its plans, in a session that checks no foreign keys: 1 ms a call."""
    await connection.execute("SET session_replication_role = replica")
    tables = [row[0] for row in await connection.fetch(_TABLES)]
    deletions = " ".join(f"DELETE FROM {table};" for table in tables)
    await connection.execute(
        f"CREATE FUNCTION pg_temp.empty() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {deletions} END $$"
    )


_administrator = cache(_Administrator)
_numbers = itertools.count(1)
_free: dict[str, list[str]] = defaultdict(list)


@cache
def server() -> PostgresServer:
    started = start_server()
    atexit.register(started.throw_away)
    return started


@cache
def _template(mode: str) -> str:
    name = f"template_{mode}"
    url = server().create_database(name)
    _administrator().do(_migrate(url, mode))
    return name


async def _migrate(url: str, mode: str) -> None:
    await (await PostgresStore.open(url, mode=mode)).close()


def borrow(mode: str) -> str:
    """The URL of a database that is migrated and empty; to be given back."""
    return server().url(_free[mode].pop() if _free[mode] else _create(mode))


def give_back(url: str, mode: str) -> None:
    """Whatever was left in the database, and whoever is connected to it, goes."""
    name = _name(url)
    try:
        as_new = _administrator().do(_administrator().empty(name))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        as_new = False
    if as_new:
        _free[mode].append(name)
    else:
        _administrator().do(_administrator().drop(name))


@contextmanager
def lent_database(mode: str) -> Iterator[str]:
    """The URL of a database that is migrated and empty."""
    url = borrow(mode)
    try:
        yield url
    finally:
        give_back(url, mode)


@contextmanager
def fresh_database(mode: str) -> Iterator[str]:
    """The URL of a database that is migrated and was never used."""
    name = _create(mode)
    try:
        yield server().url(name)
    finally:
        _administrator().do(_administrator().drop(name))


@contextmanager
def bare_database() -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"bare_{next(_numbers)}"
    _administrator().do(_administrator().create(name, "template1"))
    try:
        yield server().url(name)
    finally:
        _administrator().do(_administrator().drop(name))


async def waits_for_a_lock(raw: Any, unless: asyncio.Future[Any] | None = None) -> None:
    """Return when a session of the database of this one waits for a lock, or that other thing is done."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(30):
        while not (unless is not None and unless.done()) and not await raw.fetchval(waiting):
            pass


def _create(mode: str) -> str:
    name = f"store_{next(_numbers)}"
    _administrator().do(_administrator().create(name, _template(mode)))
    return name


def _name(url: str) -> str:
    return url.rpartition("/")[2]

"""The databases on which stores and the engine are tested. Another joins by one entry in BACKENDS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from tests.store.postgres_databases import borrow, give_back

from outrider.ports import Store
from outrider.store.postgres import PostgresStore
from outrider.store.relational.connection import Connection
from outrider.store.sqlite import SqliteStore


def _keep_nothing(_: Path) -> None:
    pass


class Backend(NamedTuple):
    """How a test gets a store.

    Attributes:
        open: a store of its own for each folder; whoever opens a folder again finds what was stored.
        another: the way of one more node to that store; None if it serves one process alone.
        tells: whether a node hears at once what another tells.
        discard: what was stored for a folder is of no use any more; every store of it is closed.
    """

    open: Callable[[Path], Awaitable[Store]]
    another: Callable[[Path, Store], Awaitable[Store]] | None = None
    tells: bool = True
    discard: Callable[[Path], None] = _keep_nothing


class SharedSqliteStore(SqliteStore):
    """SQLite for several engines in one process: who joins strikes nobody off, and who tells is heard by all."""

    async def join(self, node: str, now: int, until: int) -> int:
        async def enter(connection: Connection) -> None:
            await connection.execute("enter_node", id=node, joined_at=now, until=until)

        await self._write(enter)
        return 0

    def listen(self, heard: Callable[[], None]) -> None:
        self._listeners = [*getattr(self, "_listeners", []), heard]

    def tell(self) -> None:
        for heard in getattr(self, "_listeners", []):
            heard()


async def _open_file(folder: Path) -> Store:
    return await SqliteStore.open(folder / "store.db")


async def _open_memory(_: Path) -> Store:
    return await SqliteStore.open(":memory:")


async def _open_shared(folder: Path) -> Store:
    return await SharedSqliteStore.open(folder / "store.db")


async def _the_same(_: Path, store: Store) -> Store:
    return store


def _postgres(mode: str, *, tells: bool) -> Backend:
    urls: dict[Path, str] = {}

    async def open_(folder: Path) -> Store:
        if folder not in urls:
            urls[folder] = borrow(mode)
        return await PostgresStore.open(urls[folder])

    async def another(folder: Path, _: Store) -> Store:
        return await open_(folder)

    def discard(folder: Path) -> None:
        if folder in urls:
            give_back(urls.pop(folder), mode)

    return Backend(open_, another, tells, discard)


SQLITE = Backend(_open_file)

BACKENDS: dict[str, Backend] = {
    "sqlite": SQLITE,
    "postgres": _postgres("full", tells=True),
    "postgres portable": _postgres("portable", tells=False),
}

OF_STORES: dict[str, Backend] = {**BACKENDS, "sqlite memory": Backend(_open_memory)}

OF_MANY_NODES: dict[str, Backend] = {
    "sqlite shared": Backend(_open_shared, _the_same),
    **{name: backend for name, backend in BACKENDS.items() if backend.another is not None},
}

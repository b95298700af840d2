"""The databases on which the engine is tested. Another joins by one entry in BACKENDS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from outrider.ports import Store
from outrider.store.relational.connection import Connection
from outrider.store.sqlite import SqliteStore


class Backend(NamedTuple):
    """How a test gets a store.

    Attributes:
        open: a store of its own for each folder.
        another: the way of one more node to that store; None if it serves one process alone.
        tells: whether a node hears at once what another tells.
    """

    open: Callable[[Path], Awaitable[Store]]
    another: Callable[[Path, Store], Awaitable[Store]] | None = None
    tells: bool = True


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


async def _open_shared(folder: Path) -> Store:
    return await SharedSqliteStore.open(folder / "store.db")


async def _the_same(_: Path, store: Store) -> Store:
    return store


BACKENDS: dict[str, Backend] = {"sqlite": Backend(_open_file)}

OF_MANY_NODES: dict[str, Backend] = {
    "sqlite shared": Backend(_open_shared, _the_same),
    **{name: backend for name, backend in BACKENDS.items() if backend.another is not None},
}

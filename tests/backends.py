"""The databases on which stores and the engine are tested. Another joins by one entry in BACKENDS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.store.postgres_databases import borrow, give_back

from outrider.ports import Store
from outrider.store.postgres import PostgresStore
from outrider.store.sqlite import SqliteStore
from outrider.store.sqlite.bells import Bells
from outrider.store.sqlite.database import Database


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


@cache
def _new_file() -> bytes:
    """A database of the newest schema; to make it takes 10 ms of CPU and a sync for each step, to write it 1 ms."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        Database(str(path), busy_timeout_ms=0, exclusive=True).open_for_writing().close()
        return path.read_bytes()


def _file(folder: Path) -> Path:
    path = folder / "store.db"
    if not path.exists():
        path.write_bytes(_new_file())
    return path


async def _open_file(folder: Path) -> Store:
    return await SqliteStore.open(_file(folder))


async def _open_memory(_: Path) -> Store:
    return await SqliteStore.open(":memory:")


def _sqlite_workers(most: int = 4) -> Backend:
    """Several stores on one file, as worker processes have them."""
    bells: dict[Path, Bells] = {}
    opened: Counter[Path] = Counter()

    async def open_(folder: Path) -> Store:
        if folder not in bells:
            bells[folder] = Bells(most)
        bell = bells[folder].of(opened[folder])
        opened[folder] += 1
        return await SqliteStore.open(_file(folder), exclusive=False, bell=bell)

    async def another(folder: Path, _: Store) -> Store:
        return await open_(folder)

    def discard(folder: Path) -> None:
        if folder in bells:
            bells.pop(folder).close()
            del opened[folder]

    return Backend(open_, another, discard=discard)


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
    "sqlite workers": _sqlite_workers(),
    **{name: backend for name, backend in BACKENDS.items() if backend.another is not None},
}

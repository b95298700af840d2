"""SqliteStore: everything in one file, one writer, readers beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from outrider.domain.instant import Instant
from outrider.domain.status import StoreSize
from outrider.store.relational.connection import Connection
from outrider.store.relational.store import RelationalStore
from outrider.store.relational.transactions import Operation, Shared
from outrider.store.sqlite.bells import Bell
from outrider.store.sqlite.database import Database
from outrider.store.sqlite.lock import ServingLock, Turns
from outrider.store.sqlite.readers import Readers
from outrider.store.sqlite.writer import Writer

A = TypeVar("A")
R = TypeVar("R")

_MIB = 1024 * 1024


class SqliteStore(RelationalStore):
    """The embedded Store. Use `await SqliteStore.open(path)`, and `close` it."""

    _kind = "sqlite"

    def __init__(
        self,
        path: str,
        writer: Writer,
        readers: Readers | None,
        *,
        lock: ServingLock | None,
        turns: Turns | None,
        bell: Bell | None,
    ) -> None:
        self._path = path
        self._writer = writer
        self._readers = readers
        self._lock = lock
        self._turns = turns
        self._bell = bell
        self._serves_alone = bell is None

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        max_pending: int = 10_000,
        max_pending_bytes: int = 256 * _MIB,
        busy_timeout_ms: int = 5_000,
        exclusive: bool = True,
        lock: ServingLock | None = None,
        bell: Bell | None = None,
    ) -> SqliteStore:
        """Open a database file, which is made if it is not there, or `:memory:`.

        Args:
            path: the file; its folder must exist.
            max_pending: most messages that may wait to be stored before `add` raises Overloaded.
            max_pending_bytes: the same for their bodies.
            busy_timeout_ms: how long to wait for another process that writes.
            exclusive: whether to be the one process that serves from this database. Without
                it, as administration beside a running server needs it, the schema is brought up
                to date only if nobody serves.
            lock: the serving lock, if the caller has it already; it stays the caller's.
            bell: of a worker: one of several processes that serve together. It is not exclusive.

        Raises Misconfigured, naming the path and the remedy, if another process serves from the
        database, if it is of a newer release, or if it cannot be opened.
        """
        database = Database(str(path), busy_timeout_ms=busy_timeout_ms, exclusive=exclusive)
        own_lock = None
        if exclusive and lock is None and not database.in_memory:
            own_lock = ServingLock(Path(path))
            own_lock.acquire()
        turns = None if exclusive or database.in_memory else Turns(Path(path))
        writer = Writer(
            database.open_for_writing,
            where=database.path,
            max_pending=max_pending,
            max_pending_bytes=max_pending_bytes,
            turns=turns,
        )
        try:
            await writer.write(_open)
        except BaseException:
            await writer.close()
            if turns is not None:
                turns.close()
            if own_lock is not None:
                own_lock.release()
            raise
        readers = None if database.in_memory else Readers(database.open_for_reading, where=database.path)
        return cls(database.path, writer, readers, lock=own_lock, turns=turns, bell=bell)

    async def close(self) -> None:
        if self._bell is not None:
            self._bell.close()
        if self._readers is not None:
            await self._readers.close()
        await self._writer.close()
        if self._turns is not None:
            self._turns.close()
            self._turns = None
        if self._lock is not None:
            self._lock.release()

    async def time(self) -> Instant | None:
        """None: there is one machine, and its clock."""
        return None

    async def size(self) -> StoreSize:
        """Of the file and its write-ahead log."""
        main = await super().size()
        return StoreSize(main.kind, main.size_bytes + _size_of(f"{self._path}-wal"))

    def listen(self, heard: Callable[[], None]) -> None:
        if self._bell is not None:
            self._bell.listen(heard)

    def tell(self) -> None:
        if self._bell is not None:
            self._bell.ring()

    def _write(self, do: Operation[R], *, rows: int = 1) -> Awaitable[R]:
        return self._writer.write(do, rows=rows)

    def _write_shared(self, kind: Shared[A, R], argument: A, *, rows: int, size: int = 0) -> Awaitable[R]:
        return self._writer.write_shared(kind, argument, rows=rows, size=size)

    def _read(self, ask: Operation[R]) -> Awaitable[R]:
        # A database in memory has one connection.
        return self._writer.write(ask, rows=0) if self._readers is None else self._readers.read(ask)

    def _check_room(self, rows: int, size: int) -> None:
        self._writer.check_room(rows, size)


def _size_of(path: str) -> int:
    """Of a file; 0 if it is not there."""
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


async def _open(_: Connection) -> None:
    """Nothing: it is enough that there was a connection to do it on."""

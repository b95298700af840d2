"""The real store on a simulated disk, in lockstep with the event loop, so that a seed always does the same.

Its threads are the real ones, but each works only while the event loop waits for it. What is asked of the writer within
a few turns of the loop becomes one group, as it does where the writer is busy.
"""

from __future__ import annotations

import threading
from pathlib import Path

from tests.power_loss.connection import Connection
from tests.power_loss.vfs import DiskVFS

from outrider.store.sqlite.database import Database
from outrider.store.sqlite.readers import Readers
from outrider.store.sqlite.store import SqliteStore
from outrider.store.sqlite.writer import Writer

GATHERING_TURNS = 5
"""For how many turns of the event loop a group is open."""

ROOM = 10_000


class SimulatedDatabase(Database):
    def __init__(self, path: Path, vfs: DiskVFS, checkpoint_pages: int) -> None:
        super().__init__(str(path), busy_timeout_ms=1000, exclusive=True)
        self._vfs = vfs
        self._checkpoint_pages = checkpoint_pages

    def _connect(self, name, *, uri=False):
        return Connection(
            name, vfs=self._vfs.name, timeout=self._busy_timeout_s, checkpoint_pages=self._checkpoint_pages
        )


class LockstepWriter(Writer):
    def __init__(self, *arguments, **named) -> None:
        self.turns = 0
        self._go = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self._gathering = False
        super().__init__(*arguments, **named)

    async def close(self) -> None:
        if not self._closing:
            self._gather()
        await super().close()

    def _enqueue(self, *arguments):
        future = super()._enqueue(*arguments)
        self._gather()
        return future

    def _gather(self, turns=GATHERING_TURNS, *, again=False) -> None:
        if self._gathering and not again:
            return
        self._gathering = bool(turns)
        if turns:
            self._loop.call_soon(lambda: self._gather(turns - 1, again=True))
            return
        while not self._queue.empty():
            self.turns += 1
            self._go.release()
            self._done.acquire()

    def _next(self):
        self._go.acquire()
        return super()._next()

    def _call_back(self, function, *arguments) -> None:
        super()._call_back(function, *arguments)
        self._done.release()


class LockstepReaders(Readers):
    def __init__(self, *arguments, **named) -> None:
        self.answers = 0
        self._answered = threading.Semaphore(0)
        super().__init__(*arguments, **named)

    def read(self, ask):
        future = super().read(ask)
        self._answered.acquire()
        self.answers += 1
        return future

    def _call_back(self, function, future, outcome) -> None:
        super()._call_back(function, future, outcome)
        self._answered.release()


class LockstepStore(SqliteStore):
    """Opened as SqliteStore is, but for the lock, which is of the operating system and no matter here."""

    @classmethod
    async def on(cls, path: Path, vfs: DiskVFS, *, checkpoint_pages: int) -> LockstepStore:
        database = SimulatedDatabase(path, vfs, checkpoint_pages)
        writer = LockstepWriter(
            database.open_for_writing, where=database.path, max_pending=ROOM, max_pending_bytes=ROOM * 1024
        )
        try:
            await writer.write(_nothing)
        except BaseException:
            await writer.close()
            raise
        readers = LockstepReaders(database.open_for_reading, where=database.path)
        return cls(database.path, writer, readers, lock=None, turns=None, bell=None)

    @property
    def progress(self) -> tuple[int, int]:
        """Grows while something is done."""
        return self._writer.turns, self._readers.answers

    async def ask(self, sql: str) -> list[tuple]:
        """Rows, as the write connection sees them."""

        async def rows(connection):
            return connection.raw.execute(sql).fetchall()

        return await self._writer.write(rows)


async def _nothing(_) -> None:
    """It is enough that there was a connection."""

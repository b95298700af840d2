"""The threads that read, each on a connection of its own: readers never wait for the writer."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from sqlite3 import Connection
from typing import Any, TypeVar

from outrider.domain.errors import StoreUnavailable
from outrider.store.relational.transactions import Operation
from outrider.store.sqlite.connection import SqliteConnection, run_now
from outrider.store.sqlite.database import Session
from outrider.store.sqlite.failures import translate

R = TypeVar("R")

Question = tuple[Operation[Any], asyncio.Future[Any]]

READERS = 2
"""Short look-ups need not wait for one long page."""


class Readers:
    """Own the read connections. `where` is the database, as errors name it."""

    def __init__(self, open_connection: Callable[[], Connection], *, where: str) -> None:
        self._open = open_connection
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Question | None] = SimpleQueue()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"store-reader-{number}", daemon=True) for number in range(READERS)
        ]
        for thread in self._threads:
            thread.start()

    def read(self, ask: Operation[R]) -> asyncio.Future[R]:
        """What `ask` returns; all its queries see one snapshot, of what was committed when it was called or later."""
        if self._closing:
            raise StoreUnavailable(f"the store at '{self._where}' is closed", code="store_closed")
        future: asyncio.Future[R] = self._loop.create_future()
        self._queue.put((ask, future))
        return future

    async def close(self) -> None:
        """Answer what was asked, then end the threads. Idempotent."""
        if not self._closing:
            self._closing = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        session = Session(self._open)
        # Opened at once: as long as one connection is open, replacing another does not rebuild the
        # index of the log from disk, which could bring back a transaction whose sync failed.
        with contextlib.suppress(sqlite3.Error):
            session.connection()
        while (question := self._queue.get()) is not None:
            ask, future = question
            try:
                answer = _ask(session.connection(), ask)
            except Exception as failure:  # noqa: BLE001 - whatever it was, somebody waits to be told
                session.recover(failure)
                self._call_back(_fail, future, translate(failure, self._where))
            else:
                self._call_back(_answer, future, answer)
        session.close()

    def _call_back(self, function: Callable[..., None], future: asyncio.Future[Any], outcome: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, future, outcome)


def _ask(connection: Connection, ask: Operation[R]) -> R:
    connection.execute("BEGIN")
    answer = run_now(ask(SqliteConnection(connection)))
    connection.execute("COMMIT")
    return answer


def _answer(future: asyncio.Future[Any], answer: object) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Any], failure: BaseException) -> None:
    if not future.done():
        future.set_exception(failure)

"""The one thread that writes, and group commit.

Whoever wants something written appends an operation to a queue and awaits its future. The
thread takes what waits, runs it all in one transaction, and only after the COMMIT has the
event loop resolve the futures: one sync to disk, and one call across threads, for the whole group.

Where several processes serve from one file, their writers take turns. A group is taken from the queue when the
turn has come, so that it has grown while another process committed.

A group that fails is rolled back and split in halves, down to single operations in
transactions of their own: one that cannot be stored harms its caller alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from typing import Any, TypeVar

from outrider.domain.errors import Overloaded, Refusal, StoreUnavailable
from outrider.store.relational.transactions import Operation, Shared
from outrider.store.sqlite.connection import SqliteConnection, run_now
from outrider.store.sqlite.database import Session
from outrider.store.sqlite.failures import harms_everybody, translate
from outrider.store.sqlite.lock import Turns

A = TypeVar("A")
R = TypeVar("R")

GROUP_ROWS = 1000
GROUP_BYTES = 16 * 1024 * 1024
"""A group is closed once it has so much: enough to amortise a sync, few enough to stay short."""

TURN = 250
"""So many callers are told in one turn of the event loop: each goes to work at once, and new requests wait for that.

It is more than a usual group has: by 25 a turn, groups fell apart, and a message cost 9 µs more of 169.
"""


class Waiting:
    """What somebody waits for, and how it went: `result` or `failure`."""

    __slots__ = ("argument", "failure", "future", "kind", "result", "rows", "size")

    def __init__(
        self, kind: Shared[Any, Any] | None, argument: Any, rows: int, size: int, future: asyncio.Future[Any]
    ) -> None:
        self.kind = kind
        self.argument = argument
        self.rows = rows
        self.size = size
        self.future = future
        self.result: Any = None
        self.failure: BaseException | None = None


class Writer:
    """Owns the write connection.

    Args:
        where: the database, as errors name it.
        max_pending, max_pending_bytes: how much may wait before new messages are refused.
        turns: taken with the writers of other processes; None if there are none.
    """

    def __init__(
        self,
        open_connection: Callable[[], Connection],
        *,
        where: str,
        max_pending: int,
        max_pending_bytes: int,
        turns: Turns | None = None,
    ) -> None:
        self._session = Session(open_connection)
        self._where = where
        self._max_rows = max_pending
        self._max_bytes = max_pending_bytes
        self._turn = contextlib.nullcontext if turns is None else turns.take
        self._pending_rows = 0
        self._pending_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._committed: deque[Waiting] = deque()
        self._closing = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    # On the event loop

    def write(self, do: Operation[R], *, rows: int = 1) -> asyncio.Future[R]:
        """What `do` returns, once it is committed. A Refusal must come before `do` has changed anything."""
        return self._enqueue(None, do, rows, 0)

    def write_shared(self, kind: Shared[A, R], argument: A, *, rows: int, size: int = 0) -> asyncio.Future[R]:
        """This caller's part of what a shared operation returns, once it is committed."""
        return self._enqueue(kind, argument, rows, size)

    def check_room(self, rows: int, size: int) -> None:
        """Raises Overloaded if so much more is too much. With nothing waiting there is always room."""
        if self._pending_rows and (
            self._pending_rows + rows > self._max_rows or self._pending_bytes + size > self._max_bytes
        ):
            raise Overloaded(
                f"{self._pending_rows} messages ({self._pending_bytes} bytes) wait to be stored, "
                f"and at most {self._max_rows} ({self._max_bytes} bytes) may",
                hint="try again in a moment",
            )

    async def close(self) -> None:
        """Commit what waits, then end the thread. Idempotent."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.shield(self._closed)
        self._thread.join()

    def _enqueue(self, kind: Shared[Any, Any] | None, argument: object, rows: int, size: int) -> asyncio.Future[Any]:
        if self._closing:
            raise StoreUnavailable(f"the store at '{self._where}' is closed", code="store_closed")
        self._pending_rows += rows
        self._pending_bytes += size
        future = self._loop.create_future()
        self._queue.put(Waiting(kind, argument, rows, size, future))
        return future

    def _tell(self, group: Sequence[Waiting]) -> None:
        """The group is committed, or has failed: who waits for it is told, who publishes before who has delivered."""
        is_telling = bool(self._committed)
        self._committed.extend(sorted(group, key=_order))
        if not is_telling:
            self._resolve()

    def _resolve(self) -> None:
        for _ in range(min(TURN, len(self._committed))):
            operation = self._committed.popleft()
            self._pending_rows -= operation.rows
            self._pending_bytes -= operation.size
            future = operation.future
            if future.done():
                continue
            if operation.failure is None:
                future.set_result(operation.result)
            else:
                future.set_exception(operation.failure)
        if self._committed:
            self._loop.call_soon(self._resolve)

    def _end(self) -> None:
        """The thread ends; so does `close` once everybody is told."""
        if self._committed:
            self._loop.call_soon(self._end)
        else:
            self._closed.set_result(None)

    # On the thread

    def _work(self) -> None:
        operation = self._next()
        while operation is not None:
            with self._turn():
                group, open_for_more = self._group_of(operation)
                self._commit(group)
            self._call_back(self._tell, group)
            operation = self._next() if open_for_more else None
        self._session.close()
        self._call_back(self._end)

    def _next(self) -> Waiting | None:
        """The first of the next group, once there is one; None at the end."""
        return self._queue.get()

    def _group_of(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """The first and what waits behind it, up to the bounds of a group; and whether more may come."""
        group: list[Waiting] = []
        rows = size = 0
        operation: Waiting | None = first
        while operation is not None:
            group.append(operation)
            rows += operation.rows
            size += operation.size
            if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                return group, True
            try:
                operation = self._queue.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _commit(self, group: Sequence[Waiting]) -> None:
        """Give every operation its result, committed, or its failure."""
        try:
            self._transact(group)
        except Exception as failure:  # noqa: BLE001 - whatever it was, somebody waits to be told
            self._session.recover(failure)
            if len(group) > 1 and not harms_everybody(failure):
                middle = len(group) // 2
                self._commit(group[:middle])
                self._commit(group[middle:])
                return
            for operation in group:
                operation.failure = translate(failure, self._where)

    def _transact(self, group: Sequence[Waiting]) -> None:
        raw = self._session.connection()
        connection = SqliteConnection(raw)
        raw.execute("BEGIN IMMEDIATE")
        for kind, operations in _in_order(group):
            if kind is None:
                _run_each(connection, operations)
            else:
                results = run_now(kind.run(connection, [operation.argument for operation in operations]))
                for operation, result in zip(operations, results, strict=True):
                    _give(operation, result)
        raw.execute("COMMIT")

    def _call_back(self, function: Callable[..., object], *arguments: object) -> None:
        # A loop that was closed without closing the store has nobody left who waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)


def _give(operation: Waiting, result: object) -> None:
    operation.result, operation.failure = (None, result) if isinstance(result, Refusal) else (result, None)


def _in_order(group: Sequence[Waiting]) -> Iterator[tuple[Shared[Any, Any] | None, list[Waiting]]]:
    """Shared operations that wait side by side, brought together by kind; the others where they stand."""
    for shared, neighbours in groupby(group, key=lambda operation: operation.kind is not None):
        if not shared:
            yield None, list(neighbours)
            continue
        by_order = sorted(neighbours, key=_order)
        for _, alike in groupby(by_order, key=_order):
            operations = list(alike)
            yield operations[0].kind, operations


def _order(operation: Waiting) -> int:
    return 0 if operation.kind is None else operation.kind.order


def _run_each(connection: SqliteConnection, operations: Sequence[Waiting]) -> None:
    for operation in operations:
        operation.failure = None
        try:
            operation.result = run_now(operation.argument(connection))
        except Refusal as refusal:
            operation.failure = refusal

"""Group commit over a few connections.

Whoever wants something written that is shared by many callers waits in a row for its kind. A lane that is free takes
what waits of the kind that has waited longest, and runs it in one transaction; the others' transactions go on
meanwhile. So the cost of a COMMIT is shared, and the server syncs several at once.

A group that fails is split in halves, down to single operations: one that cannot be stored harms its caller alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, TypeVar

from outrider.domain.errors import Overloaded, StoreUnavailable
from outrider.store.postgres.failures import harms_everybody
from outrider.store.postgres.pool import Pool
from outrider.store.postgres.transactions import Transactions
from outrider.store.relational.connection import Connection
from outrider.store.relational.transactions import Operation, Shared

A = TypeVar("A")
R = TypeVar("R")

GROUP_ROWS = 1000
GROUP_BYTES = 16 * 1024 * 1024
"""A group is closed once it has so much: enough to amortise a commit, few enough to stay short."""


class Waiting:
    """What somebody waits for."""

    __slots__ = ("argument", "future", "number", "over", "rows", "size")

    def __init__(self, argument: Any, rows: int, size: int, number: int, future: asyncio.Future[Any]) -> None:
        self.argument = argument
        self.rows = rows
        self.size = size
        self.number = number
        self.future = future
        self.over = False


class Lanes:
    """Takes what is written, and bounds how much may wait.

    Args:
        lanes: the sessions of those that commit groups, one each.
        others: the sessions of all other operations.
        where: the database, as errors name it.
        max_pending, max_pending_bytes: how much may wait before new messages are refused.
    """

    def __init__(
        self,
        transactions: Transactions,
        lanes: Pool,
        count: int,
        *,
        where: str,
        max_pending: int,
        max_pending_bytes: int,
    ) -> None:
        self._transactions = transactions
        self._pool = lanes
        self._where = where
        self._max_rows = max_pending
        self._max_bytes = max_pending_bytes
        self._pending_rows = 0
        self._pending_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Shared[Any, Any], deque[Waiting]] = {}
        self._number = 0
        self._closing = False
        self._given_up: dict[Waiting, asyncio.Future[None]] = {}
        self._free = count
        self._running: set[asyncio.Task[Any]] = set()

    def write(self, pool: Pool, do: Operation[R], *, rows: int = 1) -> asyncio.Future[R]:
        """What `do` returns, once it is committed, in a transaction of its own."""
        self._check_open()
        self._pending_rows += rows
        task = self._start(self._write_alone(pool, do, rows))
        # Whoever waits may go away; the transaction is carried to its end.
        return asyncio.shield(task)

    async def write_shared(self, kind: Shared[A, R], argument: A, *, rows: int, size: int = 0) -> R:
        """This caller's part of what a shared operation returns, once it is committed.

        A caller that goes away before does not undo it: who writes something else afterwards finds it done.
        """
        self._check_open()
        self._pending_rows += rows
        self._pending_bytes += size
        self._number += 1
        future: asyncio.Future[R] = self._loop.create_future()
        operation = Waiting(argument, rows, size, self._number, future)
        self._waiting.setdefault(kind, deque()).append(operation)
        if self._free:
            self._free -= 1
            self._start(self._work())
        try:
            return await future
        except asyncio.CancelledError:
            self._give_up(operation)
            raise

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

    def check_open(self) -> None:
        """Raises StoreUnavailable once the store is closed."""
        self._check_open()

    async def close(self) -> None:
        """Commit what waits. Idempotent."""
        self._closing = True
        while self._running:
            await asyncio.wait(self._running)

    def _check_open(self) -> None:
        if self._closing:
            raise StoreUnavailable(f"the store at '{self._where}' is closed", code="store_closed")

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _give_up(self, operation: Waiting) -> None:
        """Nobody waits for the operation any more; what is written alone from now on waits for its end."""
        if not operation.over:
            self._given_up[operation] = self._loop.create_future()

    async def _write_alone(self, pool: Pool, do: Operation[R], rows: int) -> R:
        try:
            if self._given_up:
                await asyncio.wait(self._given_up.values())
            return await self._transactions.write(pool, do)
        except Exception as failure:
            told = self._transactions.told(failure)
            if told is failure:
                raise
            raise told from failure
        finally:
            self._pending_rows -= rows

    # A lane

    async def _work(self) -> None:
        """Until nothing waits."""
        try:
            while True:
                # Whoever is about to ask for something in this turn of the loop joins the group.
                await asyncio.sleep(0)
                taken = self._next_group()
                if taken is None:
                    return
                await self._commit(*taken)
        finally:
            self._free += 1

    def _next_group(self) -> tuple[Shared[Any, Any], list[Waiting]] | None:
        """What has waited longest, and others of its kind up to the bounds of a group."""
        kind = min(self._waiting, key=lambda kind: self._waiting[kind][0].number, default=None)
        if kind is None:
            return None
        waiting = self._waiting[kind]
        group: list[Waiting] = []
        rows = size = 0
        while waiting and rows < GROUP_ROWS and size < GROUP_BYTES:
            operation = waiting.popleft()
            group.append(operation)
            rows += operation.rows
            size += operation.size
        if not waiting:
            del self._waiting[kind]
        return kind, group

    async def _commit(self, kind: Shared[Any, Any], group: Sequence[Waiting]) -> None:
        """Give every operation its result, committed, or its failure."""
        arguments = [operation.argument for operation in group]

        async def run(connection: Connection) -> Sequence[Any]:
            return await kind.run(connection, arguments)

        try:
            results = await self._transactions.write(self._pool, run)
        except Exception as failure:  # noqa: BLE001 - whatever it was, somebody waits to be told
            if len(group) > 1 and not harms_everybody(failure):
                middle = len(group) // 2
                await self._commit(kind, group[:middle])
                await self._commit(kind, group[middle:])
                return
            told = self._transactions.told(failure)
            results = [told] * len(group)
        for operation, result in zip(group, results, strict=True):
            self._resolve(operation, result)

    def _resolve(self, operation: Waiting, result: Any) -> None:
        self._pending_rows -= operation.rows
        self._pending_bytes -= operation.size
        operation.over = True
        if operation in self._given_up:
            self._given_up.pop(operation).set_result(None)
        if operation.future.done():
            return
        if isinstance(result, BaseException):
            operation.future.set_exception(result)
        else:
            operation.future.set_result(result)

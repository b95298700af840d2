"""The store as one node has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.simulation.database import Database, Wanted
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process

from outrider.domain.errors import Overloaded
from outrider.domain.instant import Instant
from outrider.ports import EndedLeases
from outrider.store.relational import nodes
from outrider.store.relational.store import RelationalStore
from outrider.store.relational.transactions import Operation, Shared
from outrider.store.sqlite.connection import SqliteConnection
from outrider.testing import DEFAULT_START


class _Among(SqliteConnection):
    """A connection of one of several nodes."""

    alone = False


class NodeStore(RelationalStore):
    """A Store whose operations go to the simulated database; they are the real ones.

    Args:
        others: calls the listeners of the other nodes; None where there can be none.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        database: Database,
        process: Process,
        *,
        max_pending: int,
        others: Callable[[], None] | None,
    ) -> None:
        self._loop = loop
        self._database = database
        self._process = process
        self._max_pending = max_pending
        self._others = others
        self._lanes = database.lanes()
        self._pending = 0
        self.heard: Callable[[], None] = lambda: None

    async def join(self, node: str, now: Instant, until: Instant) -> EndedLeases:
        if self._others is None:
            return await super().join(node, now, until)
        return await self._write(lambda connection: nodes.join(_Among(connection.raw), node, now, until))

    async def time(self) -> Instant | None:
        if self._others is None:
            return None

        async def ask(_) -> Instant:
            return DEFAULT_START + self._loop.ms

        return await self._read(ask)

    def listen(self, heard: Callable[[], None]) -> None:
        self.heard = heard

    def tell(self) -> None:
        if self._others is not None and not self._process.is_dead:
            self._others()

    async def close(self) -> None:
        pass

    # What a driver does

    async def _write(self, do: Operation[Any], *, rows: int = 1) -> Any:
        return await self._send(None, do, rows)

    async def _write_shared(self, kind: Shared[Any, Any], argument: Any, *, rows: int, size: int = 0) -> Any:
        return await self._send(kind, argument, rows)

    async def _read(self, ask: Operation[Any]) -> Any:
        await self._process.cross()
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._database.read(self._process, ask, answer)
        try:
            return await answer
        finally:
            await self._process.cross()

    def _check_room(self, rows: int, size: int) -> None:
        if self._pending and self._pending + rows > self._max_pending:
            raise Overloaded(f"{self._pending} messages wait to be stored")

    async def _send(self, kind: Shared[Any, Any] | None, argument: Any, rows: int) -> Any:
        await self._process.cross()
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._pending += rows
        answer.add_done_callback(lambda _: self._settled(rows))
        self._database.write(self._process, self._lanes, Wanted(kind, argument, answer, rows))
        try:
            return await answer
        finally:
            await self._process.cross()

    def _settled(self, rows: int) -> None:
        self._pending -= rows

"""PostgresStore: one database, many nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from outrider.domain.audit import AuditEntry
from outrider.domain.errors import Misconfigured
from outrider.domain.instant import DAY_MS, Instant
from outrider.ports import EndedLeases, Retention
from outrider.store.postgres.database import Database
from outrider.store.postgres.lanes import Lanes
from outrider.store.postgres.migrations import Mode
from outrider.store.postgres.notifier import Notifier
from outrider.store.postgres.partitions import Partitions
from outrider.store.postgres.pool import Pool
from outrider.store.postgres.transactions import Transactions
from outrider.store.relational import nodes, upkeep
from outrider.store.relational.connection import Connection
from outrider.store.relational.store import RelationalStore
from outrider.store.relational.transactions import Operation, Shared

A = TypeVar("A")
R = TypeVar("R")

_MIB = 1024 * 1024

LANES = 3
"""Groups that are committed at the same time."""

FEWEST_CONNECTIONS = 3


class PostgresStore(RelationalStore):
    """The Store that nodes share. Use `await PostgresStore.open(url)`, and `close` it."""

    _kind = "postgresql"

    def __init__(self, database: Database, *, connections: int, max_pending: int, max_pending_bytes: int) -> None:
        lanes = min(LANES, connections // 2)
        self._database = database
        self._partitions = Partitions(database)
        self._transactions = Transactions(database, self._partitions)
        self._lane_pool = Pool(database, lanes)
        self._pool = Pool(database, connections - lanes)
        # One stays free of readers, who may take long.
        self._readers = asyncio.Semaphore(connections - lanes - 1)
        self._notifier = Notifier(self._transactions, self._pool)
        speaks = database.mode is Mode.FULL and not database.pooled
        self._control = Pool(database, 1, self._notifier.prepare if speaks else None)
        self._lanes = Lanes(
            self._transactions,
            self._lane_pool,
            lanes,
            where=database.where,
            max_pending=max_pending,
            max_pending_bytes=max_pending_bytes,
        )
        self._speaking = asyncio.create_task(self._notifier.run(self._control)) if speaks else None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        mode: str = "auto",
        connections: int = 10,
        max_pending: int = 10_000,
        max_pending_bytes: int = 256 * _MIB,
        migrate: bool = True,
    ) -> PostgresStore:
        """Open a database.

        Args:
            url: `postgresql://user:password@host:port/name`, several hosts by commas.
            mode: full, portable, or auto: what the schema says, or what suits the server.
            connections: most that are open for messages; one more is for the node itself.
            max_pending: most messages that may wait to be stored before `add` raises Overloaded.
            max_pending_bytes: the same for their bodies.
            migrate: whether the schema is brought up to date.

        Raises Misconfigured, naming the database and the remedy, if it cannot be used.
        """
        if connections < FEWEST_CONNECTIONS:
            raise Misconfigured(
                f"database_connections is {connections}, and at least {FEWEST_CONNECTIONS} are needed",
                code="database_connections_too_few",
            )
        database = Database(url)
        await database.open(None if mode == "auto" else Mode(mode), migrate=migrate)
        return cls(database, connections=connections, max_pending=max_pending, max_pending_bytes=max_pending_bytes)

    async def close(self) -> None:
        await self._lanes.close()
        if self._speaking is not None:
            self._speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._speaking
            self._speaking = None
        for pool in (self._lane_pool, self._pool, self._control):
            await pool.close()

    # Nodes

    async def join(self, node: str, now: Instant, until: Instant) -> EndedLeases:
        return await self._write_apart(lambda connection: nodes.join(connection, node, now, until))

    async def beat(self, node: str, now: Instant, until: Instant) -> bool:  # noqa: ARG002 - the port's
        return await self._write_apart(lambda connection: nodes.beat(connection, node, until))

    async def time(self) -> Instant | None:
        async def ask(connection: Connection) -> Instant:
            return await connection.count("clock")

        return await self._read_from(self._control, ask)

    def listen(self, heard: Callable[[], None]) -> None:
        self._notifier.listen(heard)

    def tell(self) -> None:
        if self._speaking is not None:
            self._notifier.tell()

    # Tenants

    async def remove_tenant(self, tenant_id: str, audit: AuditEntry | None = None) -> None:
        await self._write_audited(audit, lambda connection: self._remove_tenant(connection, tenant_id))

        async def forget(connection: Connection) -> None:
            await connection.execute("delete_history", id=tenant_id)

        await self._write(forget)

    async def _remove_tenant(self, connection: Connection, tenant_id: str) -> None:
        await connection.lock_tenants([tenant_id])
        if self._database.mode is Mode.FULL:
            await connection.execute("stop_additions")
        await connection.execute("delete_tenant", id=tenant_id)

    # Upkeep

    async def check(self, now: Instant) -> None:
        """On the node's own connection: that all others are busy is no sign of a database that fails."""
        await self._write_apart(lambda connection: upkeep.check(connection, now))

    async def purge(self, retention: Retention, limit: int) -> int:
        """Remove up to `limit` rows and the days that outlived their retention, how many of both."""
        await self._write(_purge_lanes)
        if self._database.mode is Mode.PORTABLE:
            return await super().purge(retention, limit)
        ahead = (retention.now, retention.now + DAY_MS)
        with self._telling():
            await self._partitions.make(at for at in ahead if at >= retention.logs_before)
            dropped = await self._partitions.drop(retention.logs_before, limit)
        left = limit - dropped
        return dropped + await self._write(lambda connection: upkeep.purge_beside_log(connection, retention, left))

    # How operations get transactions

    def _write(self, do: Operation[R], *, rows: int = 1) -> Awaitable[R]:
        return self._lanes.write(self._pool, do, rows=rows)

    def _write_apart(self, do: Operation[R]) -> Awaitable[R]:
        return self._lanes.write(self._control, do, rows=0)

    def _write_shared(self, kind: Shared[A, R], argument: A, *, rows: int, size: int = 0) -> Awaitable[R]:
        return self._lanes.write_shared(kind, argument, rows=rows, size=size)

    async def _read(self, ask: Operation[R]) -> R:
        self._lanes.check_open()
        async with self._readers:
            return await self._read_from(self._pool, ask)

    async def _read_from(self, pool: Pool, ask: Operation[R]) -> R:
        self._lanes.check_open()
        with self._telling():
            return await self._transactions.read(pool, ask)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What fails in here is raised as callers are told of it."""
        try:
            yield
        except Exception as failure:
            told = self._transactions.told(failure)
            if told is failure:
                raise
            raise told from failure

    def _check_room(self, rows: int, size: int) -> None:
        self._lanes.check_room(rows, size)


async def _purge_lanes(connection: Connection) -> None:
    await connection.execute("purge_lanes")

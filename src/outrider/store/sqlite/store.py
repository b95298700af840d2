"""SqliteStore: everything in one file, one writer, readers beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from outrider.domain.event import Event
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter, Page
from outrider.domain.settlement import Settlement
from outrider.domain.tenant import SigningKeys, Tenant, Token
from outrider.ports import Cancellation, LogEntry, Receipt, Retention, Verdict
from outrider.store.sqlite import cancellations, dead_letters, log, messages, settlements, tenants, upkeep
from outrider.store.sqlite.database import Database
from outrider.store.sqlite.lock import ServingLock
from outrider.store.sqlite.readers import Readers
from outrider.store.sqlite.writer import Shared, Writer

R = TypeVar("R")

_MIB = 1024 * 1024

_ADD = Shared[messages.Batch, list[Receipt]](1, messages.add)
_RECORD = Shared[Sequence[Event], None](2, log.record)
_APPLY = Shared[settlements.Batch, list[Verdict]](3, settlements.apply)


class SqliteStore:
    """The embedded Store. Use `await SqliteStore.open(path)`, and `close` it."""

    def __init__(self, writer: Writer, readers: Readers | None, lock: ServingLock | None) -> None:
        self._writer = writer
        self._readers = readers
        self._lock = lock

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        max_pending: int = 10_000,
        max_pending_bytes: int = 256 * _MIB,
        busy_timeout_ms: int = 5_000,
        exclusive: bool = True,
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

        Raises Misconfigured, naming the path and the remedy, if another process serves from the
        database, if it is of a newer release, or if it cannot be opened.
        """
        database = Database(str(path), busy_timeout_ms=busy_timeout_ms, exclusive=exclusive)
        lock = None
        if exclusive and not database.in_memory:
            lock = ServingLock(Path(path))
            lock.acquire()
        writer = Writer(
            database.open_for_writing,
            where=database.path,
            max_pending=max_pending,
            max_pending_bytes=max_pending_bytes,
        )
        try:
            await writer.write(_open)
        except BaseException:
            await writer.close()
            if lock is not None:
                lock.release()
            raise
        readers = None if database.in_memory else Readers(database.open_for_reading, where=database.path)
        return cls(writer, readers, lock)

    async def close(self) -> None:
        if self._readers is not None:
            await self._readers.close()
        await self._writer.close()
        if self._lock is not None:
            self._lock.release()

    def _read(self, ask: Callable[[Connection], R]) -> asyncio.Future[R]:
        # A database in memory has one connection.
        return self._writer.write(ask, rows=0) if self._readers is None else self._readers.read(ask)

    # Messages

    async def add(self, messages: Sequence[Message], now: Instant) -> list[Receipt]:
        size = sum(len(message.body) for message in messages)
        self._writer.check_room(len(messages), size)
        return await self._writer.write_shared(_ADD, (messages, now), rows=len(messages), size=size)

    async def claim_due(
        self, node: str, now: Instant, limit: int, excluding_hosts: frozenset[str] = frozenset()
    ) -> list[Message]:
        return await self._writer.write(
            lambda connection: messages.claim_due(connection, node, now, limit, excluding_hosts)
        )

    async def next_due_at(self, excluding_hosts: frozenset[str] = frozenset()) -> Instant | None:
        return await self._read(lambda connection: messages.next_due_at(connection, excluding_hosts))

    async def apply(self, settlements: Sequence[Settlement], now: Instant) -> list[Verdict]:
        size = sum(len(message.body) for settlement in settlements for message in settlement.follow_ups)
        return await self._writer.write_shared(_APPLY, (settlements, now), rows=len(settlements), size=size)

    async def give_back(self, node: str, message_ids: Sequence[str], now: Instant) -> None:
        await self._writer.write(lambda connection: messages.give_back(connection, node, message_ids, now))

    async def void_leases(self, now: Instant) -> int:
        return await self._writer.write(lambda connection: messages.void_leases(connection, now))

    async def get_message(self, tenant: str, message_id: str) -> Message | None:
        return await self._read(lambda connection: messages.get_message(connection, tenant, message_id))

    async def cancel(self, tenant: str, which: MessageFilter, now: Instant, limit: int) -> Cancellation:
        return await self._writer.write(lambda connection: cancellations.cancel(connection, tenant, which, now, limit))

    # The log

    async def record(self, events: Sequence[Event]) -> None:
        await self._writer.write_shared(_RECORD, events, rows=len(events))

    async def list_log(self, tenant: str, query: LogQuery) -> Page[LogEntry]:
        after = log.read_cursor(query.cursor)
        return await self._read(lambda connection: log.list_log(connection, tenant, query, after))

    # Dead letters

    async def list_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Page[DeadLetter]:
        after = dead_letters.read_cursor(query.cursor)
        return await self._read(lambda connection: dead_letters.list_dead_letters(connection, tenant, query, after))

    async def get_dead_letter(self, tenant: str, dead_letter_id: str) -> DeadLetter | None:
        return await self._read(lambda connection: dead_letters.get_dead_letter(connection, tenant, dead_letter_id))

    async def delete_dead_letters(self, tenant: str, dead_letter_ids: Sequence[str]) -> int:
        return await self._writer.write(
            lambda connection: dead_letters.delete_dead_letters(connection, tenant, dead_letter_ids)
        )

    async def retry_dead_letters(
        self, tenant: str, retries: Sequence[tuple[str, Message]], now: Instant
    ) -> list[Receipt]:
        self._writer.check_room(len(retries), sum(len(message.body) for _, message in retries))
        return await self._writer.write(
            lambda connection: dead_letters.retry_dead_letters(connection, tenant, retries, now), rows=len(retries)
        )

    # Tenants

    async def add_tenant(self, tenant: Tenant, keys: SigningKeys) -> None:
        await self._writer.write(lambda connection: tenants.add_tenant(connection, tenant, keys))

    async def remove_tenant(self, tenant_id: str) -> None:
        await self._writer.write(lambda connection: tenants.remove_tenant(connection, tenant_id))

    async def list_tenants(self) -> list[Tenant]:
        return await self._read(tenants.list_tenants)

    async def add_token(self, token: Token) -> None:
        await self._writer.write(lambda connection: tenants.add_token(connection, token))

    async def list_tokens(self, tenant_id: str) -> list[Token]:
        return await self._read(lambda connection: tenants.list_tokens(connection, tenant_id))

    async def revoke_token(self, tenant_id: str, token_id: str) -> bool:
        return await self._writer.write(lambda connection: tenants.revoke_token(connection, tenant_id, token_id))

    async def find_token(self, token_hash: str) -> Token | None:
        return await self._read(lambda connection: tenants.find_token(connection, token_hash))

    async def get_keys(self, tenant_id: str) -> SigningKeys | None:
        return await self._read(lambda connection: tenants.get_keys(connection, tenant_id))

    async def set_keys(self, tenant_id: str, keys: SigningKeys) -> None:
        await self._writer.write(lambda connection: tenants.set_keys(connection, tenant_id, keys))

    async def rotate_keys(self, tenant_id: str, fresh: str) -> SigningKeys | None:
        return await self._writer.write(lambda connection: tenants.rotate_keys(connection, tenant_id, fresh))

    # Upkeep

    async def check(self, now: Instant) -> None:
        await self._writer.write(lambda connection: upkeep.check(connection, now))

    async def purge(self, retention: Retention, limit: int) -> int:
        return await self._writer.write(lambda connection: upkeep.purge(connection, retention, limit))


def _open(_: Connection) -> None:
    """Nothing: it is enough that there was a connection to do it on."""

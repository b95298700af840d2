"""One connection, and the transactions that are run on it one after another."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence

import asyncpg

from outrider.store.postgres.connection import PostgresConnection
from outrider.store.postgres.failures import FAILURES
from outrider.store.postgres.migrations import Mode, Raw

USAGE_LANES = 64


class Session:
    """A connection with a lane: a row that carries the number of its latest committed transaction, the token.

    Attributes:
        generation: of the pool that opened it, at that time.
        committing: whether a COMMIT was sent that was not answered.
    """

    def __init__(self, raw: Raw, lane: str, *, pooled: bool, mode: Mode, settings: Sequence[tuple[str, str]]) -> None:
        self.raw = raw
        self.lane = lane
        self.token = 0
        self.generation = 0
        self.committing = False
        self._pooled = pooled
        self._settings = settings
        self._usage_lane = zlib.crc32(lane.encode()) % USAGE_LANES
        # Behind a pooler the next transaction may be in another session.
        local = "".join(f"SET LOCAL {name} = '{value}'; " for name, value in settings) if pooled else ""
        level = "READ COMMITTED" if mode is Mode.FULL else "SERIALIZABLE"
        self._begin_write = f"BEGIN ISOLATION LEVEL {level} READ WRITE; {local}"
        self._begin_read = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {local}"

    async def prepare(self) -> None:
        """Make the session's settings."""
        if self._settings and not self._pooled:
            await self.raw.execute("; ".join(f"SET {name} = '{value}'" for name, value in self._settings))

    async def begin_write(self) -> PostgresConnection:
        """A transaction that is known by its token. One round trip: nothing in it comes from outside."""
        self.token += 1
        mark = f"UPDATE lanes SET token = {self.token}, used_at = now() WHERE id = '{self.lane}'"  # noqa: S608
        if await self.raw.execute(self._begin_write + mark) == "UPDATE 0":
            await self.raw.execute(
                f"INSERT INTO lanes (id, token, used_at) VALUES ('{self.lane}', {self.token}, now())"  # noqa: S608
            )
        return PostgresConnection(self.raw, self._usage_lane)

    async def begin_read(self) -> PostgresConnection:
        """A transaction that sees one snapshot, and changes nothing."""
        await self.raw.execute(self._begin_read)
        return PostgresConnection(self.raw, self._usage_lane)

    async def commit(self) -> None:
        self.committing = True
        status = await self.raw.execute("COMMIT")
        self.committing = False
        if status != "COMMIT":
            raise RuntimeError(f"a transaction was to be committed, and the server said {status}")

    async def rollback(self) -> None:
        """Raises what shows that the connection is lost."""
        self.committing = False
        if self.raw.is_in_transaction():
            await self.raw.execute("ROLLBACK")

    @property
    def is_lost(self) -> bool:
        return self.raw.is_closed()

    def drop(self) -> None:
        """Give the connection up, whatever it is doing."""
        with contextlib.suppress(asyncpg.InterfaceError):
            self.raw.terminate()

    async def close(self) -> None:
        try:
            await self.raw.close(timeout=2)
        except FAILURES:
            self.drop()

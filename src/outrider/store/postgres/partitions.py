"""The partitions of UTC days: made when the first row of a day needs one, or before; dropped whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import asyncpg

from outrider.domain.instant import DAY_MS, Instant
from outrider.store.postgres.database import Database
from outrider.store.postgres.migrations import Raw
from outrider.store.postgres.queries import SQL

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
"""Making and dropping need a lock that everybody else waits behind."""

_TRIES = 5


class Partitions:
    """Those of one database, which other nodes make and drop as well."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._making = asyncio.Lock()

    async def make(self, instants: Iterable[Instant]) -> None:
        """There are partitions of these days. Raises StoreUnavailable, and what PostgreSQL raises."""
        async with self._making:
            raw = await self._database.connect()
            try:
                await make_days(raw, instants)
            finally:
                raw.terminate()

    async def drop(self, before: Instant, limit: int) -> int:
        """Drop up to `limit` days that ended before then, the earliest first; how many."""
        async with self._making:
            raw = await self._database.connect()
            try:
                over = [day for day in sorted(await _days(raw)) if (day + 1) * DAY_MS <= before][:limit]
                for day in over:
                    await _in_turn(raw, _filled("drop_day", day))
            finally:
                raw.terminate()
        return len(over)


async def make_days(raw: Raw, instants: Iterable[Instant]) -> None:
    """There are partitions of these days. For a connection that is in no transaction."""
    days = {at // DAY_MS for at in instants}
    for day in sorted(days - await _days(raw)):
        await _in_turn(raw, _filled("make_day", day))


def _filled(query: str, day: int) -> str:
    name = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y%m%d")
    return SQL[query].format(day=name, begin=day * DAY_MS, end=(day + 1) * DAY_MS)


async def _days(raw: Raw) -> set[int]:
    async with raw.transaction():
        names = [row[0] for row in await raw.fetch(SQL["list_days"])]
    return {int(datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC).timestamp()) // 86_400 for name in names}


async def _in_turn(raw: Raw, statements: str) -> None:
    """Run in a transaction of its own, while nobody else does such a thing."""
    for left in reversed(range(_TRIES)):
        try:
            async with raw.transaction():
                await raw.execute(_LOCK_TIMEOUT)
                await raw.execute(SQL["lock_partitions"])
                await raw.execute(statements)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if not left:
                raise
        else:
            return

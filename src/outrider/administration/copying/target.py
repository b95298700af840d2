"""Where a copy goes to: a database of PostgreSQL that was empty before."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from msgspec import Struct

from outrider.administration.copying.digest import Digest
from outrider.administration.copying.source import Batch, key_text
from outrider.administration.copying.tables import TABLES, Table
from outrider.administration.postgres import PATIENCE_S, SQL, PostgresDatabase
from outrider.database_url import PostgresUrl
from outrider.domain.errors import Misconfigured
from outrider.domain.instant import DAY_MS
from outrider.settings import Mode
from outrider.storage import COPYING, USE
from outrider.store.postgres import migrations
from outrider.store.postgres.partitions import make_days

FETCHED_ROWS = 64
"""At once when the copy is read again: of the largest bodies, as much as is bearable."""


class Progress(Struct, frozen=True):
    """How far a table is.

    Attributes:
        last_key: of the rows that are there.
        changed: texts that are not as they were.
    """

    last_key: str
    digest: Digest
    changed: int
    finished: bool


class PostgresTarget:
    """The database, its schema brought up to date by whoever opened the store in it before."""

    def __init__(self, connection: migrations.Raw, url: PostgresUrl, *, is_partitioned: bool) -> None:
        self._connection = connection
        self._url = url
        self._is_partitioned = is_partitioned
        self._days: set[int] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, url: PostgresUrl) -> AsyncIterator[Self]:
        """Raises StoreUnavailable if it cannot be reached or is lost."""
        async with PostgresDatabase(url).connected() as raw:
            yield cls(raw, url, is_partitioned=await migrations.mode_of(raw) is migrations.Mode.FULL)

    async def begin(self, source: str) -> Mapping[str, Progress]:
        """Take the database for the copy of a source, or go on with it; how far each table is.

        Raises Misconfigured if it is used, or another source is being copied to it.
        """
        async with self._connection.transaction():
            await self._connection.execute(SQL["create_copies"])
            await self._connection.execute(SQL["claim_for_copy"], USE, COPYING)
            use = await self._connection.fetchval(SQL["get_fact"], USE)
            for table in TABLES:
                await self._connection.execute(
                    SQL["begin_table"], table.name, source, key_text(table.first_key), Digest().hex
                )
            progress = await self._progress(source)
            if all(one.finished for one in progress.values()):
                return progress
            if use != COPYING:
                raise self._used(f"`outrider {use}` has used it")
            for table in TABLES:
                if not progress[table.name].digest.rows and await self._has_rows(table):
                    raise self._used(f"the table {table.name} has rows")
        return progress

    async def write(self, table: Table, source: str, batch: Batch, before: Progress) -> Progress:
        """Store a batch and that it is stored, in one transaction."""
        after = Progress(
            key_text(table.key_of(batch.rows[-1])),
            batch.digested(table, before.digest),
            before.changed + batch.changed,
            finished=False,
        )
        await self._make_days(table, batch)
        async with self._connection.transaction():
            advanced = await self._connection.execute(
                SQL["advance"],
                table.name,
                source,
                before.last_key,
                after.last_key,
                after.digest.rows,
                after.digest.hex,
                after.changed,
            )
            if advanced != "UPDATE 1":
                raise Misconfigured(f"another process copies to the database {self._url}", hint="let it finish")
            await self._connection.copy_records_to_table(
                table.name, columns=table.columns, records=map(table.record, batch.rows)
            )
        return after

    async def digest(self, table: Table) -> Digest:
        """Of all rows that are there, read again."""
        digest = Digest()
        async for rows in self._fetch(table):
            digest = digest.with_rows(map(table.comparable, rows))
        return digest

    async def finish(self, source: str, use: Mode, counted: Mapping[str, int]) -> None:
        """Have the numbers go on, and release the database to those who serve from it.

        Args:
            source: what was copied.
            use: for whom.
            counted: by table, the highest number that its source ever gave.
        """
        for table in TABLES:
            if table.sequence is not None and counted[table.name]:
                await self._connection.execute(f"SELECT setval({table.sequence}, $1)", counted[table.name])
        for table in TABLES:
            await self._connection.execute(f"ANALYZE {table.name}", timeout=PATIENCE_S)
        async with self._connection.transaction():
            await self._connection.execute(SQL["finish"], source)
            await self._connection.execute(SQL["release"], USE, COPYING, use)

    async def _progress(self, source: str) -> Mapping[str, Progress]:
        rows = await self._connection.fetch(SQL["progress"])
        if any(row["source"] != source for row in rows):
            raise self._used("another source was copied to it")
        return {
            row["name"]: Progress(
                row["last_key"], Digest.of(row["rows"], row["digest"]), row["changed"], finished=row["finished"]
            )
            for row in rows
        }

    async def _has_rows(self, table: Table) -> bool:
        found: bool = await self._connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table.name} WHERE {table.only})")  # noqa: S608 - declared in tables.py
        return found

    async def _make_days(self, table: Table, batch: Batch) -> None:
        if table.day is None or not self._is_partitioned:
            return
        place = table.columns.index(table.day)
        days = {instant // DAY_MS for row in batch.rows if isinstance(instant := row[place], int)}
        if not days <= self._days:
            await make_days(self._connection, [day * DAY_MS for day in days])
            self._days |= days

    async def _fetch(self, table: Table) -> AsyncIterator[list[Any]]:
        async with self._connection.transaction():
            cursor = await self._connection.cursor(table.read_copy)
            while rows := await cursor.fetch(FETCHED_ROWS):
                yield [tuple(row) for row in rows]

    def _used(self, why: str) -> Misconfigured:
        return Misconfigured(
            f"the database {self._url} is not empty: {why}",
            code="target_not_empty",
            hint="copy to an empty database; `createdb` makes one",
        )

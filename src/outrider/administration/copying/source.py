"""Where a copy comes from: a database file that nobody serves from meanwhile."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Self

from msgspec import Struct

from outrider.administration.copying.digest import Digest, Value
from outrider.administration.copying.tables import Table
from outrider.domain.instant import Instant
from outrider.domain.message import new_id
from outrider.engine.signing_keys import seal_plain_keys
from outrider.sealing import SealedBox, SecretKey
from outrider.secret_key import fingerprint_of
from outrider.settings import Mode
from outrider.storage import KEY_FINGERPRINT, USE
from outrider.store.sqlite import SqliteStore

BATCH_ROWS = 1000
BATCH_BYTES = 4 * 1024 * 1024
"""Of one transaction, and twice what is in memory."""

COPIED_AS = "copied_as"
"""The fact that names this source, in itself and in what is copied from it."""


class Batch(Struct, frozen=True):
    """Rows that follow one another, as the copy is to have them.

    Attributes:
        changed: how many texts had to be changed.
    """

    rows: Sequence[Sequence[Value]]
    changed: int

    def digested(self, table: Table, before: Digest) -> Digest:
        """The digest of these rows and those before."""
        return before.with_rows(map(table.comparable, self.rows))


class SqliteSource:
    """An open source. No lease is left in it, and while it is open nobody serves from it.

    Attributes:
        id: tells it from any other source.
        use: the mode of those who serve from it.
    """

    def __init__(self, store: SqliteStore, connection: sqlite3.Connection, id_: str, use: Mode) -> None:
        self.id = id_
        self.use = use
        self._store = store
        self._connection = connection

    @classmethod
    async def open(cls, path: Path, key: SecretKey | None, now: Instant) -> Self:
        """Bring its schema up to date and end its leases. Raises Misconfigured if somebody serves from it.

        The `key` that its secrets are sealed with is remembered, as a server would, so that the copy demands it; and
        signing keys that an earlier schema held as they are get sealed, so that none is copied like that.
        """
        store = await SqliteStore.open(path)
        try:
            use: Mode = "dev" if await store.keep_fact(USE, "serve") == "dev" else "serve"
            if key is not None:
                await store.keep_fact(KEY_FINGERPRINT, fingerprint_of(key))
                await seal_plain_keys(store, SealedBox(key))
            id_ = await store.keep_fact(COPIED_AS, new_id("copy", now))
            await store.join(id_, now, now)
            await store.leave(id_, now)
            connection = _open_for_reading(path)
        except BaseException:
            await store.close()
            raise
        return cls(store, connection, id_, use)

    async def close(self) -> None:
        self._connection.close()
        await self._store.close()

    def counted(self, table: Table) -> int:
        """The highest number that a table ever gave to a row; 0 for one that does not count."""
        if table.sequence is None:
            return 0
        (highest,) = self._connection.execute(f"SELECT max({table.columns[0]}) FROM {table.name}").fetchone()  # noqa: S608 - declared in tables.py
        given = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        return max(highest or 0, given[0] if given else 0)

    async def digest(self, table: Table, rows: int) -> tuple[Digest, str]:
        """Of so many rows from the first on, and the key of the last."""
        digest, last_key = Digest(), key_text(table.first_key)
        async for batch in self.batches(table, last_key, most=rows):
            digest, last_key = batch.digested(table, digest), key_text(table.key_of(batch.rows[-1]))
        return digest, last_key

    async def batches(self, table: Table, after: str, *, most: int | None = None) -> AsyncIterator[Batch]:
        """The rows after a key, `most` of them at most; the next batch is read while one is looked at."""
        batches = self._read(table, json.loads(after), most)
        reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
        try:
            while (batch := await reading) is not None:
                reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
                yield batch
        finally:
            await asyncio.wait([reading])

    def _read(self, table: Table, after: Sequence[Value], most: int | None) -> Iterator[Batch]:
        rows: list[Sequence[Value]] = []
        size = changes = 0
        # A cursor hands over row by row: nothing but the batch is in memory.
        for number, row in enumerate(self._connection.execute(table.read_source, after)):
            if number == most:
                break
            storable, changed = table.storable(row)
            rows.append(storable)
            changes += changed
            size += sum(len(value) for value in row if isinstance(value, str | bytes))
            if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield Batch(rows, changes)
                rows, size, changes = [], 0, 0
        if rows:
            yield Batch(rows, changes)


def _open_for_reading(path: Path) -> sqlite3.Connection:
    """One snapshot of everything, whatever an administrator does meanwhile."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN")
    return connection


def key_text(key: Sequence[Value]) -> str:
    """As it is written down."""
    return json.dumps(list(key), separators=(",", ":"))

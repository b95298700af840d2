"""A store as an earlier release left it: one of today is put into an older schema, as far as that has room for it.

Its signing keys are what every release can read: those of earlier ones, which are not sealed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import asyncpg

from outrider.store.postgres import migrations as postgres
from outrider.store.postgres.migrations import Mode
from outrider.store.sqlite import migrations as sqlite

TABLES = ("tenants", "tokens", "messages")

Keys = tuple[str, str]


def make_older_file(file: Path, version: int, keys: Keys) -> None:
    """Put a SQLite file that nobody has open into that version of the schema; what waits in it is due now."""
    older = file.with_suffix(".older")
    with contextlib.closing(sqlite3.connect(older, isolation_level=None)) as connection:
        sqlite.migrate(connection, sqlite.MIGRATIONS[:version])
        connection.execute("ATTACH ? AS newest", (str(file),))
        for table in TABLES:
            kept = ", ".join(sorted(_columns(connection, "main", table) & _columns(connection, "newest", table)))
            connection.execute(f"INSERT INTO main.{table} ({kept}) SELECT {kept} FROM newest.{table}")
        connection.execute("INSERT INTO main.signing_keys SELECT id, ?, ?" + _rest(connection), keys)
        connection.execute("UPDATE main.messages SET due_at = ?", (_now(),))
        connection.execute("DETACH newest")
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    older.replace(file)


async def make_older_database(newest: str, older: str, version: int, keys: Keys) -> None:
    """Put what is in one PostgreSQL database into that version of the schema in another; what waits is due now."""
    async with _connected(newest) as new, _connected(older) as old:
        await postgres.migrate(old, Mode.FULL, postgres.MIGRATIONS[:version])
        for table in TABLES:
            rows = [dict(row) for row in await new.fetch(f"SELECT * FROM {table}")]
            known = {row[0] for row in await old.fetch(_COLUMNS, table)}
            kept = sorted(known & rows[0].keys())
            await old.copy_records_to_table(table, columns=kept, records=[[row[name] for name in kept] for row in rows])
        await old.execute("SELECT setval('message_seq', max(seq)) FROM messages")
        await old.execute(f"INSERT INTO signing_keys SELECT id, '{keys[0]}', '{keys[1]}' FROM tenants")
        await old.execute("UPDATE messages SET due_at = $1", _now())


def version_of_file(file: Path) -> int:
    """Of one that nobody has open."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return sqlite.version_of(connection)


async def version_of_database(url: str) -> int:
    async with _connected(url) as connection:
        return await postgres.version_of(connection)


async def leased_in_database(url: str) -> set[str]:
    """The ids of the messages in flight on any node."""
    async with _connected(url) as connection:
        return {id_ for (id_,) in await connection.fetch("SELECT id FROM messages WHERE lease IS NOT NULL")}


_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = $1"


@contextlib.asynccontextmanager
async def _connected(url: str):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))}


def _rest(connection: sqlite3.Connection) -> str:
    """The column that was added before they were sealed."""
    has_webhooks = "standard_webhooks" in _columns(connection, "main", "signing_keys")
    return f"{', 0' if has_webhooks else ''} FROM main.tenants"


def _now() -> int:
    return int(time.time() * 1000)

"""A PostgreSQL server as a benchmark sees it: databases made for a run, what its processes use, what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from bench.harness import BenchmarkError, Usage, usage_of_family
from msgspec import Struct

Row = dict[str, Any]

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

DEFAULTS = {"shared_buffers": "128MB", "autovacuum_naptime": "1min", "log_min_messages": "warning"}
"""PostgreSQL's own, where a server for tests has others."""


class Written(Struct, frozen=True):
    """Transactions that changed something, and bytes of write-ahead log."""

    transactions: int
    log_bytes: int


class Postgres:
    """A running server on this machine; `url` is that of a database of its, whose user may make others."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, *arguments: object) -> list[Row]:
        """The rows of a query, on a connection of its own to the server's first database."""

        async def ask() -> list[Row]:
            connection = await asyncpg.connect(self.url)
            try:
                return [dict(row) for row in await connection.fetch(query, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The URL of a fresh database, which is gone afterwards."""
        self.ask(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        finally:
            self.ask(f'DROP DATABASE "{name}" WITH (FORCE)')

    def usage(self) -> Usage:
        """What all its processes used. Shared memory is counted for each."""
        return usage_of_family(self.pid)

    def written(self) -> Written:
        """What all its databases wrote so far, up to this instant."""
        transactions = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS transactions"
        (row,) = self.ask(f"SELECT {transactions}, (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS log_bytes")
        return Written(**row)

    def transactions(self, name: str) -> int:
        """How many a database has seen; the server may be seconds late in telling."""
        (row,) = self.ask("SELECT xact_commit + xact_rollback AS n FROM pg_stat_database WHERE datname = $1", name)
        return int(row["n"])

    def statements(self, name: str) -> int | None:
        """How many statements a database has run; None where the server does not count them."""
        (preloaded,) = self.ask("SHOW shared_preload_libraries")
        if "pg_stat_statements" not in preloaded["shared_preload_libraries"]:
            return None
        self.ask("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        of_database = "dbid = (SELECT oid FROM pg_database WHERE datname = $1)"
        (row,) = self.ask(f"SELECT coalesce(sum(calls), 0) AS n FROM pg_stat_statements WHERE {of_database}", name)
        return int(row["n"])

    def describe(self) -> Row:
        """Its version, and the settings that decide what a commit is worth."""
        names = ("server_version", *DURABLE, "shared_buffers", "max_connections", "wal_sync_method")
        rows = self.ask("SELECT name, setting FROM pg_settings WHERE name = ANY($1)", names)
        return {row["name"]: row["setting"] for row in rows}

    @property
    def pid(self) -> int:
        """The parent of every connection's process."""
        (row,) = self.ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        return int(Path(f"/proc/{row['pid']}/stat").read_text().rpartition(")")[2].split()[1])


@contextlib.contextmanager
def durable_server(url: str | None, *, counts_statements: bool = False) -> Iterator[Postgres]:
    """The server at the URL, or one that is started for the benchmark and thrown away.

    Args:
        url: of a database of the server; None: start one, its settings PostgreSQL's own defaults.
        counts_statements: have the one that is started count them, if it can; that costs it a little.

    Raises BenchmarkError if it is not durable.
    """
    with contextlib.ExitStack() as stack:
        if url is None:
            from tests.postgres_server import find_binaries, start_server  # noqa: PLC0415 - where none is named

            can_count = counts_statements and any(find_binaries().parent.glob("lib/**/pg_stat_statements.so"))
            settings = DEFAULTS | ({"shared_preload_libraries": "pg_stat_statements"} if can_count else {})
            started = start_server(durable=True, settings=settings)
            stack.callback(started.throw_away)
            url = started.url()
        postgres = Postgres(url)
        said = postgres.describe()
        lax = {name: said[name] for name, value in DURABLE.items() if said[name] != value}
        if lax:
            raise BenchmarkError(f"the server has {lax}, and a figure is worth something only with {DURABLE}")
        yield postgres

"""A database in a file, looked at beside whoever serves from it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import structs

from outrider.administration.condition import Condition, Finding, NodeCondition, Product, Schema
from outrider.domain.audit import AuditEntry
from outrider.domain.errors import StoreUnavailable
from outrider.domain.instant import Instant
from outrider.storage import USE
from outrider.store.relational.queries import load_queries
from outrider.store.sqlite import migrations

SQL = load_queries(Path(__file__).parent / "queries" / "sqlite")

STEPS = tuple(file.stem for file in sorted(Path(migrations.__file__).parent.glob("migrations/*.sql")))

BUSY_S = 5.0


class SqliteDatabase:
    """The file, which must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def product(self) -> Product:
        """The library that reads it."""
        return Product(f"SQLite {sqlite3.sqlite_version}")

    async def schema(self) -> Schema:
        """How far it is. Raises StoreUnavailable if it cannot be read."""
        with self._reading() as connection:
            return _schema_of(connection)

    async def condition(self, now: Instant) -> Condition:
        """As it stands. Raises StoreUnavailable if it cannot be read."""
        with self._reading() as connection:
            schema = _schema_of(connection)
            common: dict[str, Any] = {
                "database": f"sqlite:{self._path}",
                "server": (await self.product()).name,
                "schema_version": schema.version,
                "schema_pending": schema.pending,
                "size_bytes": self._size(),
                "looked_at": now,
            }
            if schema.pending or schema.is_newer:
                return Condition(**common)
            states = {state: (count, overdue) for state, count, overdue in _ask(connection, "count_states", now=now)}
            counts = {state: states.get(state, (0, 0))[0] for state in ("due", "held", "leased")}
            use = _ask(connection, "get_fact", name=USE)
            return Condition(
                **common,
                **counts,
                use=use[0][0] if use else None,
                unfinished=sum(counts.values()),
                overdue=states.get("due", (0, 0))[1],
                nodes=[
                    NodeCondition(id_, now - joined_at, until - now, leased)
                    for id_, joined_at, until, leased in _ask(connection, "nodes")
                ],
            )

    async def findings(self) -> list[Finding]:
        """Whether the file is whole. Reads all of it."""
        try:
            with self._reading() as connection:
                broken = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
                orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        except (sqlite3.Error, StoreUnavailable) as failure:
            return [Finding("integrity", str(self._path), f"the file cannot be read: {failure}")]
        found = [Finding("integrity", str(self._path), fault) for fault in broken]
        found += [
            Finding("references", f"{table} row {row}", f"refers to no row of {to}") for table, row, to, _ in orphans
        ]
        whole = Finding("integrity", "pages and indexes"), Finding("references", "foreign keys")
        return found + [one for one in whole if one.check not in {fault.check for fault in found}]

    async def forget_fact(self, name: str, audit: AuditEntry) -> bool:
        """Whether there was one; then the entry is stored with it, unless the schema is older than the audit log."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY_S)) as connection, connection:
            forgotten = connection.execute(SQL["forget_fact"], {"name": name}).rowcount > 0
            if forgotten and _ask(connection, "find_audit"):
                connection.execute(SQL["record_change"], structs.asdict(audit))
            return forgotten

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
        except sqlite3.Error as failure:
            raise StoreUnavailable(f"the store at '{self._path}' cannot be read: {failure}") from None
        try:
            yield connection
        except sqlite3.DatabaseError as failure:
            raise StoreUnavailable(f"the store at '{self._path}' cannot be read: {failure}") from None
        finally:
            connection.close()

    def _size(self) -> int:
        """Of the file and its log."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())


def _schema_of(connection: sqlite3.Connection) -> Schema:
    return Schema(migrations.version_of(connection), STEPS)


def _ask(connection: sqlite3.Connection, query: str, **parameters: object) -> list[Any]:
    return connection.execute(SQL[query], parameters).fetchall()

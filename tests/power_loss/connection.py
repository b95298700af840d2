"""An apsw connection that looks like the sqlite3.Connection which the store is written for."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import apsw

_KINDS = {
    sqlite3.SQLITE_NOMEM: MemoryError,
    sqlite3.SQLITE_TOOBIG: sqlite3.DataError,
    sqlite3.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    sqlite3.SQLITE_MISMATCH: sqlite3.IntegrityError,
    sqlite3.SQLITE_MISUSE: sqlite3.InterfaceError,
    sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError,
    sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError,
}
"""As in CPython's Modules/_sqlite/util.c; the others are OperationalErrors."""


class Connection:
    """Args:
    vfs: the name of the VFS to open it with.
    checkpoint_pages: after so many pages the log is copied to the database, whatever the store would have.
    """

    def __init__(self, name: str, *, vfs: str, timeout: float, checkpoint_pages: int) -> None:
        self._checkpoint_pages = checkpoint_pages
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        with _as_sqlite3():
            self._raw = apsw.Connection(name, flags, vfs)
            self._raw.set_busy_timeout(int(timeout * 1000))

    def execute(self, sql: str, parameters: Any = ()) -> Cursor:
        with _as_sqlite3():
            return Cursor(self._raw, self._raw.execute(sql, parameters))

    def executescript(self, sql: str) -> None:
        with _as_sqlite3():
            self._raw.execute(sql).fetchall()
            # `PRAGMA wal_autocheckpoint` puts SQLite's own hook in its place.
            self._raw.set_wal_hook(self._checkpoint)

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def close(self) -> None:
        """As sqlite3's: it is closed, and what failed meanwhile is not told."""
        with contextlib.suppress(apsw.Error):
            self._raw.close()

    def _checkpoint(self, raw: apsw.Connection, database: str, pages: int) -> int:
        """As SQLite's own hook does: that a checkpoint fails is no failure of the commit before it."""
        if pages >= self._checkpoint_pages:
            with contextlib.suppress(apsw.Error):
                raw.wal_checkpoint(database)
        return apsw.SQLITE_OK


class Cursor:
    def __init__(self, connection: apsw.Connection, raw: apsw.Cursor) -> None:
        self._raw = raw
        self.rowcount: int = connection.changes()
        self.lastrowid: int = connection.last_insert_rowid()

    def fetchone(self) -> Any:
        with _as_sqlite3():
            return self._raw.fetchone()

    def fetchall(self) -> list[Any]:
        with _as_sqlite3():
            return self._raw.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


@contextlib.contextmanager
def _as_sqlite3() -> Iterator[None]:
    """Raise apsw's errors as those of sqlite3."""
    try:
        yield
    except apsw.Error as error:
        translated = _KINDS.get(error.result, sqlite3.OperationalError)(str(error))
        translated.sqlite_errorcode = error.extendedresult
        raise translated from error

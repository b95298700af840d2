"""How connections are opened, and what is done when one fails."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

from outrider.domain.errors import Misconfigured
from outrider.store.sqlite.failures import needs_new_connection
from outrider.store.sqlite.lock import ServingLock
from outrider.store.sqlite.migrations import is_current, migrate

MEMORY = ":memory:"

_CACHED_STATEMENTS = 256
_MIB = 1024 * 1024

_DURABLE = f"""
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 2000;
PRAGMA journal_size_limit = {64 * _MIB};
"""
"""FULL syncs the log at every commit; NORMAL was measured not to, and would lose what was acknowledged."""

_WRITING = """
PRAGMA foreign_keys = ON;
PRAGMA cache_size = -32768;
PRAGMA secure_delete = FAST;
PRAGMA temp_store = MEMORY;
"""

_READING = """
PRAGMA query_only = ON;
PRAGMA cache_size = -8192;
PRAGMA temp_store = MEMORY;
"""


class Database:
    """A place to open connections to.

    Args:
        path: of the file, or `:memory:`.
        busy_timeout_ms: how long to wait while another process writes.
        exclusive: whether this process holds the serving lock, and so may migrate.
    """

    def __init__(self, path: str, *, busy_timeout_ms: int, exclusive: bool) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_ms / 1000
        self._exclusive = exclusive

    @property
    def in_memory(self) -> bool:
        return self.path == MEMORY

    def open_for_writing(self) -> Connection:
        """A connection to the newest schema. Raises Misconfigured where that cannot be."""
        connection = self._connect(self.path)
        try:
            if not self.in_memory:
                self._use_log(connection)
            connection.executescript(_WRITING)
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def open_for_reading(self) -> Connection:
        """A connection that sees what is committed, and can change nothing."""
        connection = self._connect(f"{Path(self.path).absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.executescript(_READING)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, name: str, *, uri: bool = False) -> Connection:
        return sqlite3.connect(
            name,
            uri=uri,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            cached_statements=_CACHED_STATEMENTS,
        )

    def _use_log(self, connection: Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise Misconfigured(
                f"the store at '{self.path}' cannot keep a write-ahead log there",
                code="store_unreachable",
                hint="its folder must be on a local disk",
            )
        connection.executescript(_DURABLE)

    def _prepare(self, connection: Connection) -> None:
        if is_current(connection):
            return
        if self._exclusive or self.in_memory:
            migrate(connection)
            return
        lock = ServingLock(Path(self.path))
        try:
            lock.acquire()
        except Misconfigured:
            raise Misconfigured(
                f"the store at '{self.path}' is of an older release, and a running server uses it",
                code="store_too_old",
                hint="restart the server with this release first",
            ) from None
        try:
            migrate(connection)
        finally:
            lock.release()


class Session:
    """One connection, used by one thread: opened when first needed, and anew after it failed."""

    def __init__(self, open_connection: Callable[[], Connection]) -> None:
        self._open = open_connection
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """The connection; raises what opening one raises."""
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def recover(self, failure: BaseException) -> None:
        """Leave no transaction open; drop the connection if the failure has made it doubtful."""
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()
            return
        if needs_new_connection(failure):
            self.close()

    def close(self) -> None:
        """Idempotent. A connection that cannot even be closed is forgotten."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

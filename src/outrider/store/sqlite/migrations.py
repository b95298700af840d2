"""The schema, as numbered steps: `migrations/0001_initial.sql` makes version 1 of nothing.

A database knows its version (`PRAGMA user_version`). Each step and its version number are one
transaction, so an interrupted migration goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from outrider.domain.errors import Misconfigured


def load_migrations(folder: Path) -> Sequence[str]:
    """The steps in order; the nth leads to version n. Raises ValueError if one is missing."""
    files = sorted(folder.glob("*.sql"))
    for number, file in enumerate(files, start=1):
        if not file.name.startswith(f"{number:04d}_"):
            raise ValueError(f"migration {file.name} should be number {number:04d}")
    return [file.read_text() for file in files]


MIGRATIONS = load_migrations(Path(__file__).parent / "migrations")


def version_of(connection: Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def is_current(connection: Connection, migrations: Sequence[str] = MIGRATIONS) -> bool:
    """Whether there is nothing to migrate. Raises Misconfigured for a database of a newer release."""
    version = version_of(connection)
    if version > len(migrations):
        raise Misconfigured(
            f"the store has schema version {version}, and this release knows versions up to {len(migrations)}",
            code="store_too_new",
            hint="run the release that wrote it, or a later one",
        )
    return version == len(migrations)


def migrate(connection: Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring the schema to the newest version. The caller sees to it that nobody else does."""
    for number in range(version_of(connection) + 1, len(migrations) + 1):
        step = migrations[number - 1]
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{step}\n;PRAGMA user_version = {number};\nCOMMIT;")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

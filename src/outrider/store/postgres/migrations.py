"""The schema, as numbered steps: `migrations/0001_initial.sql` makes version 1 of nothing.

A database knows its versions by the table `schema_versions`: a row a step, and which version of this program is the
oldest that may go on with it, so that the nodes of one release are replaced by those of the next one by one.
Each step and its row are one transaction, and one process at a time migrates: an interrupted migration goes on where
it stopped.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from msgspec import Struct

from outrider.domain.errors import Misconfigured

if TYPE_CHECKING:
    Raw = asyncpg.Connection[Any]
else:
    Raw = asyncpg.Connection


class Mode(Enum):
    """Which of the schemas: for PostgreSQL itself, or for what speaks its language but lacks some of it."""

    FULL = "full"
    PORTABLE = "portable"


class Migration(Struct, frozen=True):
    """A step.

    Attributes:
        oldest_reader: the oldest version of this program, by its newest step, that may use the schema after this one.
    """

    name: str
    oldest_reader: int
    text: str

    def statements(self, mode: Mode) -> str:
        """Its SQL for a mode: what stands under `-- both:`, or under no heading, and under that of the mode."""
        kept: list[str] = []
        heading = "both"
        for line in self.text.splitlines():
            match = re.fullmatch(r"-- (both|full|portable):", line)
            if match is not None:
                heading = match[1]
            elif heading in {"both", mode.value}:
                kept.append(line)
        return "\n".join(kept)


def load_migrations(folder: Path) -> Sequence[Migration]:
    """The steps in order; the nth leads to version n. Raises ValueError if one is missing or says no oldest reader."""
    migrations: list[Migration] = []
    for number, file in enumerate(sorted(folder.glob("*.sql")), start=1):
        if not file.name.startswith(f"{number:04d}_"):
            raise ValueError(f"migration {file.name} should be number {number:04d}")
        text = file.read_text()
        match = re.match(r"-- oldest reader: ([0-9]+)\n", text)
        if match is None:
            raise ValueError(f"migration {file.name} should begin with `-- oldest reader: <version>`")
        migrations.append(Migration(file.stem, int(match[1]), text))
    return migrations


MIGRATIONS = load_migrations(Path(__file__).parent / "migrations")

_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_versions (
  version integer PRIMARY KEY,
  name text NOT NULL,
  mode text NOT NULL,
  oldest_reader integer NOT NULL,
  applied_at timestamptz NOT NULL
)
"""

_MADE_BY_ANOTHER = (
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateObjectError,
    asyncpg.SerializationError,
)
"""What is raised, depending on how far the other is; `IF NOT EXISTS` does not see what is not committed."""

_LOCK = 7011600431907001
"""Of those who migrate; a number that nobody else is likely to take."""


async def version_of(connection: Raw) -> int:
    """0 for a database without our schema."""
    return (await _newest(connection))[0]


async def mode_of(connection: Raw) -> Mode | None:
    """Which schema is there; None where there is none yet."""
    if not await _has_versions(connection):
        return None
    mode = await connection.fetchval("SELECT mode FROM schema_versions WHERE version > 0 ORDER BY version LIMIT 1")
    return None if mode is None else Mode(mode)


async def is_current(connection: Raw, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Whether there is nothing to migrate. Raises Misconfigured for a database that this release cannot read."""
    version, oldest_reader = await _newest(connection)
    if version > len(migrations) and oldest_reader > len(migrations):
        raise Misconfigured(
            f"the store has schema version {version}, which releases from version {oldest_reader} on can use; "
            f"this release knows versions up to {len(migrations)}",
            code="store_too_new",
            hint="run the release that wrote it, or a later one",
        )
    return version >= len(migrations)


async def pending(connection: Raw, migrations: Sequence[Migration] = MIGRATIONS) -> Sequence[Migration]:
    """The steps that are still to be taken."""
    return migrations[await version_of(connection) :]


async def migrate(connection: Raw, mode: Mode, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema to the newest version; where others do so at the same time, each step is taken once."""
    await _make_versions(connection, mode)
    while not await is_current(connection, migrations):
        async with connection.transaction():
            await _lock(connection, mode)
            version = await version_of(connection)
            if version >= len(migrations):
                return
            step = migrations[version]
            await connection.execute(step.statements(mode))
            await connection.execute(
                "INSERT INTO schema_versions (version, name, mode, oldest_reader, applied_at)"
                " VALUES ($1, $2, $3, $4, now())",
                version + 1,
                step.name,
                mode.value,
                step.oldest_reader,
            )


async def _has_versions(connection: Raw) -> bool:
    return bool(await connection.fetchval("SELECT to_regclass('schema_versions') IS NOT NULL"))


async def _newest(connection: Raw) -> tuple[int, int]:
    """Version, and the oldest reader of it."""
    if not await _has_versions(connection):
        return 0, 0
    row = await connection.fetchrow("SELECT version, oldest_reader FROM schema_versions ORDER BY version DESC LIMIT 1")
    return (0, 0) if row is None else (row[0], row[1])


async def _make_versions(connection: Raw, mode: Mode) -> None:
    """The table, with the row that is locked where there are no advisory locks."""
    for _ in range(10):
        try:
            await connection.execute(_VERSIONS)
            await connection.execute(
                "INSERT INTO schema_versions (version, name, mode, oldest_reader, applied_at)"
                " VALUES (0, 'nothing', $1, 0, now()) ON CONFLICT (version) DO NOTHING",
                mode.value,
            )
        except _MADE_BY_ANOTHER:
            await asyncio.sleep(0.05)
        else:
            return


async def _lock(connection: Raw, mode: Mode) -> None:
    if mode is Mode.FULL:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    else:
        await connection.execute("SELECT 1 FROM schema_versions WHERE version = 0 FOR UPDATE")

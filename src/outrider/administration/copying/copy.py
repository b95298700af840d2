"""The copy, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from outrider.administration.copying.digest import Digest
from outrider.administration.copying.source import SqliteSource
from outrider.administration.copying.tables import TABLES, Table
from outrider.administration.copying.target import PostgresTarget, Progress
from outrider.administration.databases import by_command
from outrider.clock import SystemClock
from outrider.database_url import PostgresUrl
from outrider.domain.errors import Misconfigured
from outrider.secret_key import find_secret_key
from outrider.settings import Mode, Settings
from outrider.storage import open_store


class Copied(Struct, frozen=True):
    """A table that was copied.

    Attributes:
        checksum: the sum of the SHA-256 values of its rows.
        changed: texts in which the character NUL became its picture.
    """

    table: str
    rows: int
    checksum: str
    changed: int


class Copy(Struct, frozen=True):
    """A copy that is finished.

    Attributes:
        use: for whom the target is now.
        resumed_rows: how many rows an earlier run had copied.
        was_finished: whether there was nothing left to do.
    """

    use: Mode
    tables: Sequence[Copied]
    resumed_rows: int
    was_finished: bool


async def copy(path: Path, target_url: PostgresUrl, settings: Settings, report: Callable[[str, int], None]) -> Copy:
    """Copy a database file to an empty PostgreSQL database, or go on with that.

    Args:
        path: of the file.
        target_url: where to.
        settings: how to open the target, and the secret key, if it is not beside the file.
        report: told of each batch: the table, and how many of its rows are copied.

    Raises Misconfigured if either is in use or not what it must be, StoreUnavailable if the target is lost.
    """
    key = settings.secret_key or find_secret_key(path.parent)
    source = await SqliteSource.open(path, key, SystemClock().now())
    try:
        # Opened and closed: its schema is there then.
        await (await open_store(target_url, settings, serving=False)).close()
        async with PostgresTarget.connected(target_url) as target:
            finished = await _copy(source, target, report)
        if not finished.was_finished:
            await _remember(finished, target_url, settings)
        return finished
    finally:
        await source.close()


async def _remember(finished: Copy, target_url: PostgresUrl, settings: Settings) -> None:
    """Have it in the audit log of the target, behind what that has from the source."""
    store = await open_store(target_url, settings, serving=False)
    try:
        rows = sum(one.rows for one in finished.tables)
        await store.record_change(by_command("database.copy", f"{rows} rows of a database file"))
    finally:
        await store.close()


async def _copy(source: SqliteSource, target: PostgresTarget, report: Callable[[str, int], None]) -> Copy:
    progress = dict(await target.begin(source.id))
    resumed_rows = sum(one.digest.rows for one in progress.values())
    was_finished = all(one.finished for one in progress.values())
    if not was_finished:
        for table in TABLES:
            await _check_unchanged(source, table, progress[table.name])
        for table in TABLES:
            progress[table.name] = await _copy_table(source, target, table, progress[table.name], report)
        for table in TABLES:
            _compare(table, await target.digest(table), progress[table.name].digest)
        await target.finish(source.id, source.use, {table.name: source.counted(table) for table in TABLES})
    tables = [
        Copied(table.name, one.digest.rows, one.digest.hex, one.changed)
        for table in TABLES
        for one in (progress[table.name],)
    ]
    return Copy(source.use, tables, resumed_rows, was_finished)


async def _copy_table(
    source: SqliteSource, target: PostgresTarget, table: Table, progress: Progress, report: Callable[[str, int], None]
) -> Progress:
    async for batch in source.batches(table, progress.last_key):
        progress = await target.write(table, source.id, batch, progress)
        report(table.name, progress.digest.rows)
    return progress


async def _check_unchanged(source: SqliteSource, table: Table, progress: Progress) -> None:
    """Raises Misconfigured if what was copied earlier is not any more what the source has."""
    found, last_key = await source.digest(table, progress.digest.rows)
    if found != progress.digest or last_key != progress.last_key:
        raise Misconfigured(
            f"the table {table.name} of the source has changed since the copy began",
            code="source_changed",
            hint="somebody has served from it; empty the target and begin again",
        )


def _compare(table: Table, found: Digest, wanted: Digest) -> None:
    """Raises Misconfigured if the copy is not what the source had."""
    if found != wanted:
        raise Misconfigured(
            f"the copy of the table {table.name} has {found.rows} rows with the checksum {found.hex[:16]}, and should "
            f"have {wanted.rows} with {wanted.hex[:16]}",
            code="copy_differs",
            hint="somebody has changed it; empty the target and begin again",
        )

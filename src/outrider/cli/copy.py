"""`outrider copy`: from a database file to a PostgreSQL server."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from outrider.cli.flags import Config, Data, load
from outrider.cli.stores import check_exists
from outrider.cli.table import print_table
from outrider.database_url import DatabaseUrl, PostgresUrl, SqliteFile
from outrider.domain.errors import Misconfigured
from outrider.settings import Settings, database_of_flag

if TYPE_CHECKING:
    from outrider.administration.copying import Copy


def copy(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="The file: sqlite:path [default: outrider.db in the data folder]",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="The server: postgresql://…; one with a password goes into OUTRIDER_DATABASE [default: that]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: {from, to, tables}")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Copy everything from a database file to a PostgreSQL database.

    That is tenants, tokens, keys, profiles, queues, schedules, groups, and all messages with their logs, whether
    they are finished or not. Stop the server before. The target must be empty; nobody can serve from it until the
    copy is finished. If it is interrupted, run the same command again: it goes on where it was. At the end
    everything is read again, counted and compared.
    """
    settings = load({"data": data}, config).settings
    path, url = _source(source, settings), _target(target, settings)
    check_exists(path, "serve")

    from outrider.administration import copying  # noqa: PLC0415 - drivers are slow to import

    finished = asyncio.run(copying.copy(path.path, url, settings, _Progress()))
    if as_json:
        document = {"from": str(path), "to": str(url), "use": finished.use, "tables": finished.tables}
        typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        print_table(
            ("table", "rows", "checksum"), [(one.table, str(one.rows), one.checksum[:16]) for one in finished.tables]
        )
    for line in _closing_words(finished, path, url):
        typer.echo(line, err=True)


def _source(raw: str | None, settings: Settings) -> SqliteFile:
    chosen: DatabaseUrl | None = database_of_flag("--from", raw) if raw is not None else None
    if chosen is None and not isinstance(settings.database, PostgresUrl):
        chosen = settings.database
    if chosen is None:
        chosen = SqliteFile(settings.data / "outrider.db")
    if not isinstance(chosen, SqliteFile):
        raise Misconfigured(f"--from '{chosen}' is not a file; a copy goes from sqlite:path to postgresql://…")
    return chosen


def _target(raw: str | None, settings: Settings) -> PostgresUrl:
    chosen = database_of_flag("--to", raw) if raw is not None else settings.database
    if chosen is None:
        raise Misconfigured("nothing says where to copy to", hint="give --to, or set OUTRIDER_DATABASE")
    if not isinstance(chosen, PostgresUrl):
        raise Misconfigured(f"--to '{chosen}' is not a server; a copy goes from sqlite:path to postgresql://…")
    return chosen


class _Progress:
    """One line that grows on a terminal; elsewhere nothing."""

    def __init__(self) -> None:
        self._table = ""

    def __call__(self, table: str, rows: int) -> None:
        if not sys.stderr.isatty():
            return
        if self._table not in {"", table}:
            sys.stderr.write("\n")
        self._table = table
        sys.stderr.write(f"\r{table}: {rows} rows")
        sys.stderr.flush()


def _closing_words(finished: Copy, source: SqliteFile, target: PostgresUrl) -> list[str]:
    words = []
    if finished.was_finished:
        words.append(f"{source} was copied to {target} already; nothing was done.")
    else:
        resumed = f", {finished.resumed_rows} of them by an earlier run" if finished.resumed_rows else ""
        rows = sum(one.rows for one in finished.tables)
        words.append(f"Copied {rows} rows from {source} to {target}{resumed}; read again, they are the same.")
    changed = {one.table: one.changed for one in finished.tables if one.changed}
    if changed:
        told = ", ".join(f"{count} of {table}" for table, count in changed.items())
        words.append(f"In these texts the character NUL, which PostgreSQL cannot hold, became \u2400: {told}.")
    words.append(
        f"Next: OUTRIDER_DATABASE=… outrider {finished.use}, with the same secret.key in its data folder or "
        "OUTRIDER_SECRET_KEY set to its content."
    )
    words.append(f"Do not serve from {source} any more: what is unfinished would be delivered twice.")
    return words

"""`outrider db`: the database itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from outrider.cli.flags import Config, Data, Database, load
from outrider.cli.stores import Dev, check_exists
from outrider.cli.table import print_table
from outrider.cli.tenants import shown_time
from outrider.database_url import DatabaseUrl
from outrider.domain.duration import format_duration
from outrider.domain.instant import SECOND_MS
from outrider.setting import format_bytes
from outrider.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Bring the database up to date, look at it, check it.")

AsJson = Annotated[bool, typer.Option("--json", help="As JSON")]


@app.command("migrate")
def migrate(
    *, as_json: AsJson = False, data: Data = None, database: Database = None, config: Config = None, dev: Dev = False
) -> None:
    """Bring the schema up to date; a database that is empty or not there is made.

    A server does so at its start. This is for those who wish it done before.
    """
    from outrider.administration import databases  # noqa: PLC0415 - drivers are slow to import

    where, settings = _database(data, database, config, dev=dev, create=True)
    before = asyncio.run(databases.migrate(where, settings))
    if as_json:
        _print_json({"from": before.version, "to": len(before.steps), "applied": before.pending})
        return
    for step in before.pending:
        typer.echo(step)
    typer.echo(
        f"{where} is at version {len(before.steps)}"
        + (f", from version {before.version}." if before.pending else " already."),
        err=True,
    )


@app.command("status")
def status(
    *, as_json: AsJson = False, data: Data = None, database: Database = None, config: Config = None, dev: Dev = False
) -> None:
    """Print what kind of database it is, its schema, nodes, messages and size. Nothing is changed."""
    from outrider.administration import databases  # noqa: PLC0415

    where, _ = _database(data, database, config, dev=dev)
    found = asyncio.run(databases.condition_of(where))
    if as_json:
        _print_json(found)
        return
    print_table(
        ("fact", "value"),
        [
            ("database", found.database),
            ("server", found.server + (f", {found.mode} mode" if found.mode else "")),
            ("made by", f"outrider {found.use}" if found.use else "nobody yet"),
            ("schema", f"version {found.schema_version}"),
            ("pending", ", ".join(found.schema_pending) or "none"),
            ("size", format_bytes(found.size_bytes)),
            ("unfinished", str(found.unfinished)),
            ("due", f"{found.due}, {found.overdue} of them overdue"),
            ("held", str(found.held)),
            ("leased", str(found.leased)),
            ("time", shown_time(found.looked_at)),
        ],
    )
    if found.nodes:
        typer.echo()
        print_table(
            ("node", "up for", "lease", "holds"),
            [(one.id, _span(one.up_ms), _lease(one.left_ms), str(one.leased)) for one in found.nodes],
        )
    if found.partitions:
        typer.echo()
        print_table(("partition", "size"), [(one.name, format_bytes(one.size_bytes)) for one in found.partitions])


@app.command("check")
def check(
    *, as_json: AsJson = False, data: Data = None, database: Database = None, config: Config = None, dev: Dev = False
) -> None:
    """Check the database, and exit 1 if anything is wrong.

    It commits something small, compares clocks, counts what queues and flow-control keys hold, and has SQLite
    read its whole file. It may run beside servers.
    """
    from outrider.administration import databases  # noqa: PLC0415

    where, settings = _database(data, database, config, dev=dev)
    findings = asyncio.run(databases.check(where, settings))
    sound = all(one.fault is None for one in findings)
    if as_json:
        _print_json({"database": str(where), "sound": sound, "findings": findings})
    else:
        print_table(
            ("result", "check", "finding"),
            [
                ("ok", one.check, one.subject)
                if one.fault is None
                else ("fail", one.check, f"{one.subject}: {one.fault}")
                for one in findings
            ],
        )
    raise typer.Exit(0 if sound else 1)


@app.command("forget-key")
def forget_key(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Let another secret key take the place of one that is lost.

    The next server that starts decides it. What the lost one sealed can never be read again. Until it is made
    anew, deliveries fail, are retried as usual and say why: let every tenant call POST /v2/keys/rotate, which
    makes two new signing keys, and give both to its receivers; put every destination profile again.
    """
    from outrider.administration import databases  # noqa: PLC0415

    where, _ = _database(data, database, config, dev=dev)
    if not yes:
        typer.confirm(
            f"Forget the secret key of {where}, and with it all signing keys and destination profiles?",
            abort=True,
            err=True,
        )
    forgotten = asyncio.run(databases.forget_key(where))
    if not forgotten:
        typer.echo("There was no key to forget.", err=True)
        return
    typer.echo(
        "The key of the next start will do. If it is another: POST /v2/keys/rotate with a token of every tenant, and "
        "put the destination profiles again.",
        err=True,
    )


def _database(
    data: str | None, database: str | None, config: Path | None, *, dev: bool, create: bool = False
) -> tuple[DatabaseUrl, Settings]:
    """Where it is. Raises Misconfigured if it is a file that is not there, and may not be made."""
    settings = load({"data": data, "database": database}, config).settings
    where = settings.database_of("dev" if dev else "serve")
    check_exists(where, "dev" if dev else "serve", create=create)
    return where, settings


def _print_json(document: object) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


def _span(ms: int) -> str:
    return format_duration(ms // SECOND_MS * SECOND_MS)


def _lease(left_ms: int) -> str:
    return f"{_span(left_ms)} left" if left_ms >= 0 else f"over for {_span(-left_ms)}"

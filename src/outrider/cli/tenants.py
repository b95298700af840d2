"""`outrider tenant`: who may use the server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from outrider.cli.flags import Config, Data, Database
from outrider.cli.stores import Dev, with_directory
from outrider.cli.table import print_table
from outrider.domain.errors import Misconfigured
from outrider.domain.tenant import Tenant
from outrider.engine.directory import Directory

app = typer.Typer(no_args_is_help=True, help="Add, list, change and remove tenants.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant")]


@app.command("add")
def add(name: Name, *, data: Data = None, database: Database = None, config: Config = None, dev: Dev = False) -> None:
    """Add a tenant and print the keys that sign its deliveries."""
    tenant, keys = with_directory(
        lambda directory: directory.create_tenant(name),
        data=data,
        database=database,
        config=config,
        dev=dev,
        create=True,
        seals=True,
    )
    typer.echo(f"QSTASH_CURRENT_SIGNING_KEY={keys.current}")
    typer.echo(f"QSTASH_NEXT_SIGNING_KEY={keys.next}")
    typer.echo(f"Added tenant '{tenant.name}'. Next: outrider token create --tenant {tenant.name}", err=True)


@app.command("list")
def list_(*, data: Data = None, database: Database = None, config: Config = None, dev: Dev = False) -> None:
    """List the tenants."""
    tenants = with_directory(_with_standard_webhooks, data=data, database=database, config=config, dev=dev)
    print_table(
        ("name", "id", "created", "standard webhooks"),
        [
            (one.name, one.id, shown_time(one.created_at), "yes" if standard_webhooks else "no")
            for one, standard_webhooks in tenants
        ],
    )


@app.command("set")
def set_(
    name: Name,
    *,
    standard_webhooks: Annotated[
        bool | None,
        typer.Option(
            "--standard-webhooks/--no-standard-webhooks",
            help="Sign deliveries by Standard Webhooks too, unless a message says otherwise",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Change a tenant. A running server notices within a second."""
    if standard_webhooks is None:
        raise Misconfigured("nothing is said of the tenant", hint="add --standard-webhooks or --no-standard-webhooks")
    on = standard_webhooks
    with_directory(
        lambda directory: directory.set_standard_webhooks(name, on=on),
        data=data,
        database=database,
        config=config,
        dev=dev,
    )
    typer.echo(f"Deliveries of tenant '{name}' are {'' if on else 'not '}signed by Standard Webhooks.", err=True)


@app.command("remove")
def remove(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Remove a tenant and everything it owns.

    That is its messages, logs, dead letters, keys and tokens. A running server notices within a second.
    """
    if not yes:
        typer.confirm(f"Remove tenant '{name}' with all its messages, logs and tokens?", abort=True, err=True)
    with_directory(
        lambda directory: directory.remove_tenant(name), data=data, database=database, config=config, dev=dev
    )
    typer.echo(f"Removed tenant '{name}'.", err=True)


async def _with_standard_webhooks(directory: Directory) -> list[tuple[Tenant, bool]]:
    return [(tenant, await directory.signs_standard_webhooks(tenant.id)) for tenant in await directory.list_tenants()]


def shown_time(instant: int) -> str:
    """An instant in UTC, to the second."""
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

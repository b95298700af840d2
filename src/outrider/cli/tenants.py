"""`outrider tenant`: who may use the server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from outrider.cli.flags import Config, Data
from outrider.cli.stores import Dev, with_directory
from outrider.cli.table import print_table

app = typer.Typer(no_args_is_help=True, help="Add, list and remove tenants.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant")]


@app.command("add")
def add(name: Name, *, data: Data = None, config: Config = None, dev: Dev = False) -> None:
    """Add a tenant and print the keys that sign its deliveries."""
    tenant, keys = with_directory(
        lambda directory: directory.create_tenant(name), data=data, config=config, dev=dev, create=True
    )
    typer.echo(f"QSTASH_CURRENT_SIGNING_KEY={keys.current}")
    typer.echo(f"QSTASH_NEXT_SIGNING_KEY={keys.next}")
    typer.echo(f"Added tenant '{tenant.name}'. Next: outrider token create --tenant {tenant.name}", err=True)


@app.command("list")
def list_(*, data: Data = None, config: Config = None, dev: Dev = False) -> None:
    """List the tenants."""
    tenants = with_directory(lambda directory: directory.list_tenants(), data=data, config=config, dev=dev)
    print_table(("name", "id", "created"), [(one.name, one.id, shown_time(one.created_at)) for one in tenants])


@app.command("remove")
def remove(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    data: Data = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Remove a tenant and everything it owns.

    That is its messages, logs, dead letters, keys and tokens. A running server notices within a second.
    """
    if not yes:
        typer.confirm(f"Remove tenant '{name}' with all its messages, logs and tokens?", abort=True, err=True)
    with_directory(lambda directory: directory.remove_tenant(name), data=data, config=config, dev=dev)
    typer.echo(f"Removed tenant '{name}'.", err=True)


def shown_time(instant: int) -> str:
    """An instant in UTC, to the second."""
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

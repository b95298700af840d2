"""`outrider token`: what a tenant's applications authenticate with."""

from __future__ import annotations

from typing import Annotated

import typer

from outrider.cli.flags import Config, Data, Database
from outrider.cli.stores import Dev, with_directory
from outrider.cli.table import print_table
from outrider.cli.tenants import shown_time
from outrider.domain.errors import NotFound
from outrider.domain.tenant import Scope, Tenant, Token
from outrider.engine.directory import Directory

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens.")

OfTenant = Annotated[str, typer.Option("--tenant", metavar="NAME", help="Name of the tenant")]
OfTenants = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Only of this tenant")]


@app.command("create")
def create(
    *,
    tenant: OfTenant,
    read_only: Annotated[bool, typer.Option("--read-only", help="It reads everything and changes nothing")] = False,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What it is for")] = "",
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Create a token and print it, this once: only its hash is stored."""
    scope = Scope.READ if read_only else Scope.FULL
    token, secret = with_directory(
        lambda directory: directory.create_token(tenant, scope, name),
        data=data,
        database=database,
        config=config,
        dev=dev,
    )
    typer.echo(secret)
    typer.echo(f"Created token {token.id} of tenant '{tenant}'. It is shown this once; keep it safe.", err=True)


@app.command("list")
def list_(
    *, tenant: OfTenants = None, data: Data = None, database: Database = None, config: Config = None, dev: Dev = False
) -> None:
    """List tokens: their ids and last four characters, never the tokens themselves."""
    owned = with_directory(
        lambda directory: _tokens(directory, tenant), data=data, database=database, config=config, dev=dev
    )
    print_table(
        ("id", "tenant", "scope", "ends in", "name", "created"),
        [
            (token.id, owner.name, token.scope.value, token.hint, token.name, shown_time(token.created_at))
            for owner, token in owned
        ],
    )


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the token, as `outrider token list` shows it")],
    *,
    tenant: OfTenants = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Revoke a token. A running server refuses it within a second."""
    with_directory(
        lambda directory: _revoke(directory, tenant, token_id), data=data, database=database, config=config, dev=dev
    )
    typer.echo(f"Revoked token {token_id}.", err=True)


async def _tokens(directory: Directory, tenant_name: str | None) -> list[tuple[Tenant, Token]]:
    """The tokens of one tenant, or of all, with their owners. Raises NotFound for an unknown tenant."""
    if tenant_name is not None:
        await directory.list_tokens(tenant_name)
    tenants = await directory.list_tenants()
    return [
        (tenant, token)
        for tenant in tenants
        if tenant_name in {None, tenant.name}
        for token in await directory.list_tokens(tenant.name)
    ]


async def _revoke(directory: Directory, tenant_name: str | None, token_id: str) -> None:
    for tenant, token in await _tokens(directory, tenant_name):
        if token.id == token_id:
            await directory.revoke_token(tenant.name, token_id)
            return
    raise NotFound(f"there is no token '{token_id}'", hint="`outrider token list` shows the ids")

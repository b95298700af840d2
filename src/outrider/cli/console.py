"""`outrider console`: how a person comes in to the console."""

from __future__ import annotations

from typing import Annotated

import typer

from outrider.cli.flags import Config, Data, Database
from outrider.cli.stores import Dev, with_store
from outrider.clock import SystemClock
from outrider.domain.audit import COMMAND_LINE
from outrider.domain.errors import Misconfigured, NotFound
from outrider.domain.tenant import Scope, Tenant
from outrider.engine.directory import Directory
from outrider.engine.sign_in_links import SignInLinks, link_to
from outrider.ports import Store
from outrider.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Sign in to the console.")


@app.command("link")
def link(
    *,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="NAME", help="Whose console [default: the only tenant]", show_default=False),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It sees everything and changes nothing")] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Where browsers reach the server [default: public_url, or host and port of the settings]",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Print a link that signs a browser in: once, within ten minutes."""
    scope = Scope.READ if read_only else Scope.FULL
    made = with_store(
        lambda store, settings: _link(store, settings, tenant, scope, url, is_dev=dev),
        data=data,
        database=database,
        config=config,
        dev=dev,
    )
    typer.echo(made)


async def _link(
    store: Store, settings: Settings, tenant_name: str | None, scope: Scope, url: str | None, *, is_dev: bool
) -> str:
    clock = SystemClock()
    directory = Directory(store, clock, None, actor=COMMAND_LINE)
    tenant = _chosen(await directory.list_tenants(), tenant_name, is_dev=is_dev)
    code = await SignInLinks(store, clock, directory).create(tenant, scope)
    return link_to((url or settings.public_url or _where(settings)).rstrip("/"), code)


def _chosen(tenants: list[Tenant], name: str | None, *, is_dev: bool) -> Tenant:
    """Raises NotFound, and Misconfigured where it is not clear which is meant."""
    for tenant in tenants:
        if name == tenant.name or (name is None and (is_dev or len(tenants) == 1)):
            return tenant
    if name is None and tenants:
        raise Misconfigured(f"there are {len(tenants)} tenants", hint="say which with --tenant NAME")
    raise NotFound(
        "there is no tenant yet" if name is None else f"tenant '{name}' does not exist",
        hint="`outrider tenant list` shows the names",
    )


def _where(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - to be replaced
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"

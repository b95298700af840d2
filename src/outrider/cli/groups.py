"""`outrider groups`: whether the endpoints of URL groups are of use."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from outrider.cli.flags import Config, Data, Database
from outrider.cli.stores import Dev, with_store
from outrider.cli.table import print_table
from outrider.clock import SystemClock
from outrider.domain.addresses import AddressPolicy
from outrider.domain.duration import format_duration, parse_duration
from outrider.domain.errors import Misconfigured, NotFound
from outrider.domain.health import EndpointHealth, check_window
from outrider.engine.directory import Directory
from outrider.engine.url_groups import UrlGroups
from outrider.ports import Store
from outrider.settings import Settings
from outrider.wire.health import present_health

app = typer.Typer(no_args_is_help=True, help="Look after the URL groups.")


class Audited(msgspec.Struct, frozen=True):
    """An endpoint and whose it is."""

    tenant: str
    group: str
    health: EndpointHealth


@app.command("audit")
def audit(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Only of this tenant")] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="DURATION",
            help="How far to look back, at most as long as the log is kept [default: 1d]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: a list of endpoints")] = False,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Print how the endpoints of all URL groups fare, and exit 1 if any is flagged.

    The flags are dead (no attempt in the window succeeded), never_succeeding (none did that the log
    remembers) and duplicate (two endpoints of a group are the same URL).
    """
    audited = with_store(
        lambda store, settings: _audit(store, settings, tenant, window),
        data=data,
        database=database,
        config=config,
        dev=dev,
    )
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode([_as_json(one) for one in audited])).decode())
    else:
        print_table(_COLUMNS, [_row(one) for one in audited])
    raise typer.Exit(1 if any(one.health.flags for one in audited) else 0)


async def _audit(store: Store, settings: Settings, tenant_name: str | None, window: str | None) -> list[Audited]:
    """Every endpoint of the tenant, or of all. Raises NotFound for an unknown tenant, Misconfigured for the window."""
    clock = SystemClock()
    window_ms = _window_ms(window, settings)
    tenants = await Directory(store, clock, None).list_tenants()
    if tenant_name is not None and tenant_name not in {tenant.name for tenant in tenants}:
        raise NotFound(f"tenant '{tenant_name}' does not exist", hint="`outrider tenant list` shows the names")
    groups = UrlGroups(store, clock, AddressPolicy(), settings.limits)
    return [
        Audited(tenant.name, group.name, health)
        for tenant in tenants
        if tenant_name in {None, tenant.name}
        for group in await groups.list(tenant.id)
        for health in await groups.health(tenant.id, group, window_ms)
    ]


def _window_ms(window: str | None, settings: Settings) -> int:
    try:
        return check_window(None if window is None else parse_duration(window), settings.limits.log_retention_ms)
    except ValueError as error:
        raise Misconfigured(f"--window {window!r} {error}", hint="write 6h or 1d") from None


def _as_json(audited: Audited) -> dict[str, object]:
    endpoint = audited.health.endpoint
    named = {} if endpoint.name is None else {"name": endpoint.name}
    health = present_health(audited.health)
    return {"tenant": audited.tenant, "group": audited.group, "url": endpoint.url, **named, **health}


_COLUMNS = ("tenant", "group", "endpoint", "attempts", "success", "p50", "p95", "flags", "last error")


def _row(audited: Audited) -> tuple[str, ...]:
    health = audited.health
    endpoint = health.endpoint
    return (
        audited.tenant,
        audited.group,
        endpoint.url if endpoint.name is None else f"{endpoint.name} ({endpoint.url})",
        str(health.attempts),
        "-" if health.success_rate is None else f"{health.success_rate:.1%}",
        _latency(health.p50_ms),
        _latency(health.p95_ms),
        " ".join(health.flags) or "-",
        health.last_error or "-",
    )


def _latency(ms: int | None) -> str:
    return "-" if ms is None else format_duration(ms)

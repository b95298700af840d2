"""`outrider audit`: who changed what."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from outrider.cli.flags import Config, Data, Database
from outrider.cli.stores import Dev, with_store
from outrider.cli.table import print_table
from outrider.cli.tenants import shown_time
from outrider.domain.audit import AuditEntry
from outrider.ports import Store


def audit(
    *,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="NAME", help="Only of this tenant; of one that was removed, by its id"),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="At most so many")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: a list of changes")] = False,
    data: Data = None,
    database: Database = None,
    config: Config = None,
    dev: Dev = False,
) -> None:
    """Print the administrative changes, latest first: who made them, when, and on what."""
    entries, names = with_store(
        lambda store, _: _entries(store, tenant, count), data=data, database=database, config=config, dev=dev
    )
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(entries)).decode())
        return
    print_table(
        ("time", "tenant", "who", "action", "on"),
        [
            (
                shown_time(entry.time),
                names.get(entry.tenant, entry.tenant) or "-",
                f"{entry.actor} (…{entry.hint})" if entry.hint else entry.actor,
                entry.action,
                entry.subject or "-",
            )
            for entry in entries
        ],
    )


async def _entries(store: Store, tenant: str | None, count: int) -> tuple[list[AuditEntry], dict[str, str]]:
    """The changes, and the names of the tenants that are still there, by id."""
    names = {one.id: one.name for one in await store.list_tenants()}
    ids = {name: id_ for id_, name in names.items()}
    return await store.list_changes(ids.get(tenant, tenant) if tenant else None, before=None, limit=count), names

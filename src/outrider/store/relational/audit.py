"""The audit log."""

from __future__ import annotations

from msgspec import structs

from outrider.domain.audit import AuditEntry
from outrider.domain.instant import Instant
from outrider.store.relational.connection import Connection


async def record_change(connection: Connection, entry: AuditEntry) -> None:
    said = structs.asdict(entry)
    del said["id"]
    await connection.execute("insert_change", **said)


async def last_change(connection: Connection, tenant: str, action: str) -> Instant | None:
    """When."""
    row = await connection.row("last_change", tenant=tenant, action=action)
    return None if row is None else row[0]


async def list_changes(connection: Connection, tenant: str | None, before: int | None, limit: int) -> list[AuditEntry]:
    """The latest first."""
    bounds = {"before": _NEVER if before is None else before, "limit": limit}
    rows = (
        await connection.fetch("list_changes", **bounds)
        if tenant is None
        else await connection.fetch("list_changes_of_tenant", tenant=tenant, **bounds)
    )
    return [AuditEntry(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


_NEVER = 2**62
"""Higher than any id."""

_COLUMNS = ("id", "time", "tenant", "actor", "hint", "action", "subject")

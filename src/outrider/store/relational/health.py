"""How attempts of endpoints ended, read off the log."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.event import EventKind
from outrider.domain.health import EndedAttempt, EndpointAttempts
from outrider.domain.instant import Instant
from outrider.store.relational.connection import Connection


class _Entry(Struct, array_like=True, frozen=True):
    id: int
    time: Instant
    duration_ms: int | None
    kind: EventKind


async def endpoint_attempts(connection: Connection, tenant: str, group: str, url: str, limit: int) -> EndpointAttempts:
    """The latest attempts of an endpoint, latest first."""
    entries = await connection.read("endpoint_attempts", _Entry, tenant=tenant, group=group, url=url, limit=limit)
    entries.sort(key=lambda entry: (entry.time, entry.id), reverse=True)
    failed = next((entry for entry in entries if entry.kind is EventKind.ERROR), None)
    error = (
        None
        if failed is None
        else await connection.row("error_of_event", tenant=tenant, id=failed.id, time=failed.time)
    )
    return EndpointAttempts(
        attempts=tuple(
            EndedAttempt(entry.time, entry.duration_ms or 0, entry.kind is EventKind.DELIVERED) for entry in entries
        ),
        last_error=None if error is None else error[0],
    )

"""Counts of what happened: added up when they are written, and again when they are read."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import json

from outrider.domain.activity import RESOLUTIONS, Row, Span
from outrider.domain.instant import Instant
from outrider.store.relational.connection import Connection


async def add_rows(connection: Connection, rows: Sequence[Row]) -> None:
    await connection.insert(
        "add_activity", [(row.tenant, row.step_ms, row.time, json.encode(row.counts).decode()) for row in rows]
    )


async def read_span(connection: Connection, tenant: str, span: Span) -> list[tuple[Instant, str, int]]:
    """The database adds up: a day of a busy tenant holds 100,000 counts."""
    return await connection.read(
        "read_activity",
        tuple[Instant, str, int],
        tenant=tenant,
        resolution=span.read_ms,
        begin=span.begin,
        end=span.end,
        step=span.step_ms,
    )


async def purge(connection: Connection, now: Instant, limit: int) -> int:
    """Remove up to `limit` rows of each resolution, how many."""
    return sum(
        [
            await connection.execute(
                "purge_activity", resolution=each.step_ms, before=now - each.kept_ms - each.step_ms, limit=limit
            )
            for each in RESOLUTIONS
        ]
    )

"""Counts of what happened: added to what is stored, and read as they are."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import json

from outrider.domain.activity import RESOLUTIONS, Counts, Row, Span
from outrider.domain.instant import Instant
from outrider.store.relational.connection import Connection


async def add_rows(connection: Connection, rows: Sequence[Row]) -> None:
    await connection.insert(
        "add_activity", [(row.tenant, row.step_ms, row.time, json.encode(row.counts).decode()) for row in rows]
    )


async def read_span(connection: Connection, tenant: str, span: Span) -> list[tuple[Instant, Counts]]:
    """As they are stored: a database takes ten times as long to add up what JSON holds."""
    rows = await connection.fetch(
        "read_activity", tenant=tenant, resolution=span.read_ms, begin=span.begin, end=span.end
    )
    return [(time, _COUNTS.decode(counts)) for time, counts in rows]


_COUNTS = json.Decoder(dict[str, int])


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

"""Keeping the store in order: removing what outlived its retention, and trying whether commits succeed."""

from __future__ import annotations

from outrider.domain.instant import Instant
from outrider.ports import Retention
from outrider.store.relational.connection import Connection


async def check(connection: Connection, now: Instant) -> None:
    """Write something small."""
    await connection.execute("check", now=now)


async def keep_fact(connection: Connection, name: str, value: str) -> str:
    """The fact of that name; this one if there was none."""
    await connection.execute("keep_fact", name=name, value=value)
    row = await connection.row("get_fact", name=name)
    assert row is not None
    fact: str = row[0]
    return fact


async def purge(connection: Connection, retention: Retention, limit: int) -> int:
    """Remove up to `limit` rows, how many; entries before their messages, dead letters before theirs."""
    removed = await connection.execute("purge_events", before=retention.logs_before, limit=limit)
    removed += await purge_beside_log(connection, retention, limit - removed)
    return removed + await connection.execute("purge_messages", before=retention.logs_before, limit=limit - removed)


async def purge_beside_log(connection: Connection, retention: Retention, limit: int) -> int:
    """The same for all but entries and messages."""
    before, now = retention.logs_before, retention.now
    removed = await connection.execute("purge_dead_letters", before=retention.dead_letters_before, limit=limit)
    removed += await connection.execute("purge_changes", before=retention.changes_before, limit=limit - removed)
    removed += await connection.execute("purge_deduplications", now=now, limit=limit - removed)
    tenants: list[str] = []
    if not connection.alone:
        tenants = await connection.read("idle_key_tenants", str, before=before, now=now, limit=limit - removed)
        await connection.lock_tenants(tenants)
    return removed + await connection.execute(
        "purge_flow_keys", before=before, now=now, limit=limit - removed, tenants=tenants
    )

"""Keeping the store in order: removing what outlived its retention, and trying whether commits succeed."""

from __future__ import annotations

from sqlite3 import Connection

from outrider.domain.instant import Instant
from outrider.ports import Retention
from outrider.store.sqlite.queries import SQL


def check(connection: Connection, now: Instant) -> None:
    """Write something small."""
    connection.execute(SQL["check"], {"now": now})


def purge(connection: Connection, retention: Retention, limit: int) -> int:
    """Remove up to `limit` rows, how many; entries before their messages, dead letters before theirs."""
    removed = 0
    for query, bound in (
        ("purge_events", {"before": retention.logs_before}),
        ("purge_dead_letters", {"before": retention.dead_letters_before}),
        ("purge_messages", {"before": retention.logs_before}),
        ("purge_deduplications", {"now": retention.now}),
        ("purge_flow_keys", {"before": retention.logs_before, "now": retention.now}),
    ):
        removed += connection.execute(SQL[query], {"limit": limit - removed, **bound}).rowcount
    return removed

"""How things stand with a tenant, and how large the database is."""

from __future__ import annotations

from collections import Counter

from outrider.domain.instant import Instant
from outrider.domain.message import MessageState, Progress, progress_of
from outrider.domain.status import Due, Standing
from outrider.store.relational.connection import Connection
from outrider.store.relational.schedules import next_fire_at


async def standing(connection: Connection, tenant: str, now: Instant, most: int) -> Standing:
    """Counts, at most `most` of unfinished messages and of dead letters."""
    in_flight: Counter[Progress | None] = Counter()
    due_at: Instant | None = None
    for name, attempted, is_due, count, first_due_at in await connection.fetch(
        "status_of_unfinished", tenant=tenant, now=now, limit=most
    ):
        state = MessageState(name)
        in_flight[progress_of(state, attempted, is_due=is_due)] += count
        if state is MessageState.DUE and is_due:
            due_at = first_due_at if due_at is None else min(due_at, first_due_at)
    dead_letters = await connection.count("status_of_dead_letters", tenant=tenant, limit=most)
    return Standing(
        in_flight={progress: in_flight[progress] for progress in Progress},
        dead_letters=dead_letters,
        queues=await connection.count("count_queues", tenant=tenant),
        schedules=await connection.count("count_schedules", tenant=tenant),
        oldest_due=None if due_at is None else await _due_since(connection, tenant, due_at),
        next_fire_at=await next_fire_at(connection),
        capped=most in {in_flight.total(), dead_letters},
    )


async def size_bytes(connection: Connection) -> int:
    return await connection.count("size_bytes")


async def _due_since(connection: Connection, tenant: str, due_at: Instant) -> Due | None:
    found = await connection.row("due_since", tenant=tenant, due_at=due_at)
    return None if found is None else Due(found[0], due_at)

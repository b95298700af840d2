"""Cancelling messages that are not finished yet."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.event import EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import MessageState
from outrider.domain.query import MessageFilter
from outrider.ports import Cancellation
from outrider.store.relational.connection import Connection
from outrider.store.relational.filters import Conditions
from outrider.store.relational.gates import Gates
from outrider.store.relational.messages import end_canceled, log_for_all


class _Cancelable(Struct, array_like=True, frozen=True):
    seq: int
    id: str
    state: MessageState


async def cancel(connection: Connection, tenant: str, which: MessageFilter, now: Instant, limit: int) -> Cancellation:
    """Cancel up to `limit`, oldest first: those that a node holds are asked for, the others end now."""
    await connection.lock_tenants([tenant])
    conditions = Conditions(connection, tenant, which, time="m.created_at")
    found = await connection.read_composed(
        conditions.put_into("find_cancelable"), _Cancelable, conditions.parameters | {"limit": limit + 1}
    )
    found.sort(key=lambda row: row.seq)
    chosen = found[:limit]
    held = [row for row in chosen if row.state is MessageState.LEASED]
    waiting = [row for row in chosen if row.state is not MessageState.LEASED]
    if chosen:
        await log_for_all(connection, [row.seq for row in chosen], EventKind.CANCEL_REQUESTED, now)
    if held:
        await connection.execute("request_cancellations", seqs=[row.seq for row in held])
    if waiting:
        ended = [row.seq for row in waiting]
        await end_canceled(connection, ended, now)
        gates = Gates(connection, now)
        await gates.leave(finished=ended)
        await gates.close()
    return Cancellation(
        canceled=tuple(row.id for row in waiting),
        requested=tuple(row.id for row in held),
        more=len(found) > limit,
    )

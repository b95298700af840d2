"""Cancelling messages that are not finished yet."""

from __future__ import annotations

from sqlite3 import Connection

from msgspec import Struct

from outrider.domain.event import EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import MessageState
from outrider.domain.query import MessageFilter
from outrider.ports import Cancellation
from outrider.store.sqlite.filters import Conditions
from outrider.store.sqlite.gates import Gates
from outrider.store.sqlite.messages import end_canceled, log_for_all
from outrider.store.sqlite.queries import SQL, listed, read_composed


class _Cancelable(Struct, array_like=True, frozen=True):
    seq: int
    id: str
    state: MessageState


def cancel(connection: Connection, tenant: str, which: MessageFilter, now: Instant, limit: int) -> Cancellation:
    """Cancel up to `limit`, oldest first: those that a node holds are asked for, the others end now."""
    conditions = Conditions(tenant, which, time="m.created_at")
    found = read_composed(
        connection,
        conditions.put_into("find_cancelable"),
        conditions.parameters | {"limit": limit + 1},
        _Cancelable,
    )
    found.sort(key=lambda row: row.seq)
    chosen = found[:limit]
    held = [row for row in chosen if row.state is MessageState.LEASED]
    waiting = [row for row in chosen if row.state is not MessageState.LEASED]
    if chosen:
        log_for_all(connection, [row.seq for row in chosen], EventKind.CANCEL_REQUESTED, now)
    if held:
        connection.execute(SQL["request_cancellations"], {"seqs": listed([row.seq for row in held])})
    if waiting:
        ended = [row.seq for row in waiting]
        end_canceled(connection, ended, now)
        gates = Gates(connection, now)
        gates.leave(finished=ended)
        gates.close()
    return Cancellation(
        canceled=tuple(row.id for row in waiting),
        requested=tuple(row.id for row in held),
        more=len(found) > limit,
    )

"""The log: entries are written and listed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from outrider.domain.event import IN_TROUBLE, Event, EventKind
from outrider.domain.instant import Instant
from outrider.domain.query import LogQuery, Page
from outrider.ports import LogEntry
from outrider.store.relational.connection import Connection
from outrider.store.relational.filters import Conditions, narrow
from outrider.store.relational.pages import Line, Listing, Position, read_lines
from outrider.store.relational.rows import EventRow, event_to_row

LOG = Listing(
    query="page_of_log",
    end_of_walk="end_of_log",
    time="e.time",
    id="e.id",
    mark="l",
    id_pattern="[0-9]{1,18}",
)

_IN_TROUBLE = ", ".join(f"'{kind}'" for kind in IN_TROUBLE)


class _Place(Struct, array_like=True, frozen=True):
    id: str
    tenant: str
    seq: int


async def record(connection: Connection, batches: Sequence[Sequence[Event]]) -> list[None]:
    """Store entries of several callers; those of messages that are gone are dropped."""
    events = [event for batch in batches for event in batch]
    ids = [event.message_id for event in events]
    places = await connection.read("seqs_of_messages", _Place, ids=ids)
    seqs = {(row.tenant, row.id): row.seq for row in places}
    await connection.insert(
        "insert_events",
        [
            event_to_row(seqs[event.tenant, event.message_id], event)
            for event in events
            if (event.tenant, event.message_id) in seqs
        ],
    )
    return [None] * len(batches)


def read_cursor(cursor: str | None) -> Position[int] | None:
    """Raises Malformed for a cursor that `list_log` did not give."""
    if cursor is None:
        return None
    position = LOG.read_cursor(cursor)
    return Position(position.time, int(position.id))


async def count_entries(connection: Connection, tenant: str, since: Instant, until: Instant) -> dict[EventKind, int]:
    return dict(await connection.read("count_entries", tuple[EventKind, int], tenant=tenant, since=since, until=until))


async def conditions_of(connection: Connection, tenant: str, query: LogQuery) -> Conditions:
    """What the query asks of entries and their messages."""
    conditions = Conditions(connection, tenant, query.filter, time="e.time", in_order=True)
    conditions.choose("e.kind {among}", "kinds", query.kinds)
    if query.kinds and set(query.kinds).issubset(IN_TROUBLE):
        # In the words of the index of those entries, without which a database does not see that it will do.
        conditions.bound(f"e.kind IN ({_IN_TROUBLE})")
    await narrow(connection, tenant, query.filter, conditions)
    return conditions


async def list_log(connection: Connection, tenant: str, query: LogQuery, after: Position[int] | None) -> Page[LogEntry]:
    """A page of entries with their messages."""
    conditions = await conditions_of(connection, tenant, query)
    page = await read_lines(
        connection,
        LOG,
        conditions,
        after=after,
        latest_first=query.latest_first,
        count=query.count,
        of=Line[int],
    )
    messages = await connection.read_messages(sorted({line.message for line in page.items}))
    rows = await connection.read(
        "events_by_id",
        EventRow,
        tenant=tenant,
        ids=[line.id for line in page.items],
        times=[line.time for line in page.items],
    )
    entries = {row.id: LogEntry(row.value(messages[row.message].id), messages[row.message]) for row in rows}
    return Page(tuple(entries[line.id] for line in page.items), page.cursor)

"""The log: entries are written and listed."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from msgspec import Struct

from outrider.domain.event import Event
from outrider.domain.query import LogQuery, Page
from outrider.ports import LogEntry
from outrider.store.sqlite.filters import Conditions
from outrider.store.sqlite.pages import Line, Listing, Position, read_lines
from outrider.store.sqlite.queries import insert_many, listed, read
from outrider.store.sqlite.rows import EventRow, event_to_row, read_messages

LOG = Listing(query="page_of_log", time="e.time", id="e.id", mark="l", id_pattern="[0-9]{1,18}")


class _Place(Struct, array_like=True, frozen=True):
    id: str
    tenant: str
    seq: int


def record(connection: Connection, batches: Sequence[Sequence[Event]]) -> list[None]:
    """Store entries of several callers; those of messages that are gone are dropped."""
    events = [event for batch in batches for event in batch]
    ids = listed([event.message_id for event in events])
    seqs = {(row.tenant, row.id): row.seq for row in read(connection, "seqs_of_messages", {"ids": ids}, _Place)}
    insert_many(
        connection,
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


def list_log(connection: Connection, tenant: str, query: LogQuery, after: Position[int] | None) -> Page[LogEntry]:
    """A page of entries with their messages."""
    conditions = Conditions(tenant, query.filter, time="e.time")
    conditions.choose("e.kind IN {wanted}", "kinds", query.kinds)
    page = read_lines(
        connection,
        LOG,
        conditions,
        after=after,
        latest_first=query.latest_first,
        count=query.count,
        of=Line[int],
    )
    messages = read_messages(connection, sorted({line.message for line in page.items}))
    rows = read(connection, "events_by_id", {"ids": listed([line.id for line in page.items])}, EventRow)
    entries = {row.id: LogEntry(row.value(messages[row.message].id), messages[row.message]) for row in rows}
    return Page(tuple(entries[line.id] for line in page.items), page.cursor)

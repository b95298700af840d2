"""Messages as people look for them: unfinished ones by when they are due, logged ones by what happened last."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.instant import Instant
from outrider.domain.message import MessageState, Progress
from outrider.domain.query import Count, LogQuery, MessageQuery, Page
from outrider.ports import MessageSummary
from outrider.store.relational.connection import Connection
from outrider.store.relational.filters import Conditions, narrow
from outrider.store.relational.log import conditions_of
from outrider.store.relational.pages import Line, Listing, Position, bound_walk, read_lines

WAITING = Listing(
    query="page_of_messages",
    end_of_walk="end_of_messages",
    time="m.due_at",
    id="m.seq",
    mark="m",
    id_pattern="[0-9]{1,18}",
)
LOGGED = Listing(
    query="page_of_logged",
    end_of_walk="end_of_log",
    time="e.time",
    id="e.id",
    mark="g",
    id_pattern="[0-9]{1,18}",
)

_PROGRESS = {
    Progress.ACTIVE: f"m.state = '{MessageState.LEASED}'",
    Progress.RETRYING: f"m.state = '{MessageState.DUE}' AND m.retried > 0",
    Progress.DELAYED: f"m.state = '{MessageState.DUE}' AND m.retried = 0 AND m.due_at > :now",
    Progress.WAITING: (
        f"m.state = '{MessageState.HELD}' OR (m.state = '{MessageState.DUE}' AND m.retried = 0 AND m.due_at <= :now)"
    ),
}
"""What `progress_of` says, of rows."""


class _SummaryRow(Struct, array_like=True, frozen=True):
    message: int
    entries: int
    first_at: Instant
    last_at: Instant
    attempts: int
    outcome: tuple[int | None, str | None] | None


def read_cursor(listing: Listing, cursor: str | None) -> Position[int] | None:
    """Raises Malformed for a cursor that this listing did not give."""
    if cursor is None:
        return None
    position = listing.read_cursor(cursor)
    return Position(position.time, int(position.id))


async def list_messages(
    connection: Connection, tenant: str, query: MessageQuery, after: Position[int] | None, now: Instant
) -> Page[MessageSummary]:
    """A page of unfinished messages, soonest due first."""
    conditions = await _unfinished(connection, tenant, query, now)
    page = await read_lines(
        connection, WAITING, conditions, after=after, latest_first=False, count=query.count, of=Line[int]
    )
    return await _summarised(connection, page)


async def count_messages(connection: Connection, tenant: str, query: MessageQuery, now: Instant) -> Count:
    """How many there are among the first that a page may look at."""
    conditions = await _unfinished(connection, tenant, query, now)
    end = await bound_walk(connection, WAITING, conditions, latest_first=False)
    (number,) = await connection.read_composed(conditions.put_into("count_unfinished"), int, conditions.parameters)
    return Count(number, capped=end is not None)


async def list_logged(
    connection: Connection, tenant: str, query: LogQuery, after: Position[int] | None
) -> Page[MessageSummary]:
    """A page of messages by the latest of their entries that were asked for."""
    conditions = await conditions_of(connection, tenant, query)
    page = await read_lines(
        connection, LOGGED, conditions, after=after, latest_first=True, count=query.count, of=Line[int]
    )
    return await _summarised(connection, page)


async def _unfinished(connection: Connection, tenant: str, query: MessageQuery, now: Instant) -> Conditions:
    conditions = Conditions(connection, tenant, query.filter, time="m.created_at")
    if query.progress:
        wanted = " OR ".join(f"({_PROGRESS[progress]})" for progress in sorted(set(query.progress)))
        conditions.require(f"({wanted})", **({"now": now} if ":now" in wanted else {}))
    await narrow(connection, tenant, query.filter, conditions)
    return conditions


async def _summarised(connection: Connection, page: Page[Line[int]]) -> Page[MessageSummary]:
    seqs = sorted({line.message for line in page.items})
    messages = await connection.read_messages(seqs)
    rows = {row.message: row for row in await connection.read("summaries_of_messages", _SummaryRow, seqs=seqs)}
    summaries: list[MessageSummary] = []
    for line in page.items:
        row = rows[line.message]
        status, error = row.outcome or (None, None)
        summaries.append(
            MessageSummary(messages[line.message], row.entries, row.first_at, row.last_at, row.attempts, status, error)
        )
    return Page(tuple(summaries), page.cursor)

"""The dead-letter queue."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from outrider.domain.errors import LimitReached, NotFound
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message
from outrider.domain.query import Clusters, Count, DeadLetterCluster, DeadLetterQuery, Page
from outrider.ports import Receipt
from outrider.store.relational.connection import Connection
from outrider.store.relational.filters import Conditions
from outrider.store.relational.messages import add
from outrider.store.relational.pages import Line, Listing, Position, bound_walk, read_lines
from outrider.store.relational.rows import DeadLetterRow

DEAD_LETTERS = Listing(
    query="page_of_dead_letters",
    end_of_walk="end_of_dead_letters",
    time="d.failed_at",
    id="d.id",
    mark="d",
    id_pattern=".{1,200}",
)

MOST_CLUSTERS = 100


def read_cursor(cursor: str | None) -> Position[str] | None:
    """Raises Malformed for a cursor that `list_dead_letters` did not give."""
    return None if cursor is None else DEAD_LETTERS.read_cursor(cursor)


async def list_dead_letters(
    connection: Connection, tenant: str, query: DeadLetterQuery, after: Position[str] | None
) -> Page[DeadLetter]:
    """A page of dead letters with their messages."""
    conditions = _conditions(connection, tenant, query)
    page = await read_lines(
        connection,
        DEAD_LETTERS,
        conditions,
        after=after,
        latest_first=query.latest_first,
        count=query.count,
        of=Line[str],
    )
    letters = await _read_letters(connection, tenant, [line.id for line in page.items])
    return Page(tuple(letters[line.id] for line in page.items), page.cursor)


async def count_dead_letters(connection: Connection, tenant: str, query: DeadLetterQuery) -> Count:
    conditions = _conditions(connection, tenant, query)
    end = await bound_walk(connection, DEAD_LETTERS, conditions, latest_first=True)
    (number,) = await connection.read_composed(conditions.put_into("count_dead_letters"), int, conditions.parameters)
    return Count(number, capped=end is not None)


class _ClusterRow(Struct, array_like=True, frozen=True):
    response_status: int
    host: str
    error: str
    count: int
    newest_at: Instant


async def cluster_dead_letters(connection: Connection, tenant: str, query: DeadLetterQuery) -> Clusters:
    """The largest clusters of what `count_dead_letters` counts."""
    conditions = _conditions(connection, tenant, query)
    end = await bound_walk(connection, DEAD_LETTERS, conditions, latest_first=True)
    parameters = conditions.parameters | {"limit": MOST_CLUSTERS}
    rows = await connection.read_composed(conditions.put_into("clusters_of_dead_letters"), _ClusterRow, parameters)
    (number,) = await connection.read_composed(conditions.put_into("count_dead_letters"), int, conditions.parameters)
    return Clusters(
        tuple(DeadLetterCluster(**structs.asdict(row)) for row in rows), Count(number, capped=end is not None)
    )


def _conditions(connection: Connection, tenant: str, query: DeadLetterQuery) -> Conditions:
    conditions = Conditions(connection, tenant, query.filter, time="d.failed_at", in_order=True)
    conditions.choose_rows(
        "d.seq IN (SELECT seq FROM dead_letters WHERE tenant = :tenant AND id {among})", "letter_ids", query.ids
    )
    conditions.choose(
        "coalesce(d.response_status, 0) {among}", "response_statuses", query.response_statuses, of="bigint"
    )
    return conditions


async def get_dead_letter(connection: Connection, tenant: str, dead_letter_id: str) -> DeadLetter | None:
    return (await _read_letters(connection, tenant, [dead_letter_id])).get(dead_letter_id)


async def _read_letters(connection: Connection, tenant: str, ids: Sequence[str]) -> dict[str, DeadLetter]:
    rows = await connection.read("dead_letters_by_id", DeadLetterRow, tenant=tenant, ids=ids)
    messages = await connection.read_messages_of_dead_letters(sorted({row.message for row in rows}))
    return {row.id: row.value(messages[row.message]) for row in rows}


async def delete_dead_letters(connection: Connection, tenant: str, dead_letter_ids: Sequence[str]) -> int:
    """Delete those that exist; how many did."""
    return await connection.execute("delete_dead_letters", tenant=tenant, ids=dead_letter_ids)


async def retry_dead_letters(
    connection: Connection, tenant: str, retries: Sequence[tuple[str, Message]], now: Instant
) -> list[Receipt]:
    """Replace dead letters by new messages. Raises NotFound, before anything is changed, for an id that is gone."""
    await connection.lock_tenants([tenant])
    ids = [dead_letter_id for dead_letter_id, _ in retries]
    there = set(await connection.read("which_dead_letters", str, tenant=tenant, ids=ids))
    for dead_letter_id in ids:
        if dead_letter_id not in there:
            raise NotFound(
                f"dead letter '{dead_letter_id}' does not exist: it was retried, deleted, or is past its retention",
                code="dead_letter_not_found",
            )
        # One dead letter becomes one message, however often it is named.
        there.remove(dead_letter_id)
    await delete_dead_letters(connection, tenant, ids)
    (receipts,) = await add(connection, [([message for _, message in retries], now, None)])
    if isinstance(receipts, LimitReached):
        raise receipts
    return receipts

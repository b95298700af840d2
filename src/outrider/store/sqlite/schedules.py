"""Schedules: kept, and fired in one transaction with the messages that a fire publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sqlite3 import Connection

from msgspec import Struct, json, structs

from outrider.domain.errors import LimitReached, TooMany
from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.schedule import Schedule
from outrider.ports import Receipt
from outrider.store.sqlite.messages import add
from outrider.store.sqlite.queries import SQL, listed, read


def put_schedule(connection: Connection, schedule: Schedule, *, most: int) -> None:
    """Create or overwrite. Raises TooMany if it is new and its tenant has `most` of them."""
    before = get_schedule(connection, schedule.tenant, schedule.id)
    if before is None:
        _check_room(connection, schedule.tenant, most)
        _write(connection, schedule)
    else:
        _write(connection, structs.replace(schedule, created_at=before.created_at))


def change_schedule(
    connection: Connection, tenant: str, schedule_id: str, change: Callable[[Schedule], Schedule]
) -> Schedule | None:
    """The schedule as it now is, None if it is unknown."""
    before = get_schedule(connection, tenant, schedule_id)
    if before is None:
        return None
    after = change(before)
    if after != before:
        _write(connection, after)
    return after


def delete_schedule(connection: Connection, tenant: str, schedule_id: str) -> bool:
    """Whether there was one."""
    return connection.execute(SQL["delete_schedule"], {"tenant": tenant, "id": schedule_id}).rowcount > 0


def get_schedule(connection: Connection, tenant: str, schedule_id: str) -> Schedule | None:
    row = connection.execute(SQL["get_schedule"], {"tenant": tenant, "id": schedule_id}).fetchone()
    return None if row is None else _schedule_of(row)


def list_schedules(connection: Connection, tenant: str) -> list[Schedule]:
    return [_schedule_of(row) for row in connection.execute(SQL["list_schedules"], {"tenant": tenant}).fetchall()]


def due_schedules(connection: Connection, now: Instant, limit: int) -> list[Schedule]:
    """Of all tenants, earliest first."""
    rows = connection.execute(SQL["due_schedules"], {"now": now, "limit": limit}).fetchall()
    return [_schedule_of(row) for row in rows]


def next_fire_at(connection: Connection) -> Instant | None:
    row = connection.execute(SQL["next_fire_at"]).fetchone()
    return None if row is None else row[0]


def fire_schedule(
    connection: Connection,
    before: Schedule,
    after: Schedule,
    messages: Sequence[Message],
    now: Instant,
    *,
    per_day: int | None,
) -> list[Receipt] | None:
    """Add the messages and advance the schedule; nothing if it is `before` no more. Raises LimitReached like `add`."""
    if get_schedule(connection, before.tenant, before.id) != before:
        return None
    (receipts,) = add(connection, [(messages, now, per_day)])
    if isinstance(receipts, LimitReached):
        raise receipts
    _write(connection, after)
    return receipts


class _StateRow(Struct, array_like=True, frozen=True):
    id: str
    state: MessageState


def message_states(connection: Connection, tenant: str, message_ids: Sequence[str]) -> dict[str, MessageState]:
    """The states of those messages that are still there."""
    rows = read(connection, "message_states", {"tenant": tenant, "ids": listed(message_ids)}, _StateRow)
    return {row.id: row.state for row in rows}


def _write(connection: Connection, schedule: Schedule) -> None:
    connection.execute(
        SQL["put_schedule"],
        {
            "tenant": schedule.tenant,
            "id": schedule.id,
            "next_fire_at": schedule.next_fire_at,
            "created_at": schedule.created_at,
            "schedule": listed(structs.replace(schedule, body=b"")),
            "body": schedule.body,
        },
    )


def _schedule_of(row: tuple[str, bytes]) -> Schedule:
    schedule, body = row
    return structs.replace(json.decode(schedule, type=Schedule), body=body)


def _check_room(connection: Connection, tenant: str, most: int) -> None:
    (there,) = connection.execute(SQL["count_schedules"], {"tenant": tenant}).fetchone()
    if there >= most:
        raise TooMany(
            f"one more would exceed the limit of {most} schedules",
            code="too_many_schedules",
            hint="delete one that is not needed any more, or raise limits.schedules",
        )

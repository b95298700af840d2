"""Schedules: kept, and fired in one transaction with the messages that a fire publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, json, structs

from outrider.domain.errors import LimitReached, TooMany
from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.schedule import Schedule, overwrite
from outrider.ports import Receipt
from outrider.store.relational.connection import Connection
from outrider.store.relational.messages import add
from outrider.store.relational.rows import as_json


async def put_schedule(connection: Connection, schedule: Schedule, *, most: int) -> None:
    """Create or overwrite. Raises TooMany if it is new and its tenant has `most` of them."""
    await connection.lock_tenants([schedule.tenant])
    before = await get_schedule(connection, schedule.tenant, schedule.id)
    if before is None:
        await _check_room(connection, schedule.tenant, most)
        await _write(connection, schedule)
    else:
        await _write(connection, overwrite(before, schedule))


async def change_schedule(
    connection: Connection, tenant: str, schedule_id: str, change: Callable[[Schedule], Schedule]
) -> Schedule | None:
    """The schedule as it now is, None if it is unknown."""
    await connection.lock_tenants([tenant])
    before = await get_schedule(connection, tenant, schedule_id)
    if before is None:
        return None
    after = change(before)
    if after != before:
        await _write(connection, after)
    return after


async def delete_schedule(connection: Connection, tenant: str, schedule_id: str) -> bool:
    """Whether there was one."""
    await connection.lock_tenants([tenant])
    return await connection.execute("delete_schedule", tenant=tenant, id=schedule_id) > 0


async def get_schedule(connection: Connection, tenant: str, schedule_id: str) -> Schedule | None:
    row = await connection.row("get_schedule", tenant=tenant, id=schedule_id)
    return None if row is None else _schedule_of(row)


async def list_schedules(connection: Connection, tenant: str) -> list[Schedule]:
    return [_schedule_of(row) for row in await connection.fetch("list_schedules", tenant=tenant)]


async def due_schedules(connection: Connection, now: Instant, limit: int) -> list[Schedule]:
    """Of all tenants, earliest first."""
    rows = await connection.fetch("due_schedules", now=now, limit=limit)
    return [_schedule_of(row) for row in rows]


async def next_fire_at(connection: Connection) -> Instant | None:
    row = await connection.row("next_fire_at")
    return None if row is None else row[0]


async def fire_schedule(
    connection: Connection,
    before: Schedule,
    after: Schedule,
    messages: Sequence[Message],
    now: Instant,
    *,
    per_day: int | None,
) -> list[Receipt] | None:
    """Add the messages and advance the schedule; nothing if it is `before` no more. Raises LimitReached like `add`."""
    await connection.lock_tenants([before.tenant])
    if await get_schedule(connection, before.tenant, before.id) != before:
        return None
    (receipts,) = await add(connection, [(messages, now, per_day)])
    if isinstance(receipts, LimitReached):
        raise receipts
    await _write(connection, after)
    return receipts


class _StateRow(Struct, array_like=True, frozen=True):
    id: str
    state: MessageState


async def message_states(connection: Connection, tenant: str, message_ids: Sequence[str]) -> dict[str, MessageState]:
    """The states of those messages that are still there."""
    rows = await connection.read("message_states", _StateRow, tenant=tenant, ids=message_ids)
    return {row.id: row.state for row in rows}


async def _write(connection: Connection, schedule: Schedule) -> None:
    await connection.execute(
        "put_schedule",
        tenant=schedule.tenant,
        id=schedule.id,
        next_fire_at=schedule.next_fire_at,
        created_at=schedule.created_at,
        schedule=as_json(structs.replace(schedule, body=b"")),
        body=schedule.body,
    )


def _schedule_of(row: Sequence[Any]) -> Schedule:
    schedule, body = row
    return structs.replace(json.decode(schedule, type=Schedule), body=body)


async def _check_room(connection: Connection, tenant: str, most: int) -> None:
    there = await connection.count("count_schedules", tenant=tenant)
    if there >= most:
        raise TooMany(
            f"one more would exceed the limit of {most} schedules",
            code="too_many_schedules",
            hint="delete one that is not needed any more, or raise limits.schedules",
        )

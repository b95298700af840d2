"""Queues, and the slots that their messages take in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, structs

from outrider.domain.errors import TooMany
from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.domain.queue import Oldest, Queue, free
from outrider.store.relational.connection import Connection, Row

RELEASE_MOST = 500
"""Most messages that one transaction lets through, so that it stays short."""

OPEN_MOST = 100
"""Most gates that one claim opens."""


class QueueRow(Struct, array_like=True, frozen=True):
    """What the queries read of a queue, in their order."""

    id: int
    tenant: str
    name: str
    parallelism: int
    paused: int
    created_at: Instant
    updated_at: Instant
    in_use: int
    waiting: int

    def value(self) -> Queue:
        return Queue(
            name=self.name,
            parallelism=self.parallelism,
            paused=bool(self.paused),
            created_at=self.created_at,
            updated_at=self.updated_at,
            in_use=self.in_use,
            waiting=self.waiting,
        )


class OldestRow(Struct, array_like=True, frozen=True):
    """A queue's oldest message."""

    name: str
    id: str
    created_at: Instant


class Line:
    """A queue while a transaction has to do with it."""

    __slots__ = ("id", "queue", "stored")

    def __init__(self, row: QueueRow) -> None:
        self.id = row.id
        self.queue = self.stored = row.value()

    def takes(self) -> bool:
        """Whether a newcomer takes a slot; it stands in line if not."""
        queue = self.queue
        if free(queue) and not queue.waiting:
            self.queue = structs.replace(queue, in_use=queue.in_use + 1)
            return True
        self.queue = structs.replace(queue, waiting=queue.waiting + 1)
        return False

    @property
    def room(self) -> int:
        """How many of the line may take slots now."""
        return min(free(self.queue), self.queue.waiting)

    def change(self, *, in_use: int = 0, waiting: int = 0) -> None:
        """Add to the counts."""
        self.queue = structs.replace(
            self.queue, in_use=self.queue.in_use + in_use, waiting=self.queue.waiting + waiting
        )


class Lines:
    """The queues that one transaction has to do with: each is read once and written once."""

    def __init__(self, connection: Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now
        self._by_id: dict[int, Line] = {}
        self._by_name: dict[tuple[str, str], Line] = {}

    async def meet(self, messages: Iterable[Message]) -> None:
        """Read the queues of these messages; those that do not exist are made."""
        await self.make(sorted({(message.tenant, message.queue) for message in messages if message.queue is not None}))

    async def make(self, names: Sequence[tuple[str, str]]) -> None:
        """The same for queues by tenant and name."""
        await self.find(names)
        missing = [name for name in names if name not in self._by_name]
        await self._connection.insert("make_queues", [(*name, self._now, self._now) for name in missing])
        await self.find(missing)

    async def find(self, names: Sequence[tuple[str, str]]) -> None:
        """Read those of the queues that exist."""
        unread = [name for name in names if name not in self._by_name]
        if unread:
            await self._read("queues_by_name", unread)

    async def meet_opening(self, tenants: Sequence[str]) -> None:
        """Read the queues that are to be opened; of these tenants, where others may open some too."""
        found = await self._connection.read("queues_opening", int, now=self._now, limit=OPEN_MOST, tenants=tenants)
        await self.load(found)

    async def load(self, ids: Iterable[int]) -> None:
        """Read queues by their ids; deleted ones are left out."""
        unread = sorted(set(ids) - self._by_id.keys())
        if unread:
            await self._read("queues_by_id", unread)

    def of(self, message: Message) -> Line:
        return self._by_name[message.tenant, message.queue or ""]

    def named(self, tenant: str, name: str) -> Line | None:
        return self._by_name.get((tenant, name))

    def leave(self, queue: int) -> None:
        """Somebody leaves the line."""
        self._by_id[queue].change(waiting=-1)

    def free(self, queue: int) -> None:
        """Somebody is done with a slot; one of a deleted queue is nobody's."""
        if queue in self._by_id:
            self._by_id[queue].change(in_use=-1)

    async def release(self) -> None:
        """Give free slots to those in front."""
        released: list[int] = []
        for line in self._by_id.values():
            room = min(line.room, RELEASE_MOST - len(released))
            if room > 0:
                first = await self._connection.read("first_in_line", int, gate=line.id, limit=room)
                line.change(in_use=len(first), waiting=-len(first))
                released += first
        if released:
            await self._connection.execute("take_slots", messages=released)
            await self._connection.execute("let_through", messages=released, now=self._now)

    async def write(self) -> None:
        """Store what has changed."""
        changed = [line for line in self._by_id.values() if line.queue is not line.stored]
        await self._connection.insert("write_queues", [self._to_row(line) for line in changed])

    def _to_row(self, line: Line) -> Row:
        """The columns of `write_queues`."""
        queue = line.queue
        opens_at = self._now if line.room else None
        return (line.id, queue.parallelism, queue.paused, queue.updated_at, queue.in_use, queue.waiting, opens_at)

    async def _read(self, query: str, wanted: Sequence[object]) -> None:
        for row in await self._connection.read(query, QueueRow, wanted=wanted):
            if row.id not in self._by_id:
                self._by_id[row.id] = self._by_name[row.tenant, row.name] = Line(row)


async def change_queue(
    connection: Connection, tenant: str, name: str, change: Callable[[Queue | None], Queue], now: Instant, *, most: int
) -> Queue:
    """Make or change a queue, and let through what takes its slots. Raises TooMany, before anything is changed."""
    await connection.lock_tenants([tenant])
    lines = Lines(connection, now)
    await lines.find([(tenant, name)])
    line = lines.named(tenant, name)
    wanted = change(None if line is None else line.queue)
    if line is None:
        await _check_room(connection, tenant, name, most)
        await lines.make([(tenant, name)])
        line = lines.named(tenant, name)
        assert line is not None
    line.queue = structs.replace(
        line.queue, parallelism=wanted.parallelism, paused=wanted.paused, updated_at=wanted.updated_at
    )
    await lines.release()
    await lines.write()
    return line.queue


async def _check_room(connection: Connection, tenant: str, name: str, most: int) -> None:
    if await connection.count("count_queues", tenant=tenant) >= most:
        raise TooMany(
            f"queue '{name}' would be one more than the {most} that there may be",
            code="too_many_queues",
            hint="delete a queue that is not used any more, or raise the limit",
        )


async def get_queue(connection: Connection, tenant: str, name: str) -> Queue | None:
    rows = await connection.read("queues_by_name", QueueRow, wanted=[(tenant, name)])
    return rows[0].value() if rows else None


async def list_queues(connection: Connection, tenant: str) -> list[Queue]:
    """By name."""
    return [row.value() for row in await connection.read("queues_of_tenant", QueueRow, tenant=tenant)]


async def oldest_in_queues(connection: Connection, tenant: str, name: str | None) -> dict[str, Oldest]:
    """By name, of one or all."""
    rows = await connection.read("oldest_in_queues", OldestRow, tenant=tenant, name=name)
    return {row.name: Oldest(row.id, row.created_at) for row in rows}


async def delete_queue(connection: Connection, tenant: str, name: str) -> bool:
    """Delete a queue in whose line nothing waits; whether it is gone."""
    await connection.lock_tenants([tenant])
    queue = await get_queue(connection, tenant, name)
    if queue is not None and queue.waiting:
        return False
    await connection.execute("delete_queue", tenant=tenant, name=name)
    return True

"""Flow-control keys, and the lists on which messages wait for them. The rules are in `domain/flow_control.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from outrider.domain import flow_control
from outrider.domain.flow_control import KeyState, budget, opens_at
from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.store.relational.connection import Connection, Row
from outrider.store.relational.queues import OPEN_MOST, RELEASE_MOST


class KeyRow(Struct, array_like=True, frozen=True):
    """What the queries read of a key, in their order."""

    id: int
    tenant: str
    key: str
    next_place: int
    opens_at: Instant | None
    parallelism: int | None
    rate: int | None
    period_ms: int
    paused: int
    pinned_parallelism: int
    pinned_rate: int
    in_flight: int
    window_started_at: Instant | None
    window_count: int
    waiting: int

    def value(self) -> KeyState:
        return KeyState(
            parallelism=self.parallelism,
            rate=self.rate,
            period_ms=self.period_ms,
            paused=bool(self.paused),
            pinned_parallelism=bool(self.pinned_parallelism),
            pinned_rate=bool(self.pinned_rate),
            in_flight=self.in_flight,
            window_started_at=self.window_started_at,
            window_count=self.window_count,
            waiting=self.waiting,
        )


class Key:
    """A key while a transaction has to do with it."""

    __slots__ = ("id", "next_place", "state", "stored")

    def __init__(self, row: KeyRow) -> None:
        self.id = row.id
        self.state = row.value()
        self.next_place = row.next_place
        self.stored = (self.state, row.next_place, row.opens_at)

    def admits(self, now: Instant) -> bool:
        """Whether a newcomer may start: there is room, and nobody waits."""
        return not self.state.waiting and budget(self.state, now) != 0

    def start(self, now: Instant) -> int:
        """A newcomer starts; the place that it would have on the list."""
        self.state = flow_control.start(self.state, now)
        return self._take_place()

    def hold(self) -> int:
        """A newcomer must wait; its place on the list."""
        self.state = flow_control.hold(self.state)
        return self._take_place()

    def room(self, now: Instant) -> int:
        """How many of the list may start now."""
        allowed = budget(self.state, now)
        return self.state.waiting if allowed is None else min(allowed, self.state.waiting)

    def opens_at(self, now: Instant) -> Instant | None:
        """When a claim has to look after the list."""
        if not self.state.waiting:
            return None
        return now if self.room(now) else opens_at(self.state, now)

    def _take_place(self) -> int:
        self.next_place += 1
        return self.next_place - 1


class WaitLists:
    """The keys that one transaction has to do with: each is read once and written once."""

    def __init__(self, connection: Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now
        self._by_id: dict[int, Key] = {}
        self._by_name: dict[tuple[str, str], Key] = {}

    async def meet(self, messages: Sequence[Message]) -> None:
        """Read the keys of these messages; one that does not exist is made, with the limits of the first."""
        wanted: dict[tuple[str, str], Message] = {}
        for message in messages:
            if message.options.flow_control is not None:
                wanted.setdefault((message.tenant, message.options.flow_control.key), message)
        await self.find(list(wanted))
        missing = [name for name in wanted if name not in self._by_name]
        await self._connection.insert("make_flow_keys", [(*name, self._now) for name in missing])
        await self.find(missing)
        for name in missing:
            self.configure(wanted[name])

    async def find(self, names: Sequence[tuple[str, str]]) -> None:
        """Read those of the keys that exist."""
        unread = [name for name in names if name not in self._by_name]
        if unread:
            await self._read("flow_keys_by_name", unread)

    async def meet_opening(self, tenants: Sequence[str]) -> None:
        """Read the keys that are to be opened; of these tenants, where others may open some too."""
        found = await self._connection.read("flow_keys_opening", int, now=self._now, limit=OPEN_MOST, tenants=tenants)
        await self.load(found)

    async def load(self, ids: Iterable[int]) -> None:
        """Read keys by their ids."""
        unread = sorted(set(ids) - self._by_id.keys())
        if unread:
            await self._read("flow_keys_by_id", unread)

    def of(self, message: Message) -> Key:
        """The key of a message that has one."""
        assert message.options.flow_control is not None
        return self._by_name[message.tenant, message.options.flow_control.key]

    def named(self, tenant: str, key: str) -> Key | None:
        return self._by_name.get((tenant, key))

    def configure(self, message: Message) -> None:
        """The message brings its limits to its key, if it has one."""
        wanted = message.options.flow_control
        if wanted is not None:
            key = self.of(message)
            key.state = flow_control.configure(key.state, wanted, self._now)

    def end(self, key: int) -> None:
        """A delivery has ended."""
        self._by_id[key].state = flow_control.end(self._by_id[key].state)

    def drop(self, key: int) -> None:
        """Somebody who waited is cancelled."""
        self._by_id[key].state = flow_control.drop(self._by_id[key].state)

    def hold_again(self, key: int) -> None:
        """Somebody who was admitted waits where it stood."""
        self._by_id[key].state = flow_control.hold(self._by_id[key].state)

    async def release(self) -> None:
        """Admit those who have waited longest, as far as there is room."""
        released: list[int] = []
        for key in self._by_id.values():
            room = min(key.room(self._now), RELEASE_MOST - len(released))
            if room > 0:
                first = await self._connection.read("first_on_list", int, gate=key.id, limit=room)
                key.state = flow_control.start(key.state, self._now, len(first))
                released += first
        if released:
            await self._connection.execute("admit", messages=released)
            await self._connection.execute("let_through", messages=released, now=self._now)

    async def write(self) -> None:
        """Store what has changed."""
        rows = [
            self._to_row(key, opening)
            for key in self._by_id.values()
            if (key.state, key.next_place, opening := key.opens_at(self._now)) != key.stored
        ]
        await self._connection.insert("write_flow_keys", rows)

    def _to_row(self, key: Key, opening: Instant | None) -> Row:
        """The columns of `write_flow_keys`."""
        state = key.state
        return (
            key.id,
            key.next_place,
            opening,
            self._now,
            state.parallelism,
            state.rate,
            state.period_ms,
            state.paused,
            state.pinned_parallelism,
            state.pinned_rate,
            state.in_flight,
            state.window_started_at,
            state.window_count,
            state.waiting,
        )

    async def _read(self, query: str, wanted: Sequence[object]) -> None:
        for row in await self._connection.read(query, KeyRow, wanted=wanted):
            if row.id not in self._by_id:
                self._by_id[row.id] = self._by_name[row.tenant, row.key] = Key(row)


async def change_flow_key(
    connection: Connection, tenant: str, key: str, change: Callable[[KeyState], KeyState], now: Instant
) -> KeyState | None:
    """Change a key, and admit what it then may; None if it is unknown."""
    await connection.lock_tenants([tenant])
    lists = WaitLists(connection, now)
    await lists.find([(tenant, key)])
    found = lists.named(tenant, key)
    if found is None:
        return None
    found.state = change(found.state)
    await lists.release()
    await lists.write()
    return found.state


async def get_flow_key(connection: Connection, tenant: str, key: str) -> KeyState | None:
    rows = await connection.read("flow_keys_by_name", KeyRow, wanted=[(tenant, key)])
    return rows[0].value() if rows else None


async def list_flow_keys(connection: Connection, tenant: str, search: str, limit: int) -> list[tuple[str, KeyState]]:
    """Keys that contain `search`, by name."""
    rows = await connection.read("flow_keys_of_tenant", KeyRow, tenant=tenant, search=search, limit=limit)
    return [(row.key, row.value()) for row in rows]

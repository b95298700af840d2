"""What happens to a tenant's messages, told while it happens to who listens; nothing is done where nobody does.

Each quarter of a second, listeners are told what kinds of things have changed, and each second how much has happened.
This process's events are counted as they come. Where other processes serve from the same store, what is counted is
the log's entries instead, which holds everybody's. Administrative changes are seen in the audit log, whoever made
them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from outrider.domain.errors import Unavailable
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import SECOND_MS, Instant
from outrider.ports import Clock, Observer, Store

TICK_MS = 250
TICKS_A_SECOND = SECOND_MS // TICK_MS
LAG_MS = 400
"""How long after an entry's time it is taken to be committed, by whichever node."""

MOST_CATCHING_UP_MS = 5 * SECOND_MS
"""Of what happened before a longer outage of the store, no more than this is counted."""

MOST_LISTENERS = 200
MOST_UNREAD = 64
"""A listener with so much unread is let go: what it would read is old."""

CHANGES_READ = 20

_OF_ANY_EVENT = frozenset({"messages", "logs", "queues", "flowControl"})
_OF_KIND = {
    EventKind.CREATED: frozenset({"schedules"}),
    EventKind.DELIVERED: frozenset({"schedules"}),
    EventKind.CANCELED: frozenset({"schedules"}),
    EventKind.FAILED: frozenset({"schedules", "dlq"}),
}
_OF_ACTION = {
    "dead_letter": "dlq",
    "flow_key": "flowControl",
    "messages": "messages",
    "queue": "queues",
    "schedule": "schedules",
    "token": "tokens",
    "url_group": "urlGroups",
}
"""Topics by the first word of an administrative action."""


class Pulse(Struct, frozen=True):
    """What happened to a tenant's messages in the second before `time`.

    Attributes:
        accepted: messages stored.
        failed: attempts that failed.
        dead_lettered: messages that were given up.
    """

    time: Instant
    accepted: int
    delivered: int
    failed: int
    dead_lettered: int


class Changed(Struct, frozen=True):
    """Things of these kinds have changed."""

    topics: tuple[str, ...]


News = Pulse | Changed


class Listener:
    """One who listens. It reads, or it is let go."""

    def __init__(self) -> None:
        self._unread: asyncio.Queue[News] = asyncio.Queue(MOST_UNREAD)
        self.is_lost = False

    async def next(self) -> News:
        return await self._unread.get()

    def tell(self, news: News) -> None:
        try:
            self._unread.put_nowait(news)
        except asyncio.QueueFull:
            self.is_lost = True


class _Room:
    """The listeners of a tenant, and what they were not told yet."""

    def __init__(self, now: Instant) -> None:
        self.listeners: list[Listener] = []
        self.counts: Counter[EventKind] = Counter()
        self.topics: set[str] = set()
        self.began_at = now
        self.counted_until = now - LAG_MS
        self.last_change: int | None = None

    def count(self, kind: EventKind, times: int = 1) -> None:
        self.counts[kind] += times
        self.changed(kind)

    def changed(self, kind: EventKind) -> None:
        self.topics |= _OF_ANY_EVENT | _OF_KIND.get(kind, frozenset())

    def tell(self, news: News) -> None:
        for listener in self.listeners:
            listener.tell(news)


class Live:
    """Tells listeners; an observer of the engine whose events it counts.

    Args:
        inner: the observer that is told everything, whether anybody listens or not.
        shared: whether other processes serve from the store.
    """

    def __init__(self, store: Store, clock: Clock, inner: Observer, *, shared: bool) -> None:
        self._store = store
        self._clock = clock
        self._inner = inner
        self._shared = shared
        self._rooms: dict[str, _Room] = {}
        self._somebody = asyncio.Event()

    def events(self, events: Sequence[Event]) -> None:
        self._inner.events(events)
        if not self._rooms:
            return
        for event in events:
            room = self._rooms.get(event.tenant)
            if room is None:
                continue
            if self._shared:
                room.changed(event.kind)
            else:
                room.count(event.kind)

    def note(self, name: str, **facts: object) -> None:
        self._inner.note(name, **facts)

    @property
    def has_room(self) -> bool:
        """Whether one more may listen."""
        return sum(len(room.listeners) for room in self._rooms.values()) < MOST_LISTENERS

    @contextlib.contextmanager
    def listening(self, tenant: str) -> Iterator[Listener]:
        """A listener, who is told until the context ends."""
        room = self._rooms.setdefault(tenant, _Room(self._clock.now()))
        listener = Listener()
        room.listeners.append(listener)
        self._somebody.set()
        try:
            yield listener
        finally:
            room.listeners.remove(listener)
            if not room.listeners:
                del self._rooms[tenant]
            if not self._rooms:
                self._somebody.clear()

    async def run(self) -> None:
        """Until cancelled."""
        tick = 0
        while True:
            await self._somebody.wait()
            await self._clock.sleep_until(self._clock.now() + TICK_MS)
            tick += 1
            for tenant, room in list(self._rooms.items()):
                with contextlib.suppress(Unavailable):
                    await self._look(tenant, room, tick)
                _tell_changes(room)
                if tick % TICKS_A_SECOND == 0:
                    room.tell(_pulse_of(room, self._clock.now()))

    async def _look(self, tenant: str, room: _Room, tick: int) -> None:
        """See what others did."""
        if self._shared:
            until = self._clock.now() - LAG_MS
            since = max(room.counted_until, until - MOST_CATCHING_UP_MS)
            for kind, times in (await self._store.count_entries(tenant, since, until)).items():
                room.count(kind, times)
            room.counted_until = until
        if tick % 2 == 0:
            await self._look_at_changes(tenant, room)

    async def _look_at_changes(self, tenant: str, room: _Room) -> None:
        entries = await self._store.list_changes(tenant, before=None, limit=CHANGES_READ)
        known, room.last_change = room.last_change, entries[0].id if entries else 0
        for entry in entries:
            if entry.time < room.began_at if known is None else entry.id <= known:
                break
            topic = _OF_ACTION.get(entry.action.partition(".")[0])
            if topic is not None:
                room.topics.add(topic)


def _tell_changes(room: _Room) -> None:
    if room.topics:
        room.tell(Changed(tuple(sorted(room.topics))))
        room.topics.clear()


def _pulse_of(room: _Room, now: Instant) -> Pulse:
    counts, room.counts = room.counts, Counter()
    return Pulse(
        time=now,
        accepted=counts[EventKind.CREATED],
        delivered=counts[EventKind.DELIVERED],
        failed=counts[EventKind.ERROR],
        dead_lettered=counts[EventKind.FAILED],
    )

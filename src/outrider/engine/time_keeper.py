"""One time for all nodes: that of the database.

Leases, triggers and windows of rate limits are instants that one node writes and another reads, so
the clocks of all nodes must agree. Where the store has a clock, each node's follows it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from outrider.domain.instant import SECOND_MS, Instant
from outrider.ports import NodeStore, Observer

FIRST_LOOKS = 3
"""How often the store's clock is looked at before anything is done by it."""

NOTED_MS = SECOND_MS
"""A machine whose clock is further off than this is worth a note."""


class Following(Protocol):
    """A clock that can follow another; `outrider.clock.FollowingClock`."""

    @property
    def offset_ms(self) -> int: ...

    async def follow(self, ask: Callable[[], Awaitable[Instant | None]]) -> None: ...


class TimeKeeper:
    """Has the clock follow the store's."""

    def __init__(self, store: NodeStore, clock: Following, observer: Observer) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._off = False

    async def start(self) -> None:
        """Learn the time. Raises Unavailable."""
        for _ in range(FIRST_LOOKS):
            await self.look()

    async def look(self) -> None:
        """Compare once; an offset that is large is noted when it comes, and when it is gone. Raises Unavailable."""
        await self._clock.follow(self._store.time)
        offset_ms = self._clock.offset_ms
        off = abs(offset_ms) > NOTED_MS
        if off != self._off:
            self._off = off
            self._observer.note("clock_off" if off else "clock_right", database_ahead_ms=offset_ms)

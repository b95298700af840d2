"""Time for tests: a clock that moves only when it is told to.

    clock = ManualClock()
    worker = asyncio.create_task(work(clock))
    await clock.advance(60_000)       # a minute passes; whoever slept in it has run, in order

The clock wakes one sleeper at a time and lets it run before the next. What it cannot see is
work outside the event loop, such as a thread that commits or a socket that answers: give such
a test a `settle` that returns when that work is done, or await its result between advances.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from outrider.domain.instant import Instant

ROUNDS = 50
"""How many turns of the event loop other coroutines get before they count as settled."""

DEFAULT_START: Instant = 1_767_225_600_000
"""2026-01-01T00:00:00Z: a whole minute, hour and day."""


async def yield_to_others() -> None:
    """Give every other coroutine ROUNDS turns: enough to run until it waits for time, a thread or a socket."""
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


class ManualClock:
    """A clock for tests; an `outrider.ports.Clock`.

    Args:
        start: Unix milliseconds.
        settle: awaited after each sleeper is woken; returns when what it set off has come to rest.
    """

    def __init__(
        self, start: Instant = DEFAULT_START, *, settle: Callable[[], Awaitable[None]] = yield_to_others
    ) -> None:
        self._now = start
        self._settle = settle
        self._order = itertools.count()
        self._sleepers: list[tuple[Instant, int, asyncio.Future[None]]] = []

    def now(self) -> Instant:
        """Unix time in milliseconds."""
        return self._now

    async def sleep_until(self, instant: Instant) -> None:
        """Return when the clock has been advanced to the instant; at once if it has passed."""
        if instant > self._now:
            await self._sleeper(instant)

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Return when the event is set or the instant has come, whichever is first; the event stays set."""
        if until is None:
            await event.wait()
            return
        if event.is_set() or until <= self._now:
            return
        ways: tuple[asyncio.Future[Any], ...] = (asyncio.ensure_future(event.wait()), self._sleeper(until))
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    async def settle(self) -> None:
        """Return when what was set off has come to rest, as far as `settle` can tell; time stands still."""
        await self._settle()

    async def advance(self, ms: int) -> None:
        """Let this many milliseconds pass; sleepers wake at their own instants, in order."""
        await self.advance_to(self._now + ms)

    async def advance_to(self, instant: Instant) -> None:
        """Let time pass up to and including the instant. Raises ValueError for one that has passed."""
        if instant < self._now:
            raise ValueError(f"cannot advance to {instant}: it is {self._now} already")
        await self._settle()
        while (wake_at := self.next_wake_at()) is not None and wake_at <= instant:
            await self._wake_next()
        self._now = instant
        await self._settle()

    async def leap(self, ms: int) -> None:
        """Let time pass in one step, as on a machine that was suspended: who slept in it wakes at its end, once."""
        await self._settle()
        self._now += ms
        while (wake_at := self.next_wake_at()) is not None and wake_at <= self._now:
            await self._wake_next()
        await self._settle()

    async def advance_until(self, event: asyncio.Event, *, within_ms: int) -> None:
        """Jump from sleeper to sleeper until the event is set.

        Raises TimeoutError if it is not set within that much of this clock's time, or nobody
        sleeps any more.
        """
        deadline = self._now + within_ms
        await self._settle()
        while not event.is_set():
            wake_at = self.next_wake_at()
            if wake_at is None:
                raise TimeoutError("the event is not set, and nobody waits for this clock")
            if wake_at > deadline:
                raise TimeoutError(f"the event was not set within {within_ms} ms of this clock")
            await self._wake_next()

    def next_wake_at(self) -> Instant | None:
        """When the next sleeper wakes; None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _sleeper(self, instant: Instant) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (instant, next(self._order), future))
        return future

    async def _wake_next(self) -> None:
        instant, _, future = heapq.heappop(self._sleepers)
        self._now = max(self._now, instant)
        future.set_result(None)
        await self._settle()

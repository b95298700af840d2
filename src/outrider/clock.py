"""The clock of a running server."""

from __future__ import annotations

import asyncio
import time

from outrider.domain.instant import SECOND_MS, Instant

RECHECK_MS = SECOND_MS
"""The wall clock is read again at least this often, so its jump stalls no sleeper for longer."""


class SystemClock:
    """Wall-clock time; sleeping by the event loop's monotonic time."""

    def now(self) -> Instant:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, instant: Instant) -> None:
        """Return at or after the instant; at once if it has passed."""
        while (left_ms := instant - self.now()) > 0:  # noqa: ASYNC110 - no event tells that time has passed
            await asyncio.sleep(min(left_ms, RECHECK_MS) / 1000)

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Return when the event is set or the instant has come, whichever is first; the event stays set."""
        if until is None:
            await event.wait()
            return
        while not event.is_set() and (left_ms := until - self.now()) > 0:
            try:
                async with asyncio.timeout(min(left_ms, RECHECK_MS) / 1000):
                    await event.wait()
            except TimeoutError:
                continue

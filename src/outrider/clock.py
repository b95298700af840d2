"""The clocks of a running server: this machine's, and one that follows another machine's."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from msgspec import Struct

from outrider.domain.instant import SECOND_MS, Instant

RECHECK_MS = SECOND_MS
"""The wall clock is read again at least this often, so its jump stalls no sleeper for longer."""

SAMPLES = 8
"""How many looks at the followed clock are remembered; the one that is known best tells the time."""

DRIFT = 0.0005
"""How far two clocks part in a millisecond, at most: what NTP allows itself when it slews one."""

STEP_MS = 100
"""A larger difference is made up at once, a smaller one by SLEW, so that time does not run backwards for it."""

SLEW = 0.1
"""How much of the passing time goes into making up a small difference."""


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


class FollowingClock(SystemClock):
    """The time of a clock that several machines follow.

    Between two looks at it, this machine's steady clock carries the time on, so that a jump of the wall
    clock changes nothing. Until the first look, and where there is nothing to follow, it is the SystemClock.
    """

    def __init__(self, steady_ms: Callable[[], float] | None = None) -> None:
        self._steady_ms = steady_ms or _steady_ms
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._base: float | None = None
        self._owed = 0.0
        self._owed_since = 0.0

    def now(self) -> Instant:
        """Unix time in milliseconds, as the followed clock tells it."""
        if self._base is None:
            return time.time_ns() // 1_000_000
        steady = self._steady_ms()
        if self._owed:
            self._make_up(steady)
        return int(steady + self._base)

    @property
    def offset_ms(self) -> int:
        """How far the followed clock is ahead of this machine's wall clock; 0 while none is followed."""
        return 0 if self._base is None else self.now() - super().now()

    async def follow(self, ask: Callable[[], Awaitable[Instant | None]]) -> None:
        """Look at the clock once: `ask` tells its time, None if there is nothing to follow.

        The answer counts for the middle of the round trip, and is known to half of it.
        """
        asked_at = self._steady_ms()
        theirs = await ask()
        answered_at = self._steady_ms()
        if theirs is None:
            return
        half = (answered_at - asked_at) / 2
        # Half a millisecond: what the answer, in whole ones, leaves out.
        sample = _Sample(base=theirs + 0.5 - (asked_at + half), within=half + 0.5, at=answered_at)
        if any(not sample.agrees(other, answered_at) for other in self._samples):
            self._samples.clear()
        self._samples.append(sample)
        best = min(self._samples, key=lambda known: known.uncertainty(answered_at))
        self._approach(best.base, best.uncertainty(answered_at), answered_at)

    def _approach(self, base: float, uncertainty: float, steady: float) -> None:
        """Go by this base from now on, unless it may be the same."""
        if self._base is None:
            self._base = base
            return
        self._make_up(steady)
        difference = base - self._base
        self._owed, self._owed_since = 0.0, steady
        if abs(difference) > STEP_MS:
            self._base = base
        elif abs(difference) > uncertainty:
            self._owed = difference

    def _make_up(self, steady: float) -> None:
        """Take over as much of what is owed as the time since then allows."""
        assert self._base is not None
        most = max(0.0, steady - self._owed_since) * SLEW
        made_up = max(-most, min(most, self._owed))
        self._base += made_up
        self._owed -= made_up
        self._owed_since = steady


class _Sample(Struct, frozen=True):
    """One look: the followed clock less the steady one, to within so much, as it was then."""

    base: float
    within: float
    at: float

    def uncertainty(self, now: float) -> float:
        return self.within + (now - self.at) * DRIFT

    def agrees(self, other: _Sample, now: float) -> bool:
        """Whether both can be true; if not, one of the clocks was set."""
        return abs(self.base - other.base) <= self.uncertainty(now) + other.uncertainty(now)


_STEADY = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""It goes on while the machine is suspended: on Linux that is CLOCK_BOOTTIME, elsewhere CLOCK_MONOTONIC."""


def _steady_ms() -> float:
    return (time.monotonic_ns() if _STEADY is None else time.clock_gettime_ns(_STEADY)) / 1_000_000

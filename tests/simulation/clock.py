"""The clocks of simulated machines: the real ones, on computed time."""

from __future__ import annotations

from tests.simulation.loop import VirtualLoop

from outrider.clock import FollowingClock, SystemClock
from outrider.domain.instant import Instant
from outrider.testing import DEFAULT_START


class WallClock(SystemClock):
    """A machine's own clock, which may be wrong and may be set.

    Attributes:
        ahead_ms: how far it is ahead of the true time.
        latest: the latest time that it has told, in this life of its node or a former one.
    """

    def __init__(self, loop: VirtualLoop, ahead_ms: int = 0) -> None:
        self._loop = loop
        self.ahead_ms = ahead_ms
        self.latest: Instant = 0

    def now(self) -> Instant:
        told = DEFAULT_START + self._loop.ms + self.ahead_ms
        self.latest = max(self.latest, told)
        return told


class NodeClock(FollowingClock, WallClock):
    """The clock of a node that follows its database's. Its steady clock goes a little wrong."""

    def __init__(self, loop: VirtualLoop, ahead_ms: int, drift: float) -> None:
        WallClock.__init__(self, loop, ahead_ms)
        FollowingClock.__init__(self, lambda: loop.ms * (1 + drift))

    def now(self) -> Instant:
        told = FollowingClock.now(self)
        self.latest = max(self.latest, told)
        return told

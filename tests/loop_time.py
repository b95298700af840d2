"""The event loop's time, put forward instead of waited for."""

from __future__ import annotations

import asyncio

TURNS = 5
"""How many turns of the loop an end that is due takes, from the timer to the task that waits."""


class LoopTime:
    """The event loop's time, which can be put forward: what is due by then is called in the loop's next turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._real, self._ahead_s = loop.time, 0.0
        loop.time = self.now

    def now(self) -> float:
        return self._real() + self._ahead_s

    async def advance_to(self, instant: float) -> None:
        """As `advance`, however much time has passed by itself."""
        await self.advance(max(0.0, instant - self.now()))

    async def advance(self, seconds: float) -> None:
        """Return when what is due has been called, and what came of that."""
        self._ahead_s += seconds
        for _ in range(TURNS):
            await asyncio.sleep(0)

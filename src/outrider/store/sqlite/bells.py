"""What workers that serve from one file tell one another: that there is work which the speaker cannot take.

A word is a byte in a pipe. Whoever makes the pipes forks the workers, and each of them has the ends it needs,
as has one that takes the place of a dead one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence

SELDOM_S = 0.1
"""Who hears looks into the store at once, so nobody speaks more often than this."""

_MUCH = 65_536


class Bells:
    """A bell for each of so many workers."""

    def __init__(self, count: int) -> None:
        self._pipes = [os.pipe() for _ in range(count)]
        for end in self._ends():
            os.set_blocking(end, False)

    def of(self, number: int) -> Bell:
        """The bell of one worker, counted from 0, who rings those of the others."""
        others = [write for other, (_, write) in enumerate(self._pipes) if other != number]
        return Bell(self._pipes[number][0], others)

    def close(self) -> None:
        """Once no bell is in use."""
        for end in self._ends():
            os.close(end)

    def _ends(self) -> list[int]:
        return [end for pipe in self._pipes for end in pipe]


class Bell:
    """One worker's: it hears this one and rings the others."""

    def __init__(self, own: int, others: Sequence[int]) -> None:
        self._own = own
        self._others = others
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._again = False

    def listen(self, heard: Callable[[], None]) -> None:
        """Have `heard` called, on this event loop, whenever another has rung."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._own, self._hear, heard)

    def ring(self) -> None:
        """At once, but not before SELDOM_S have passed since the last time."""
        if self._resting is not None:
            self._again = True
            return
        for other in self._others:
            # A full pipe has been rung often enough.
            with contextlib.suppress(BlockingIOError):
                os.write(other, b"!")
        self._resting = asyncio.get_running_loop().call_later(SELDOM_S, self._rested)

    def close(self) -> None:
        """Neither hear nor ring any more. Idempotent."""
        if self._resting is not None:
            self._resting.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._own)
            self._loop = None

    def _hear(self, heard: Callable[[], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._own, _MUCH)
        heard()

    def _rested(self) -> None:
        self._resting = None
        if self._again:
            self._again = False
            self.ring()

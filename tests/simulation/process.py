"""A process that can be killed, and stopped for a while, wherever it waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from tests.simulation.loop import VirtualLoop


class Process:
    """The ports of a node cross this on their way out and in.

    A killed process gets no answer any more, and nothing that it says is heard: its tasks wait for ever where
    they are, and no `finally` of theirs is run. What it had sent may still be carried out.

    Attributes:
        name: the id of its node in the store; the store's may have a number behind a dot.
        when_killed: to be called when it is.
        kill_at: the crossing at which it is killed, counted by `crossings`.
        resumed_at: when it last went on after a pause.
    """

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self._loop = loop
        self.name = name
        self.is_dead = False
        self.is_cut_off = False
        self.crossings = 0
        self.kill_at: int | None = None
        self.resumed_at: int | None = None
        self.when_killed: list[Callable[[], None]] = []
        self._runs = asyncio.Event()
        self._runs.set()
        self._for_ever: list[asyncio.Future[None]] = []
        self._disturbances: list[tuple[float, str]] = []

    async def cross(self) -> None:
        """Return if the process runs, else when it does again."""
        self.crossings += 1
        if self.crossings == self.kill_at:
            self.kill()
        while not self._runs.is_set() and not self.is_dead:
            await self._runs.wait()
        if self.is_dead:
            future: asyncio.Future[None] = self._loop.create_future()
            self._for_ever.append(future)
            await future

    @property
    def is_paused(self) -> bool:
        return not self._runs.is_set()

    def pause(self) -> None:
        self._runs.clear()

    def resume(self) -> None:
        self._runs.set()
        self.resumed_at = self._loop.ms

    def kill(self) -> None:
        if self.is_dead:
            return
        self.is_dead = True
        self.disturb(math.inf, "killed")
        for tell in self.when_killed:
            tell()

    def disturb(self, until: float, why: str) -> None:
        """Until that time of the loop, its leases may end without its knowing."""
        self._disturbances.append((until, why))

    def was_disturbed_since(self, ms: int) -> bool:
        """Whether its leases of that time may have ended without its knowing."""
        return any(until >= ms for until, _ in self._disturbances)

"""The ACTIVE entries of attempts that have started and not yet ended.

An entry of its own transaction for every start would double the writes. So a start waits
here: an attempt that ends soon carries its ACTIVE entry along in its settlement's
transaction, and one that takes longer than `LINGER_MS` gets it written by `run`.
"""

from __future__ import annotations

import asyncio

from outrider.domain.errors import Unavailable
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.ports import Clock, LogStore, Observer

LINGER_MS = 250


class Journal:
    """Starts that are not written yet, by message id, oldest first."""

    def __init__(self, log: LogStore, clock: Clock, observer: Observer) -> None:
        self._log = log
        self._clock = clock
        self._observer = observer
        self._starts: dict[str, Event] = {}
        self._something = asyncio.Event()

    def started(self, message: Message, at: Instant) -> None:
        """The request of an attempt starts now."""
        self._starts[message.id] = Event(tenant=message.tenant, message_id=message.id, kind=EventKind.ACTIVE, time=at)
        self._something.set()

    def take(self, message_id: str) -> tuple[Event, ...]:
        """The ACTIVE entry if it is still to be written; the caller writes it."""
        entry = self._starts.pop(message_id, None)
        return () if entry is None else (entry,)

    async def run(self) -> None:
        """Write what lingers, until cancelled."""
        while True:
            if not self._starts:
                self._something.clear()
                await self._something.wait()
            await self._clock.sleep_until(self._clock.now() + LINGER_MS)
            await self.write(started_before=self._clock.now() - LINGER_MS)

    async def write(self, *, started_before: Instant) -> None:
        """Write the entries of attempts that started by then. Those the store cannot take now stay."""
        lingering = [entry for entry in self._starts.values() if entry.time <= started_before]
        if not lingering:
            return
        for entry in lingering:
            del self._starts[entry.message_id]
        try:
            await self._log.record(lingering)
        except Unavailable:
            # An attempt that ended meanwhile has been settled without its ACTIVE; the others keep theirs.
            # A message that has started anew keeps its newer entry.
            for entry in lingering:
                self._starts.setdefault(entry.message_id, entry)
        else:
            self._observer.events(lingering)

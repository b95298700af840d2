"""What is not a store: the network, time, and whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from outrider.domain.attempt import Outcome
from outrider.domain.event import Event
from outrider.domain.instant import Instant
from outrider.domain.options import Headers


class OutgoingRequest(Struct, frozen=True):
    """The bytes to send. `url` is sent as it stands; `headers` in order and spelling."""

    method: str
    url: str
    headers: Headers
    body: bytes
    timeout_ms: int


class Sender(Protocol):
    """Calls a destination once."""

    async def send(self, request: OutgoingRequest) -> Outcome:
        """How it ended. Never raises for anything the far end or the network does."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    """The only reader of time."""

    def now(self) -> Instant: ...

    async def sleep_until(self, instant: Instant) -> None:
        """Return at or after the instant; at once if it has passed."""
        ...

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Return when the event is set or the instant has come, whichever is first; the event stays set."""
        ...


class Observer(Protocol):
    """Told of what happened, after the commit. Must be quick and never raise."""

    def events(self, events: Sequence[Event]) -> None: ...

    def note(self, name: str, **facts: object) -> None:
        """Something about the process itself, not about a message (`node_started`, `store_failed`)."""
        ...

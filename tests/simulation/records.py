"""What the model remembers: of publishes, messages, and settings that may have been changed. Times are the loop's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.simulation.network import Attempt

from outrider.domain.backoff import LONGEST_DELAY_MS
from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.settlement import Settlement

V = TypeVar("V")


@dataclass(frozen=True)
class Backoff:
    """What a producer writes, and the milliseconds before the retry that follows `retried` others."""

    expression: str | None
    delay_ms: Callable[[int], int]


BACKOFFS = (
    Backoff(None, lambda retried: min(LONGEST_DELAY_MS, int(1000 * math.e ** (2.5 * (retried + 1))))),
    Backoff("1500", lambda _: 1500),
    Backoff("1000 * pow(2, retried)", lambda retried: 1000 * 2**retried),
    Backoff("500 * (1 + retried)", lambda retried: 500 * (1 + retried)),
    Backoff("min(5000, 700 * exp(retried))", lambda retried: int(min(5000.0, 700 * math.e**retried))),
    Backoff("0", lambda _: 0),
)


@dataclass
class Publish:
    """What a producer asked for. Its messages are known by their body.

    Attributes:
        urls: several for a URL group.
        delays_ms: one, and none for a dead letter that is retried.
        open: requests that are on their way.
        lost: requests of which nobody knows how they ended; they may end well at any time.
        records: what was stored of it.
    """

    token: str
    urls: tuple[str, ...]
    retries: int = 3
    backoff: Backoff = BACKOFFS[0]
    delays_ms: set[int] = field(default_factory=lambda: {0})
    timeout_ms: int = 30_000
    callback: bool = False
    failure_callback: bool = False
    queue: str | None = None
    key: str | None = None
    dedup: str | None = None
    window_ms: int = 60_000
    schedule: str | None = None
    jitter_ms: int = 0
    sent: int = 0
    open: int = 0
    lost: int = 0
    records: list[Record] = field(default_factory=list)


@dataclass
class Record:
    """A message that is stored.

    Attributes:
        due: by the clocks of nodes, when it may be attempted next.
        leases: when each node last leased it.
        state, ended: once it is finished, as far as the store has told.
        source, reports: a callback's message, a message's callbacks.
    """

    name: str
    message: Message
    publish: Publish | None
    committed: int
    due: Instant
    source: Record | None = None
    accepted: bool = False
    leases: dict[str, int] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    settlements: list[tuple[int, Settlement]] = field(default_factory=list)
    reports: list[Record] = field(default_factory=list)
    state: MessageState | None = None
    ended: int | None = None
    cancel_requested: int | None = None
    told: Counter[str] = field(default_factory=Counter)

    @property
    def closed(self) -> int | None:
        """When it and its callbacks were finished."""
        if self.ended is None or any(report.ended is None for report in self.reports):
            return None
        return max([self.ended, *(report.ended for report in self.reports)])

    @property
    def first_begun(self) -> int | None:
        return next((attempt.begun for attempt in self.attempts if attempt.is_legitimate), None)


@dataclass
class Letter:
    """A dead letter. `fate` is what producers have done to it, perhaps."""

    record: Record
    fate: str = "there"


@dataclass
class _Value(Generic[V]):
    value: V
    since: int
    until: float = math.inf
    answered: float = math.inf


class History(Generic[V]):
    """The values that a setting had, or may have had, while requests that change it were on their way."""

    def __init__(self, value: V) -> None:
        self._values = [_Value(value, 0, answered=0)]

    def ask(self, value: V, now: int) -> _Value[V]:
        """A request for this value is sent."""
        self._values.append(_Value(value, now))
        return self._values[-1]

    def granted(self, asked: _Value[V], now: int) -> None:
        """It was answered well: what was answered before it was sent is over. Of two at once, either may be later."""
        asked.answered = now
        for value in self._values:
            if value is not asked and value.answered <= asked.since:
                value.until = min(value.until, now)

    def refused(self, asked: _Value[V]) -> None:
        """Nothing of it was kept."""
        self._values.remove(asked)

    def since(self, ms: int) -> set[V]:
        """All values that it may have had since then."""
        return {value.value for value in self._values if value.until >= ms}

    def certain_since(self, wanted: V) -> float:
        """Since when it surely has this value; infinity if it may have another now."""
        return max((value.until for value in self._values if value.value != wanted), default=0)

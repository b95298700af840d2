"""The rules of queues and flow-control keys, told by what destinations see."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.network import Attempt
from tests.simulation.records import History, Record

from outrider.domain.instant import Instant

Violate = Callable[[str, str, str], None]


class QueueRule:
    """At most so many of a queue are under way, callbacks included, and nobody is overtaken."""

    def __init__(self, name: str, *, is_closed: Callable[[Record], bool], clocks_jump: bool, violate: Violate) -> None:
        self.name = name
        self.parallelism: History[int] = History(1)
        self.paused: History[bool] = History(value=False)
        self._is_closed = is_closed
        self._clocks_jump = clocks_jump
        self._violate = violate
        self._lines: dict[Instant, list[Record]] = {}
        self._line_of: dict[str, list[Record]] = {}

    def stored(self, record: Record, *, made_at: Instant) -> None:
        """It stands in the queue that was made then: what ran in one that was deleted holds no slot of the next."""
        line = self._lines.setdefault(made_at, [])
        line.append(record)
        self._line_of[record.name] = line

    def begins(self, record: Record, now: int) -> None:
        """A destination sees the message for the first time."""
        most = max(self.parallelism.since(record.committed))
        line = self._line_of[record.name]
        before = [other for other in line[: line.index(record)] if not self._is_closed(other)]
        if len(before) >= most:
            names = ", ".join(other.name for other in before)
            self._violate(
                "queue order", record.name, f"begins in {self.name} of parallelism {most} before the end of {names}"
            )
        paused = self.paused.certain_since(wanted=True)
        if paused < now and not self._clocks_jump:
            self._check_pause(record, int(paused))

    def _check_pause(self, record: Record, paused: int) -> None:
        """What begins in a pause had its slot before."""
        holders = [
            other
            for other in self._line_of[record.name]
            if (other is record or other.first_begun is not None) and (other.closed is None or other.closed > paused)
        ]
        oldest = min(other.committed for other in holders)
        if len(holders) > max(self.parallelism.since(oldest)):
            self._violate("queue pause", record.name, f"begins in {self.name}, which is paused")


class KeyRule:
    """At most so many of a key are in flight, and so many begin in a period."""

    def __init__(
        self, name: str, *, parallelism: int | None, rate: int | None, period_ms: int, slack: int, violate: Violate
    ) -> None:
        """`slack` is how many windows more the clocks of several nodes may find in a span."""
        self.name = name
        self.limits = parallelism, rate, period_ms
        self.parallelism: History[int | None] = History(parallelism)
        self.paused: History[bool] = History(value=False)
        self.is_regular = True
        self._slack = slack
        self._violate = violate
        self._running: list[tuple[Record, Attempt]] = []
        self._starts: list[int] = []

    @property
    def value(self) -> str:
        """As a producer writes it."""
        parallelism, rate, period_ms = self.limits
        said = [] if parallelism is None else [f"parallelism={parallelism}"]
        said += [] if rate is None else [f"rate={rate}", f"period={period_ms // 1000}s"]
        return ", ".join(said)

    def begins(self, record: Record, attempt: Attempt, eligible: int, *, admitted: float) -> None:
        """A destination sees an attempt that could be admitted since `eligible`, and was not before `admitted`."""
        if self.paused.certain_since(wanted=True) < admitted:
            self._violate("key pause", record.name, f"begins under {self.name}, which is paused")
        self._running = [
            (other, running)
            for other, running in self._running
            if running.is_running and not running.process.was_disturbed_since(running.begun)
        ]
        self._running.append((record, attempt))
        limits = self.parallelism.since(min(other.committed for other, _ in self._running))
        if None not in limits and len(self._running) > max(limits):
            names = ", ".join(other.name for other, _ in self._running)
            self._violate("key parallelism", record.name, f"{names} are in flight at once under {self.name}")
        if self.limits[1] is not None and self.is_regular:
            self._check_rate(record, attempt.begun, eligible)

    def _check_rate(self, record: Record, now: int, eligible: int) -> None:
        _, rate, period_ms = self.limits
        self._starts.append(eligible)
        for count, since in enumerate(sorted(self._starts, reverse=True), 1):
            # Windows are fixed, so one more than fit may lie over the edges of a span.
            windows = (now - since) // period_ms + 2 + self._slack
            if count > rate * windows:
                self._violate(
                    "key rate", record.name, f"is the {count}th under {self.name} to begin within {now - since} ms"
                )
                return

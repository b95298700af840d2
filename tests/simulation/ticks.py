"""The rules of schedules: each trigger publishes once, also of one that is overwritten, paused and resumed."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.records import History

from outrider.domain.instant import Instant
from outrider.domain.schedule import Schedule

Violate = Callable[[str, str, str], None]


class ScheduleRule:
    """One schedule, whose expression names the multiples of a period.

    Attributes:
        exists, paused: as far as producers know.
    """

    def __init__(self, name: str, period_ms: int, *, violate: Violate) -> None:
        self.name = name
        self.exists: History[bool] = History(value=False)
        self.paused: History[bool] = History(value=False)
        self._period_ms = period_ms
        self._violate = violate
        self._fired: set[Instant] = set()
        self._fired_of: set[tuple[Instant, Instant]] = set()

    def fired(self, message: str, schedule: Schedule, now: int, jitter_ms: int) -> None:
        """It was stored like this with what a fire published; one that is made after a deletion is another."""
        later_ms = schedule.next_fire_at % self._period_ms
        trigger = schedule.next_fire_at - later_ms - self._period_ms
        if later_ms > jitter_ms or schedule.last_fired_at < trigger:
            self._violate("tick jitter", message, f"is published {later_ms} ms after a trigger, or before one")
        created_at = schedule.created_at
        if (created_at, trigger) in self._fired_of:
            self._violate("tick twice", message, f"is published by {self.name} for a trigger that fired before")
        self._fired.add(trigger)
        self._fired_of.add((created_at, trigger))
        if self.paused.certain_since(wanted=True) < now:
            self._violate("tick while paused", message, f"is published by {self.name}, which is paused")

    def expect(self, since: Instant, until: Instant) -> None:
        """Between these instants each trigger must have fired, late by its jitter: less than half of the period."""
        first = since - since % self._period_ms + self._period_ms
        for trigger in range(first, until - self._period_ms // 2, self._period_ms):
            if trigger not in self._fired:
                self._violate("tick missed", self.name, f"has not fired at {trigger}")
                return

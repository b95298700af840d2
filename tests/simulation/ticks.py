"""The rules of schedules: each trigger publishes once.

One that is overwritten while a trigger passes may fire for it as what it was, and again as what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.simulation.records import History

from outrider.domain.instant import Instant
from outrider.testing import DEFAULT_START

Violate = Callable[[str, str, str], None]


class ScheduleRule:
    """One schedule, whose expression names the multiples of a period.

    Attributes:
        exists, paused: as far as producers know.
    """

    def __init__(self, name: str, period_ms: int, *, clocks_jump: bool, violate: Violate) -> None:
        self.name = name
        self.exists: History[bool] = History(value=False)
        self.paused: History[bool] = History(value=False)
        self._period_ms = period_ms
        self._clocks_jump = clocks_jump
        self._violate = violate
        self._fired: set[Instant] = set()
        self._overwritings: list[list[float]] = []

    def overwriting(self, now: int) -> list[float]:
        """It is to be overwritten: the span of the request, whose end is to be filled in."""
        span = [float(now), math.inf]
        self._overwritings.append(span)
        return span

    def begins_anew(self) -> None:
        """It was overwritten or resumed. A clock that was set back brings triggers again that it had had."""
        if self._clocks_jump:
            self._fired.clear()

    def fired(self, message: str, at: Instant, now: int) -> None:
        """A fire was committed that the node found due at that instant."""
        trigger = at - at % self._period_ms
        passed = trigger - DEFAULT_START
        overwritten = any(sent <= passed <= answered for sent, answered in self._overwritings)
        if trigger in self._fired and not overwritten:
            self._violate("tick twice", message, f"is published by {self.name} for a trigger that fired before")
        self._fired.add(trigger)
        if self.paused.certain_since(wanted=True) < now:
            self._violate("tick while paused", message, f"is published by {self.name}, which is paused")

    def expect(self, since: Instant, until: Instant) -> None:
        """Between these instants each trigger must have fired."""
        first = since - since % self._period_ms + self._period_ms
        for trigger in range(first, until, self._period_ms):
            if trigger not in self._fired:
                self._violate("tick missed", self.name, f"has not fired at {trigger}")
                return

"""The rules of retention: nothing is forgotten before its time, and nothing is kept for ever."""

from __future__ import annotations

from tests.simulation.plan import Plan
from tests.simulation.records import Letter, Record

from outrider.domain.instant import MINUTE_MS
from outrider.testing import DEFAULT_START

PURGED_MS = 10 * MINUTE_MS
"""What outlived its retention is gone so much later, and is there so much earlier: clocks differ, purges fail."""


class Retention:
    """How long messages, their entries and dead letters are kept. Times are the loop's."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def may_be_gone(self, record: Record, now: int) -> bool:
        """Whether the message may have been removed."""
        return record.ended is not None and self._may(now - record.ended, self._plan.log_retention_ms)

    def entries_may_be_gone(self, record: Record, now: int) -> bool:
        """Whether the first may have outlived its time, which is that of the request: its commit may be much later."""
        begun = min(record.committed, record.message.created_at - DEFAULT_START)
        return self._may(now - begun, self._plan.log_retention_ms)

    def letter_may_be_gone(self, letter: Letter, now: int) -> bool:
        ended = letter.record.ended
        return ended is not None and self._may(now - ended, self._plan.dlq_retention_ms)

    def must_be_gone(self, record: Record, now: int) -> bool:
        """Whether it must have been removed, unless it is a dead letter."""
        closed = record.closed
        return closed is not None and self._must(now - closed, self._plan.log_retention_ms)

    def letter_must_be_gone(self, letter: Letter, now: int) -> bool:
        ended = letter.record.ended
        return ended is not None and self._must(now - ended, self._plan.dlq_retention_ms)

    def _may(self, age_ms: int, retention_ms: int) -> bool:
        if self._plan.clocks_jump:
            return "retention" in self._plan.features
        return age_ms > retention_ms - PURGED_MS

    def _must(self, age_ms: int, retention_ms: int) -> bool:
        return not self._plan.clocks_jump and age_ms > retention_ms + PURGED_MS

"""How often an address may fail to sign in."""

from __future__ import annotations

from outrider.domain.errors import LimitReached, Quota
from outrider.domain.instant import MINUTE_MS, SECOND_MS, Instant

MOST_FAILURES = 10
"""In a minute: enough for slips of the hand, and nothing against tokens of 256 bits. What it bounds is the work."""

MOST_ADDRESSES = 10_000


class FailedAttempts:
    """Counts failures by address in windows of one whole minute; only the current window is kept."""

    def __init__(self) -> None:
        self._minute = -1
        self._failures: dict[str, int] = {}

    def check(self, address: str, now: Instant) -> None:
        """Raises LimitReached for an address that has failed too often."""
        self._look_at_time(now)
        if self._failures.get(address, 0) >= MOST_FAILURES:
            raise LimitReached(
                f"more than {MOST_FAILURES} failed attempts to sign in within a minute",
                window="burst",
                quota=Quota(limit=MOST_FAILURES, remaining=0, resets_at_s=(self._minute + 1) * MINUTE_MS // SECOND_MS),
                code="sign_in_limit_reached",
                hint="wait for the minute to pass",
            )

    def count(self, address: str, now: Instant) -> None:
        self._look_at_time(now)
        if len(self._failures) < MOST_ADDRESSES or address in self._failures:
            self._failures[address] = self._failures.get(address, 0) + 1

    def _look_at_time(self, now: Instant) -> None:
        minute = now // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._failures.clear()

"""How many calls a tenant may make in a second, other than publish, enqueue and batch."""

from __future__ import annotations

from outrider.domain.errors import LimitReached, Quota
from outrider.domain.instant import SECOND_MS, Instant


class BurstLimit:
    """Counts calls by tenant in windows of one whole second; only the current window is kept."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = -1
        self._calls: dict[str, int] = {}

    def count(self, tenant: str, now: Instant) -> None:
        """Count a call of the tenant. Raises LimitReached if its second is used up."""
        second = now // SECOND_MS
        if second != self._second:
            self._second = second
            self._calls.clear()
        calls = self._calls.get(tenant, 0)
        if calls >= self._per_second:
            raise LimitReached(
                f"more than {self._per_second} calls in a second",
                window="burst",
                quota=Quota(limit=self._per_second, remaining=0, resets_at_s=second + 1),
                code="burst_limit_reached",
                hint="wait for the second to pass; publish, enqueue and batch are not limited so",
            )
        self._calls[tenant] = calls + 1

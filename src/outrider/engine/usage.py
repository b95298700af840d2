"""What a tenant has used of its limits."""

from __future__ import annotations

from outrider.domain.limits import Limits
from outrider.domain.usage import Usage, day_of, usage_at
from outrider.ports import Clock, UsageStore


class Meter:
    """Reads what was published."""

    def __init__(self, store: UsageStore, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    async def today(self, tenant: str) -> Usage:
        """The tenant's day so far, in UTC."""
        now = self._clock.now()
        messages = await self._store.messages_on(tenant, day_of(now))
        return usage_at(now, messages, self._limits.messages_per_day)

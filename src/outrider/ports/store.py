"""All that is kept, as one."""

from __future__ import annotations

from typing import Protocol

from outrider.domain.instant import Instant
from outrider.ports.messages import DeadLetterStore, LogStore, MessageStore, Retention
from outrider.ports.resources import (
    FlowControlStore,
    HealthStore,
    ProfileStore,
    QueueStore,
    ScheduleStore,
    TenantStore,
    UrlGroupStore,
    UsageStore,
)


class Store(
    MessageStore,
    LogStore,
    DeadLetterStore,
    QueueStore,
    FlowControlStore,
    UrlGroupStore,
    HealthStore,
    ScheduleStore,
    UsageStore,
    ProfileStore,
    TenantStore,
    Protocol,
):
    """All that is kept."""

    async def check(self, now: Instant) -> None:
        """Commit something small; raises StoreUnavailable if that is impossible."""
        ...

    async def purge(self, retention: Retention, limit: int) -> int:
        """Remove up to `limit` rows that outlived their retention; how many. Unfinished messages stay."""
        ...

    async def close(self) -> None:
        """Commit what was accepted, then release every resource. Idempotent."""
        ...

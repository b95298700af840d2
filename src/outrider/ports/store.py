"""All that is kept, as one."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from outrider.domain.instant import Instant
from outrider.ports.activity import ActivityStore, StatusStore
from outrider.ports.audit import AuditStore
from outrider.ports.messages import DeadLetterStore, LogStore, MessageStore, Retention
from outrider.ports.nodes import NodeStore
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


class Violation(Struct, frozen=True):
    """Something that cannot be, but is stored: a fault of this software, or a hand in its tables.

    Attributes:
        subject: the id of a message, the name of a queue, a flow-control key.
    """

    subject: str
    fault: str


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
    AuditStore,
    ActivityStore,
    StatusStore,
    NodeStore,
    Protocol,
):
    """All that is kept."""

    async def check(self, now: Instant) -> None:
        """Commit something small; raises StoreUnavailable if that is impossible."""
        ...

    async def purge(self, retention: Retention, limit: int) -> int:
        """Remove up to `limit` rows that outlived their retention; how many. Unfinished messages stay."""
        ...

    async def inspect(self) -> list[Violation]:
        """What is stored and cannot be; some of each kind. Reads much: for administration, not for a probe."""
        ...

    async def keep_fact(self, name: str, value: str) -> str:
        """Store something about the whole installation, unless there is one of that name: the one that is stored."""
        ...

    async def close(self) -> None:
        """Commit what was accepted, then release every resource. Idempotent."""
        ...

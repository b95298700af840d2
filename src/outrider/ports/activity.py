"""What a store keeps for figures, and what it can tell of how things stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from outrider.domain.activity import Counts, Row, Span
from outrider.domain.instant import Instant
from outrider.domain.status import Standing, StoreSize


class ActivityStore(Protocol):
    """Counts of what happened, by tenant, resolution and time."""

    async def add_activity(self, rows: Sequence[Row]) -> None:
        """Add to what is counted already. Rows of a tenant that is gone are dropped."""
        ...

    async def read_activity(self, tenant: str, span: Span) -> list[tuple[Instant, Counts]]:
        """What is counted in the span, in the steps of the resolution that it is read in; in no order."""
        ...

    async def purge_activity(self, now: Instant, limit: int) -> int:
        """Remove rows that are older than their resolution is kept: up to `limit` of each, how many."""
        ...


class StatusStore(Protocol):
    """How things stand, at a cost that is bounded, whatever is stored."""

    async def standing(self, tenant: str, now: Instant, most: int) -> Standing:
        """Counts of a tenant, at most `most` of unfinished messages and of dead letters."""
        ...

    async def size(self) -> StoreSize:
        """Of the database, all tenants' data together."""
        ...

"""What a store remembers of administrative changes."""

from __future__ import annotations

from typing import Protocol

from outrider.domain.audit import AuditEntry
from outrider.domain.instant import Instant


class AuditStore(Protocol):
    """Administrative changes. Those of tenants, tokens and keys are remembered in the change's own transaction."""

    async def record_change(self, entry: AuditEntry) -> None:
        """Remember one that is made."""
        ...

    async def last_change(self, tenant: str, action: str) -> Instant | None:
        """When that was last done to a tenant, as far back as entries are kept."""
        ...

    async def list_changes(self, tenant: str | None, *, before: int | None, limit: int) -> list[AuditEntry]:
        """The latest first, of one tenant or of all; those with a lower id than `before`."""
        ...

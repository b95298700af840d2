"""How things stand now."""

from __future__ import annotations

from outrider.domain.status import MOST_COUNTED, NodeSeen, Status, schedule_lag_ms
from outrider.ports import Clock, Store


class StatusBoard:
    """Asks the store how things stand."""

    def __init__(self, store: Store, clock: Clock, *, lease_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._lease_ms = lease_ms

    async def read(self, tenant: str) -> Status:
        """For a tenant, whose messages and schedules are counted. Raises Unavailable."""
        now = self._clock.now()
        standing = await self._store.standing(tenant, now, MOST_COUNTED)
        return Status(
            now=now,
            store=await self._store.size(),
            nodes=tuple(
                NodeSeen(node.id, node.until - self._lease_ms, self._lease_ms)
                for node in await self._store.list_nodes()
            ),
            standing=standing,
            schedule_lag_ms=schedule_lag_ms(standing.next_fire_at, now),
        )

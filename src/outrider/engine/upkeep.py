"""Removing what outlived its retention, a bounded transaction at a time; and storing when tokens were used."""

from __future__ import annotations

from outrider.domain.errors import Unavailable
from outrider.domain.instant import MINUTE_MS
from outrider.domain.limits import Limits
from outrider.engine.directory import Directory
from outrider.ports import Clock, Observer, Retention, Store

EVERY_MS = MINUTE_MS
PURGE_BATCH = 1000
"""Most rows removed in one transaction: deliveries go on in between."""


class Upkeep:
    """Purges once a minute."""

    def __init__(self, store: Store, clock: Clock, observer: Observer, limits: Limits, directory: Directory) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._limits = limits
        self._directory = directory

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.purge()
                await self._directory.write_uses()
            except Unavailable as failure:
                self._observer.note("purge_failed", error=failure.sentence)
            await self._clock.sleep_until(self._clock.now() + EVERY_MS)

    async def purge(self) -> int:
        """Remove everything that is past its retention now; how many rows."""
        now = self._clock.now()
        retention = Retention(
            logs_before=now - self._limits.log_retention_ms,
            dead_letters_before=now - self._limits.dlq_retention_ms,
            now=now,
            changes_before=now - self._limits.audit_retention_ms,
        )
        total = 0
        while removed := await self._store.purge(retention, PURGE_BATCH):
            total += removed
        while removed := await self._store.purge_activity(now, PURGE_BATCH):
            total += removed
        return total

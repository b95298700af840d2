"""The audit log: every administrative change, with who made it."""

from __future__ import annotations

from outrider.domain.audit import Actor, AuditEntry
from outrider.domain.errors import Unavailable
from outrider.domain.instant import Instant
from outrider.ports import AuditStore, Clock, Observer
from outrider.printable import printable

LONGEST_SUBJECT = 300


def entry_of(time: Instant, tenant: str, by: Actor, action: str, subject: str) -> AuditEntry:
    """What is remembered. A name of a client's choosing is made printable, and cut."""
    return AuditEntry(
        time=time,
        tenant=tenant,
        actor=by.id,
        hint=by.hint,
        action=action,
        subject=printable(subject[:LONGEST_SUBJECT])[:LONGEST_SUBJECT],
    )


class Audit:
    """Remembers changes of what tenants own, and lists them."""

    def __init__(self, store: AuditStore, clock: Clock, observer: Observer) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer

    async def record(self, tenant: str, by: Actor, action: str, subject: str) -> None:
        """Remember a change that is committed.

        Right after it, not with it: a dozen operations of every kind would each have to carry who asked for them.
        What a crash between the two leaves out was, at most, not answered yet. An entry that cannot be stored is
        noted whole, since the change stands.
        """
        entry = entry_of(self._clock.now(), tenant, by, action, subject)
        try:
            await self._store.record_change(entry)
        except Unavailable as failure:
            self._observer.note(
                "audit_failed",
                tenant=tenant,
                actor=entry.actor,
                action=action,
                subject=entry.subject,
                error=failure.sentence,
            )

    async def last(self, tenant: str, action: str) -> Instant | None:
        """When that was last done to a tenant, as far back as the log goes."""
        return await self._store.last_change(tenant, action)

    async def list(self, tenant: str | None, *, before: int | None, limit: int) -> list[AuditEntry]:
        """The latest first, of one tenant or of all; those with a lower id than `before`."""
        return await self._store.list_changes(tenant, before=before, limit=limit)

"""Databases of either kind, as they are administered."""

from __future__ import annotations

from typing import Protocol

from outrider.administration.condition import Condition, Finding, Product, Schema
from outrider.clock import SystemClock
from outrider.database_url import DatabaseUrl, SqliteFile
from outrider.domain.audit import COMMAND_LINE, NO_TENANT, AuditEntry
from outrider.domain.errors import OutriderError
from outrider.domain.instant import SECOND_MS, Instant
from outrider.engine.audit import entry_of
from outrider.settings import Settings
from outrider.storage import KEY_FINGERPRINT, open_store

CLOCK_MAY_DIFFER_MS = SECOND_MS
"""Nodes follow the database's clock; a machine further off than this has no working time service."""


class AdministeredDatabase(Protocol):
    """A database that is there; its schema may be of any release."""

    async def product(self) -> Product:
        """What it is. Raises StoreUnavailable if it cannot be read."""
        ...

    async def schema(self) -> Schema:
        """How far it is. Raises StoreUnavailable if it cannot be read."""
        ...

    async def condition(self, now: Instant) -> Condition:
        """As it stands. Raises StoreUnavailable if it cannot be read."""
        ...

    async def findings(self) -> list[Finding]:
        """Whether what it is stored in is whole, as far as the database itself can tell."""
        ...

    async def forget_fact(self, name: str, audit: AuditEntry) -> bool:
        """Whether there was one; then the entry is stored with it, unless the schema is older than the audit log."""
        ...


def administered(database: DatabaseUrl) -> AdministeredDatabase:
    """The database, with nothing done to it yet."""
    if isinstance(database, SqliteFile):
        from outrider.administration.sqlite import SqliteDatabase  # noqa: PLC0415 - only the one that is needed

        return SqliteDatabase(database.path)
    from outrider.administration.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(database)


async def migrate(database: DatabaseUrl, settings: Settings) -> Schema:
    """Bring the schema up to date, also of one that is not there yet; how far it was before.

    Raises Misconfigured where that cannot be: it is of a later release, or a server of an earlier one uses it.
    """
    is_there = not isinstance(database, SqliteFile) or database.path.exists()
    before = await administered(database).schema() if is_there else None
    store = await open_store(database, settings, serving=False)
    try:
        after = await administered(database).schema()
        done = Schema(0 if before is None else before.version, after.steps)
        if done.pending:
            versions = f"from version {done.version} to {len(done.steps)}"
            await store.record_change(by_command("database.migrate", versions))
    finally:
        await store.close()
    return done


async def condition_of(database: DatabaseUrl) -> Condition:
    """As it stands. Raises StoreUnavailable if it cannot be read."""
    return await administered(database).condition(SystemClock().now())


async def check(database: DatabaseUrl, settings: Settings) -> list[Finding]:
    """Everything that can be told of whether a database is sound. A store of another release is not changed."""
    looked_at = administered(database)
    findings = await looked_at.findings()
    schema = await looked_at.schema()
    subject = f"version {schema.version}"
    if schema.is_newer:
        return [*findings, Finding("schema", subject, f"this release knows versions up to {len(schema.steps)}")]
    if schema.pending:
        fault = f"{', '.join(schema.pending)} must be applied; run `outrider db migrate`, or start the server"
        return [*findings, Finding("schema", subject, fault)]
    return [*findings, Finding("schema", subject), *await _check_store(database, settings)]


async def _check_store(database: DatabaseUrl, settings: Settings) -> list[Finding]:
    clock = SystemClock()
    try:
        store = await open_store(database, settings, serving=False, migrate=False)
    except OutriderError as failure:
        return [Finding("commit", str(database), failure.sentence)]
    try:
        began_at = clock.now()
        try:
            await store.check(began_at)
        except OutriderError as failure:
            return [Finding("commit", "something small", failure.sentence)]
        findings = [Finding("commit", f"something small, within {clock.now() - began_at} ms")]
        asked_at = clock.now()
        theirs = await store.time()
        if theirs is not None:
            findings.append(_compare_clocks(theirs - (asked_at + clock.now()) // 2))
        violations = [Finding("invariants", one.subject, one.fault) for one in await store.inspect()]
        return findings + (violations or [Finding("invariants", "queues, flow-control keys and their messages")])
    finally:
        await store.close()


def _compare_clocks(ahead_ms: int) -> Finding:
    subject = f"the database's is {abs(ahead_ms)} ms {'ahead' if ahead_ms >= 0 else 'behind'}"
    if abs(ahead_ms) > CLOCK_MAY_DIFFER_MS:
        return Finding("clock", subject, "one of the two machines tells a wrong time; see to its time service")
    return Finding("clock", subject)


async def forget_key(database: DatabaseUrl) -> bool:
    """Let the key of whichever node starts next be that of all; whether another was before."""
    return await administered(database).forget_fact(KEY_FINGERPRINT, by_command("database.forget_key"))


def by_command(action: str, subject: str = "") -> AuditEntry:
    """What the audit log says of a command on the whole database, which is no tenant's."""
    return entry_of(SystemClock().now(), NO_TENANT, COMMAND_LINE, action, subject)

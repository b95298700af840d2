"""A database of a PostgreSQL server, looked at beside the nodes that share it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from outrider.administration.condition import Condition, Finding, NodeCondition, PartitionCondition, Product, Schema
from outrider.database_url import PostgresUrl
from outrider.domain.audit import AuditEntry
from outrider.domain.instant import Instant
from outrider.storage import USE
from outrider.store.postgres import migrations
from outrider.store.postgres.database import Database
from outrider.store.postgres.failures import FAILURES, unavailable
from outrider.store.relational.queries import load_queries

SQL = load_queries(Path(__file__).parent / "queries" / "postgres")

STEPS = tuple(step.name for step in migrations.MIGRATIONS)

PATIENCE_S = 600.0
"""How long one question may take: counting in a large table does."""


class PostgresDatabase:
    """The database; whether there is a schema in it is to be seen."""

    def __init__(self, url: PostgresUrl) -> None:
        self._url = url

    async def product(self) -> Product:
        """What it calls itself. Raises StoreUnavailable if it cannot be read."""
        async with self.connected() as raw:
            return await _product_of(raw)

    async def schema(self) -> Schema:
        """How far it is. Raises StoreUnavailable if it cannot be read."""
        async with self.connected() as raw:
            return Schema(await migrations.version_of(raw), STEPS)

    async def condition(self, now: Instant) -> Condition:
        """As it stands by its own clock. Raises StoreUnavailable if it cannot be read."""
        async with self.connected() as raw:
            product = await _product_of(raw)
            ((now, size),) = await _ask(raw, "now_and_size")
            schema = Schema(await migrations.version_of(raw), STEPS)
            common: dict[str, Any] = {
                "database": self._url.shown,
                "server": product.name,
                "mode": product.mode,
                "schema_version": schema.version,
                "schema_pending": schema.pending,
                "size_bytes": size,
                "looked_at": now,
            }
            if schema.pending or schema.is_newer:
                return Condition(**common)
            states = {state: (count, over) for state, count, over in await _ask(raw, "count_states", now)}
            counts = {state: states.get(state, (0, 0))[0] for state in ("due", "held", "leased")}
            use = await _ask(raw, "get_fact", USE)
            return Condition(
                **common,
                **counts,
                use=use[0][0] if use else None,
                unfinished=sum(counts.values()),
                overdue=states.get("due", (0, 0))[1],
                nodes=[
                    NodeCondition(id_, now - joined_at, until - now, leased)
                    for id_, joined_at, until, leased in await _ask(raw, "nodes")
                ],
                partitions=[PartitionCondition(*row) for row in await _ask(raw, "partitions")]
                if product.mode == migrations.Mode.FULL.value
                else (),
            )

    async def findings(self) -> list[Finding]:
        """Whether the server keeps what it has committed. The rest is the server's own to check."""
        async with self.connected() as raw:
            settings = await _ask(raw, "durability")
        off = [name for name, setting in settings if setting == "off"]
        if off:
            fault = "after a power failure of the server the database may be lost; set it to on"
            return [Finding("durability", f"{name} is off", fault) for name in off]
        return [Finding("durability", ", ".join(f"{name} is {setting}" for name, setting in settings))]

    async def forget_fact(self, name: str, audit: AuditEntry) -> bool:
        """Whether there was one; then the entry is stored with it, unless the schema is older than the audit log."""
        async with self.connected() as raw, raw.transaction():
            status: str = await raw.execute(SQL["forget_fact"], name)
            forgotten = status != "DELETE 0"
            if forgotten and await raw.fetchval(SQL["find_audit"]):
                said = (audit.time, audit.tenant, audit.actor, audit.hint, audit.action, audit.subject)
                await raw.execute(SQL["record_change"], *said)
        return forgotten

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[migrations.Raw]:
        """A connection of one's own. Raises StoreUnavailable, also for whatever it meets."""
        database = Database(self._url.dsn.text)
        raw = await database.connect()
        try:
            yield raw
        except FAILURES as failure:
            raise unavailable(failure, database.where) from failure
        finally:
            raw.terminate()


async def _product_of(raw: migrations.Raw) -> Product:
    ((version,),) = await _ask(raw, "version")
    mode = await migrations.mode_of(raw)
    return Product(version.partition(" on ")[0].partition(" (")[0], None if mode is None else mode.value)


async def _ask(raw: migrations.Raw, query: str, *parameters: object) -> list[Any]:
    rows: list[Any] = await raw.fetch(SQL[query], *parameters, timeout=PATIENCE_S)
    return rows

"""What it costs to claim what is due, beside few and beside very many messages that are not.

    .venv/bin/python -m bench.claims [--parked 1000 1000000] [--repeat 30] [--database URL] [--no-postgresql]

A claim takes 250 messages that are due from a store that also holds so many that are due in a day. An
empty claim finds nothing due; this is what a node asks at every look. The same is measured beside as many messages
of one host that are due but left out, as those of a dead host are. Measured on SQLite, and on a
durable PostgreSQL server: one that is started for the run, or `--database`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from bench.database import durable_server
from bench.harness import run
from bench.report import Report, describe_machine

from outrider.database_url import DatabaseUrl, SqliteFile, parse_database_url
from outrider.domain.attempt import Attempt, Delivered, Response
from outrider.domain.hosts import Hosts
from outrider.domain.instant import DAY_MS
from outrider.domain.message import Message, MessageState, new_id
from outrider.domain.options import DeliveryOptions
from outrider.domain.settlement import settle
from outrider.domain.tenant import Tenant
from outrider.ports import SealedKeys, Store
from outrider.settings import Settings
from outrider.storage import open_store

NOW = 1_800_000_000_000
TENANT = "ten_00000000000000000000000000"
NODE = "node_1"
BATCH = 250
ADDED_AT_ONCE = 1000
OPTIONS = DeliveryOptions(headers=(("Content-Type", "application/json"),))
BODY = b"x" * 200


DEAD = "dead.example"


def message(due_at: int, host: str = "receiver.example") -> Message:
    return Message(
        id=new_id("msg", NOW),
        tenant=TENANT,
        url=f"https://{host}/webhooks/orders",
        options=OPTIONS,
        body=BODY,
        created_at=NOW,
        not_before=due_at,
        due_at=due_at,
        state=MessageState.DUE,
    )


async def park(store: Store, count: int) -> None:
    for start in range(0, count, ADDED_AT_ONCE):
        await store.add([message(NOW + DAY_MS) for _ in range(min(ADDED_AT_ONCE, count - start))], NOW)


async def claim(store: Store, expected: int, *left_out: str) -> tuple[float, list[Message]]:
    """How long a claim took, in ms, and what it gave. Where a host is left out, claims take turns."""
    started = time.perf_counter()
    if left_out:
        claimed = await store.claim_due(NODE, NOW, BATCH, Hosts.but(*left_out), after=("", ""))
    else:
        claimed = await store.claim_due(NODE, NOW, BATCH)
    took = time.perf_counter() - started
    assert len(claimed) == expected, f"{len(claimed)} were claimed, not {expected}"
    return 1000 * took, claimed


async def measure(name: str, database: DatabaseUrl, counts: list[int], repeat: int, report: Report) -> None:
    store = await open_store(database, Settings(), serving=True)
    try:
        await store.add_tenant(Tenant(TENANT, "bench", NOW), SealedKeys("a", "b"))
        await store.join(NODE, NOW, NOW + DAY_MS)
        parked = 0
        for count in sorted(counts):
            await park(store, count - parked)
            parked = count
            for _ in range(repeat):
                report.add(f"{name}, {count:,} parked: empty claim", "ms", (await claim(store, 0))[0])
                await store.add([message(NOW) for _ in range(BATCH)], NOW)
                took, claimed = await claim(store, BATCH)
                report.add(f"{name}, {count:,} parked: claim of {BATCH}", "ms", took)
                done = Delivered(Response(200, (), b"ok"))
                await store.apply([settle(one, Attempt(one.id, 0, NOW, NOW + 5, done)) for one in claimed], NOW)
        for start in range(0, parked, ADDED_AT_ONCE):
            await store.add([message(NOW - 1, DEAD) for _ in range(min(ADDED_AT_ONCE, parked - start))], NOW)
        for _ in range(repeat):
            report.add(f"{name}, {parked:,} left out: empty claim", "ms", (await claim(store, 0, DEAD))[0])
            await store.add([message(NOW) for _ in range(BATCH)], NOW)
            took, claimed = await claim(store, BATCH, DEAD)
            report.add(f"{name}, {parked:,} left out: claim of {BATCH}", "ms", took)
            done = Delivered(Response(200, (), b"ok"))
            await store.apply([settle(one, Attempt(one.id, 0, NOW, NOW + 5, done)) for one in claimed], NOW)
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="what a claim costs")
    parser.add_argument("--parked", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--database", help="URL of a PostgreSQL server; default: one is started")
    parser.add_argument("--no-postgresql", action="store_true", help="SQLite alone")
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("claims")
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        machine = describe_machine(Path(name))
        file = SqliteFile(Path(name) / "bench.db")
        asyncio.run(measure("SQLite", file, said.parked, said.repeat, report))
        if not said.no_postgresql:
            with durable_server(said.database) as postgres, postgres.database("outrider_bench_claims") as url:
                machine |= {"postgresql": postgres.describe()}
                asyncio.run(measure("PostgreSQL", parse_database_url(url), said.parked, said.repeat, report))
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)

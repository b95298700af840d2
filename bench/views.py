"""How long each page of a list takes among very many entries, and how many pages an answer that is rare takes.

    .venv/bin/python -m bench.views [--entries 1000000] [--repeat 5] [--database URL] [--only sqlite|postgresql]

On both stores, without HTTP, one page after the other; on SQLite all work is this process's. The rows are put there by
SQL: four entries a message, a fifth of the messages unfinished, one in 5000 given up, labels, queues, hosts and a
schedule in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
from bench.database import durable_server
from bench.report import Report, describe_machine

from outrider.domain.event import EventKind
from outrider.domain.instant import DAY_MS
from outrider.domain.message import Progress
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter, MessageQuery, Page
from outrider.domain.tenant import Tenant
from outrider.ports import SealedKeys, Store
from outrider.store.postgres import PostgresStore
from outrider.store.postgres.partitions import make_days
from outrider.store.sqlite import SqliteStore

TENANT = "ten_1"
ENTRIES_EACH = 4
SPACING_MS = 10
NOW = round(time.time() * 1000)

NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})",
    "postgresql": "WITH numbers (n) AS (SELECT generate_series(1, {last}::bigint))",
}
JSON = {"sqlite": "", "postgresql": "::jsonb"}
FALSE = {"sqlite": "0", "postgresql": "false"}
EMPTY = {"sqlite": "x'7b7d'", "postgresql": r"'\x7b7d'::bytea"}

MESSAGES = """
INSERT INTO messages (
  seq, id, tenant, state, due_at, retried, cancel_requested, finished_at, created_at, not_before,
  host, path, url, queue, schedule_id, labels, options, body
)
{numbers}
SELECT
  n, 'msg_' || (100000000 + n), '{tenant}',
  CASE WHEN n % 5 = 0 THEN 'due' WHEN n % 5000 = 1 THEN 'failed' ELSE 'delivered' END,
  {start} + n * {spacing} + {day}, 0, {false}, CASE WHEN n % 5 = 0 THEN NULL ELSE {start} + n * {spacing} END,
  {start} + n * {spacing}, {start} + n * {spacing},
  'host-' || (n % 50) || '.example', '/x', 'https://host-' || (n % 50) || '.example/x',
  CASE WHEN n <= 5 THEN 'rare' WHEN n % 3 = 0 THEN 'common' END, CASE WHEN n <= 3 THEN 'nightly' END,
  ('["label-' || (n % 100) || '"]'){json}, '{{}}', {body}
FROM numbers
"""
EVENTS = """
INSERT INTO events (message, tenant, time, kind, response_status, error)
{numbers}
SELECT
  n, '{tenant}', {start} + n * {spacing} + k,
  CASE
    WHEN k = 0 THEN 'CREATED' WHEN k < 3 THEN 'ACTIVE' WHEN n % 5 = 0 THEN 'ACTIVE'
    WHEN n % 5000 = 1 THEN 'FAILED' ELSE 'DELIVERED'
  END,
  CASE WHEN k = 3 AND n % 5 <> 0 THEN CASE WHEN n % 5000 = 1 THEN 500 ELSE 200 END END, NULL
FROM numbers CROSS JOIN (SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS kinds
ORDER BY n, k
"""

Ask = Callable[[str | None], Awaitable[Page[object]]]


def statements(kind: str, messages: int, start: int) -> list[str]:
    said = {
        "numbers": NUMBERS[kind].format(last=messages),
        "tenant": TENANT,
        "start": start,
        "spacing": SPACING_MS,
        "day": DAY_MS,
        "json": JSON[kind],
        "false": FALSE[kind],
        "body": EMPTY[kind],
    }
    return [MESSAGES.format(**said), EVENTS.format(**said)]


@contextlib.asynccontextmanager
async def filled_sqlite(folder: Path, messages: int, start: int) -> AsyncIterator[Store]:
    path = folder / "views.db"
    store = await SqliteStore.open(path)
    await store.add_tenant(Tenant(TENANT, "bench", start), SealedKeys("a", "b"))
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        for statement in statements("sqlite", messages, start):
            raw.execute(statement)
    store = await SqliteStore.open(path)
    yield store
    await store.close()


@contextlib.asynccontextmanager
async def filled_postgres(url: str, messages: int, start: int) -> AsyncIterator[Store]:
    store = await PostgresStore.open(url)
    await store.add_tenant(Tenant(TENANT, "bench", start), SealedKeys("a", "b"))
    raw = await asyncpg.connect(url)
    await make_days(raw, [start, start + messages * SPACING_MS])
    for statement in statements("postgresql", messages, start):
        await raw.execute(statement)
    # What autovacuum does sooner or later.
    await raw.execute("VACUUM ANALYZE")
    await raw.close()
    yield store
    await store.close()


def views(store: Store) -> dict[str, Ask]:
    def log(*, kinds: tuple[EventKind, ...] = (), latest_first: bool = True, **which: tuple[str, ...]) -> Ask:
        asked = MessageFilter(**which)
        return lambda cursor: store.list_log(
            TENANT, LogQuery(filter=asked, kinds=kinds, latest_first=latest_first, cursor=cursor)
        )

    def logged(*, kinds: tuple[EventKind, ...] = (), **which: tuple[str, ...]) -> Ask:
        asked = MessageFilter(**which)
        return lambda cursor: store.list_logged(TENANT, LogQuery(filter=asked, kinds=kinds, cursor=cursor))

    def unfinished(progress: tuple[Progress, ...] = (), **which: tuple[str, ...]) -> Ask:
        asked = MessageFilter(**which)
        return lambda cursor: store.list_messages(
            TENANT, MessageQuery(filter=asked, progress=progress, cursor=cursor), NOW
        )

    shared: dict[str, dict[str, tuple[str, ...]]] = {
        "one message": {"ids": ("msg_100000001",)},
        "a queue of five messages": {"queues": ("rare",)},
        "a queue with a third of all": {"queues": ("common",)},
        "that queue and a label nobody has": {"queues": ("common",), "labels": ("nobody",)},
        "a schedule": {"schedule_ids": ("nightly",)},
        "one label in a hundred": {"labels": ("label-7",)},
        "a label nobody has": {"labels": ("nobody",)},
        "one host in fifty": {"hosts": ("host-7.example",)},
        "a URL nobody has": {"urls": ("https://nobody.example/",)},
    }
    asked: dict[str, Ask] = {"log: all": log(), "log: all, oldest first": log(latest_first=False)}
    asked |= {f"log: {name}": log(**which) for name, which in shared.items()}
    asked |= {
        f"log: {kind}": log(kinds=(kind,)) for kind in (EventKind.DELIVERED, EventKind.FAILED, EventKind.CANCELED)
    }
    asked["log: FAILED, a host"] = log(kinds=(EventKind.FAILED,), hosts=("host-7.example",))
    asked["by message: all"] = logged()
    asked |= {f"by message: {name}": logged(**which) for name, which in shared.items()}
    asked["by message: FAILED"] = logged(kinds=(EventKind.FAILED,))
    asked["messages: all"] = unfinished()
    asked["messages: retrying, of which there are none"] = unfinished((Progress.RETRYING,))
    asked |= {f"messages: {name}": unfinished(**which) for name, which in shared.items()}
    return asked


async def measure(name: str, store: Store, report: Report, repeat: int) -> None:
    for view, ask in views(store).items():
        await ask(None)
        cursor = None
        found = pages = 0
        slowest = 0.0
        while not found and (pages == 0 or cursor is not None):
            started = time.perf_counter()
            page = await ask(cursor)
            slowest = max(slowest, time.perf_counter() - started)
            found, cursor, pages = len(page.items), page.cursor, pages + 1
        for _ in range(repeat):
            started, cpu = time.perf_counter(), time.process_time()
            await ask(None)
            report.add(f"{name}, {view}: first page", "ms", 1000 * (time.perf_counter() - started))
            report.add(f"{name}, {view}: first page, CPU of this process", "ms", 1000 * (time.process_time() - cpu))
        report.add(f"{name}, {view}: slowest page until something is found", "ms", 1000 * slowest)
        report.add(f"{name}, {view}: pages until something is found", "", pages)
    for counted in ("messages", "dead letters"):
        started = time.perf_counter()
        if counted == "messages":
            await store.count_messages(TENANT, MessageQuery(), NOW)
        else:
            await store.cluster_dead_letters(TENANT, DeadLetterQuery())
        report.add(f"{name}, count of {counted}", "ms", 1000 * (time.perf_counter() - started))


async def run(kind: str, place: Path | str, entries: int, report: Report, repeat: int) -> None:
    messages = entries // ENTRIES_EACH
    start = int(time.time() * 1000) - messages * SPACING_MS
    opening = (
        filled_sqlite(place, messages, start) if isinstance(place, Path) else filled_postgres(place, messages, start)
    )
    async with opening as store:
        await measure(kind, store, report, repeat)


def main() -> None:
    parser = argparse.ArgumentParser(description="pages of lists")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--database", help="a PostgreSQL server's URL; default: one is started")
    parser.add_argument(
        "--folder", type=Path, help="where the SQLite file is made; default: the system's temporary one"
    )
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("views")
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        if said.only != "postgresql":
            asyncio.run(run("sqlite", folder, said.entries, report, said.repeat))
        if said.only != "sqlite":
            with durable_server(said.database) as server, server.database("views") as url:
                asyncio.run(run("postgresql", url, said.entries, report, said.repeat))
        machine = describe_machine(folder) | {"entries": said.entries}
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    main()

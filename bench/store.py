"""How many messages a second the embedded store takes through their whole life.

    .venv/bin/python bench/store.py [--rows 20000] [--parked 100000] [--body 200]

A life is: stored as LEASED with its CREATED entry, then settled as DELIVERED with ACTIVE and
DELIVERED entries. Callers are concurrent, as publishers are; batching is the store's affair.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from msgspec import structs

from outrider.domain.attempt import Attempt, Delivered, Response
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import DAY_MS
from outrider.domain.message import Message, MessageState, new_id
from outrider.domain.options import DeliveryOptions
from outrider.domain.settlement import settle
from outrider.domain.tenant import Tenant
from outrider.ports import Applied, SealedKeys
from outrider.store.sqlite import SqliteStore

NOW = 1_800_000_000_000
TENANT = "ten_00000000000000000000000000"
NODE = "node_1"
INSTANTS = itertools.count(NOW)
"""Ids sort by time; within one instant they are random, and random ids are slower."""
OPTIONS = DeliveryOptions(headers=(("Content-Type", "application/json"),))
RESPONSE = Response(200, (("Content-Type", "text/plain"), ("Date", "Fri, 15 Jan 2027 08:00:00 GMT")), b"ok")


def leased(body: bytes) -> Message:
    return Message(
        id=new_id("msg", next(INSTANTS)),
        tenant=TENANT,
        url="https://receiver.example/webhooks/orders",
        options=OPTIONS,
        body=body,
        created_at=NOW,
        not_before=NOW,
        due_at=NOW,
        state=MessageState.LEASED,
        lease=NODE,
        caller_ip="203.0.113.7",
    )


def parked(body: bytes) -> Message:
    return Message(
        id=new_id("msg", next(INSTANTS)),
        tenant=TENANT,
        url="https://receiver.example/webhooks/later",
        options=OPTIONS,
        body=body,
        created_at=NOW,
        not_before=NOW + DAY_MS,
        due_at=NOW + DAY_MS,
    )


async def live(store: SqliteStore, message: Message) -> None:
    """One message's life: two waits for the store, as in the server."""
    await store.add([message], NOW)
    settlement = settle(message, Attempt(message.id, 0, NOW, NOW + 5, Delivered(RESPONSE)))
    active = Event(tenant=TENANT, message_id=message.id, kind=EventKind.ACTIVE, time=NOW)
    carried = type(settlement)(
        message=message, state=settlement.state, events=(active, *settlement.events), reports=settlement.reports
    )
    (verdict,) = await store.apply([carried], NOW + 5)
    assert isinstance(verdict, Applied)


async def lives(store: SqliteStore, rows: int, at_once: int, body: bytes) -> None:
    async def caller() -> None:
        for _ in range(rows // at_once):
            await live(store, leased(body))

    await asyncio.gather(*(caller() for _ in range(at_once)))


async def claimed_lives(store: SqliteStore, rows: int, body: bytes) -> None:
    """The way of what became due: stored as DUE, claimed 250 at a time, settled."""
    for _ in range(rows // 250):
        fresh = [structs.replace(leased(body), state=MessageState.DUE, lease=None) for _ in range(250)]
        await store.add(fresh, NOW)
        claimed = await store.claim_due(NODE, NOW, 250)
        assert len(claimed) == 250
        settlements = [settle(m, Attempt(m.id, 0, NOW, NOW + 5, Delivered(RESPONSE))) for m in claimed]
        await asyncio.gather(*(store.apply([settlement], NOW + 5) for settlement in settlements))


async def spin(stop: asyncio.Event) -> None:
    """A loop that is busy with other things, as one that serves and delivers is."""
    while not stop.is_set():
        until = time.perf_counter() + 0.0002
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def measure(name: str, rows: int, work: Callable[[], Awaitable[None]]) -> None:
    started = time.perf_counter()
    await work()
    took = time.perf_counter() - started
    print(f"{name:<58} {rows / took:>9,.0f} rows/s")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--parked", type=int, default=100_000)
    parser.add_argument("--body", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    said = parser.parse_args()
    body = b"x" * said.body
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        store = await SqliteStore.open(Path(folder) / "bench.db", max_pending=1_000_000)
        await store.add_tenant(Tenant(TENANT, "bench", NOW), SealedKeys("a", "b"))
        for at_once in (1, 10, 100, 1000):
            rows = min(said.rows, at_once * 1000)
            await measure(f"whole lives, {at_once} at once", rows, partial(lives, store, rows, at_once, body))
        await measure("lives by way of a claim, 250 a batch", said.rows, lambda: claimed_lives(store, said.rows, body))
        stop = asyncio.Event()
        busy = asyncio.create_task(spin(stop))
        rows = said.rows // 4
        await measure("whole lives, 100 at once, beside a busy loop", rows, lambda: lives(store, rows, 100, body))
        await measure("lives by way of a claim, beside a busy loop", rows, lambda: claimed_lives(store, rows, body))
        stop.set()
        await busy

        async def park() -> None:
            for _ in range(said.parked // 1000):
                await store.add([parked(body) for _ in range(1000)], NOW)

        await measure("parking", said.parked, park)
        name = f"whole lives, 100 at once, beside {said.parked:,} parked"
        await measure(name, said.rows, lambda: lives(store, said.rows, 100, body))
        name = f"lives by way of a claim, beside {said.parked:,} parked"
        await measure(name, said.rows, lambda: claimed_lives(store, said.rows, body))
        await store.close()


asyncio.run(main())

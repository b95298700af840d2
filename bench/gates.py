"""What messages that wait at a gate cost: those that move up, and those beside them.

    .venv/bin/python bench/gates.py [--waiting 100000] [--turns 2000] [--folder /dev/shm]

A turn is what the engine asks for when one delivery ends: `apply`, then `claim_due` of the one that
moved up; another message joins at the end each time. It is measured with one waiting, and again with
`--waiting` of them. Three commits a turn: a folder in memory shows what is not the disk's.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from outrider.domain.attempt import Attempt, Delivered, Response
from outrider.domain.instant import DAY_MS
from outrider.domain.message import Message, MessageState, new_id
from outrider.domain.options import DeliveryOptions, FlowControl
from outrider.domain.settlement import settle
from outrider.domain.tenant import Tenant
from outrider.ports import SealedKeys
from outrider.store.sqlite import SqliteStore

NOW = 1_800_000_000_000
TENANT = "ten_00000000000000000000000000"
NODE = "node_1"
RESPONSE = Response(200, (("Content-Type", "text/plain"),), b"ok")

Make = Callable[[], Message]


def message(queue: str | None = None, control: FlowControl | None = None) -> Message:
    return Message(
        id=new_id("msg", NOW),
        tenant=TENANT,
        url="https://receiver.example/webhooks/orders",
        options=DeliveryOptions(flow_control=control),
        body=b"x" * 200,
        created_at=NOW,
        not_before=NOW,
        due_at=NOW,
        state=MessageState.LEASED,
        lease=NODE,
        queue=queue,
    )


async def put(store: SqliteStore, count: int, make: Make) -> None:
    for start in range(0, count, 1000):
        await store.add([make() for _ in range(min(1000, count - start))], NOW)


async def turns(store: SqliteStore, held: list[Message], count: int, make: Make) -> None:
    """Deliver what is held and claim who moves up, again and again; another joins at the end each time."""
    for _ in range(count):
        await store.add([make()], NOW)
        await store.apply([settle(m, Attempt(m.id, 0, NOW, NOW + 5, Delivered(RESPONSE))) for m in held], NOW)
        held[:] = await store.claim_due(NODE, NOW, 250)
        assert len(held) == 1


async def lives(store: SqliteStore, count: int) -> None:
    """Messages that meet no gate, 100 at once."""

    async def caller() -> None:
        for _ in range(count // 100):
            fresh = message()
            await store.add([fresh], NOW)
            await store.apply([settle(fresh, Attempt(fresh.id, 0, NOW, NOW + 5, Delivered(RESPONSE)))], NOW)

    await asyncio.gather(*(caller() for _ in range(100)))


async def timed(name: str, count: int, work: Awaitable[None]) -> float:
    started = time.perf_counter()
    await work
    took = time.perf_counter() - started
    print(f"{name:<58} {1e6 * took / count:>9,.0f} µs each")
    return took / count


async def measure(store: SqliteStore, name: str, make: Make, *, waiting: int, count: int) -> None:
    held = [make()]
    await store.add(held, NOW)
    few = await timed(f"{name}: turns, one waiting", count, turns(store, held, count, make))
    await timed(f"{name}: adding {waiting:,} that must wait", waiting, put(store, waiting, make))
    many = await timed(f"{name}: turns, {waiting:,} waiting", count, turns(store, held, count, make))
    print(f"{name}: a turn costs {many / few:.2f} times as much")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--folder", type=Path)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        store = await SqliteStore.open(Path(folder) / "bench.db", max_pending=1_000_000)
        await store.add_tenant(Tenant(TENANT, "bench", NOW), SealedKeys("a", "b"))
        beside_none = await timed("no gate: lives, 100 at once", 20_000, lives(store, 20_000))
        kinds: list[tuple[str, Make]] = [
            ("queue", lambda: message("orders")),
            ("key, parallelism", lambda: message(control=FlowControl("a", parallelism=1))),
        ]
        for name, make in kinds:
            await measure(store, name, make, waiting=said.waiting, count=said.turns)
        control = FlowControl("b", rate=1, period_ms=DAY_MS)
        await timed(
            f"key, rate: adding {said.waiting:,} that must wait",
            said.waiting,
            put(store, said.waiting, lambda: message(control=control)),
        )
        beside_many = await timed(
            f"no gate: lives, 100 at once, {3 * said.waiting:,} waiting", 20_000, lives(store, 20_000)
        )
        print(f"no gate: a life costs {beside_many / beside_none:.2f} times as much")
        await store.close()


asyncio.run(main())

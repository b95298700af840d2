"""Random walks through both gates: whatever happens in whatever order, limits and order hold and nothing is stuck."""

import asyncio
import random
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.backends import OF_STORES
from tests.factories import NODE, NOW, TENANT, make_callback, make_keys, make_message, make_settlement, make_tenant
from tests.factories import refused as make_refused
from tests.store.inspection import check_gates
from tests.store.steps import lose_leases

from outrider.domain import flow_control
from outrider.domain.message import MessageState
from outrider.domain.options import FlowControl
from outrider.domain.query import MessageFilter
from outrider.domain.queue import Queue
from outrider.domain.settlement import with_follow_ups
from outrider.ports import Retention, Stored

PERIOD = 1000
STEADY = FlowControl("steady", parallelism=2, rate=3, period_ms=PERIOD)
"""Its limits never change, so what a receiver sees can be held against them."""

STRICT = "strict"
"""A queue whose parallelism stays 1."""


class Walk:
    """One store, and a receiver's memory of what reached it."""

    def __init__(self, store, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.now = NOW
        self.added = {}
        self.arrived = []
        self.running = {}
        self.finished = {}
        self.starts = defaultdict(list)
        self.reports = defaultdict(set)
        self.begun = []

    async def step(self) -> None:
        changes = [self.cancel, self.end_leases, self.change_queue, self.change_key, self.purge]
        steps = [self.add] * 2 + [self.settle] * 3 + [self.wait] * 2 + changes
        await self.chance.choice(steps)()
        await check_gates(self.store)
        await self.claim()
        await check_gates(self.store)

    # What may happen

    async def add(self) -> None:
        calls = [[self.draft() for _ in range(self.chance.randint(1, 4))] for _ in range(self.chance.randint(1, 3))]
        receipts = await asyncio.gather(*(self.store.add(call, self.now) for call in calls))
        for receipt in (receipt for own in receipts for receipt in own):
            assert isinstance(receipt, Stored)
            self.take(receipt.message)

    def draft(self):
        control = self.chance.choice(
            [None, STEADY, STEADY, FlowControl("shaky", parallelism=self.chance.randint(1, 3))]
        )
        delay = self.chance.choice([0, 0, 0, 500, 3000])
        is_offered = not delay and self.chance.random() < 0.7
        return make_message(
            created_at=self.now,
            not_before=self.now + delay,
            due_at=self.now + delay,
            state=MessageState.LEASED if is_offered else MessageState.DUE,
            lease=NODE if is_offered else None,
            queue=self.chance.choice([None, STRICT, STRICT, "wide"]),
            flow_control=control,
            callback=make_callback() if self.chance.random() < 0.3 else None,
            retries=2,
            retry_delay=self.chance.choice(["0", "700"]),
        )

    async def settle(self) -> None:
        some = self.chance.sample(sorted(self.running), min(len(self.running), self.chance.randint(1, 3)))
        for message_id in some:
            await self.settle_one(self.running.pop(message_id), succeeds=self.chance.random() < 0.6)

    async def settle_one(self, message, *, succeeds: bool) -> None:
        settlement = make_settlement(message, None if succeeds else make_refused(), ended_at=self.now)
        settlement = with_follow_ups(settlement, partial(self.report, message))
        (verdict,) = await self.store.apply([settlement], self.now)
        applied = verdict.settlement
        for follow_up in applied.follow_ups:
            self.reports[message.id].add(follow_up.id)
            self.take(follow_up)
        if applied.state.finished:
            self.finish(message.id)

    def report(self, source, _):
        return make_message(
            created_at=self.now,
            callback_of=source.id,
            flow_control=self.chance.choice([None, None, STEADY]),
            state=MessageState.LEASED,
            lease=NODE,
            retries=0,
        )

    async def end_leases(self) -> None:
        if self.chance.random() < 0.5:
            ids = self.chance.sample(sorted(self.running), min(len(self.running), 2))
            await self.store.give_back(NODE, ids, self.now)
        else:
            ids = list(self.running)
            await lose_leases(self.store, self.now)
        for message_id in ids:
            del self.running[message_id]
            stored = await self.store.get_message(TENANT, message_id)
            if stored.state.finished:
                self.finish(message_id)

    async def cancel(self) -> None:
        unfinished = sorted(self.added.keys() - self.finished.keys())
        some = self.chance.sample(unfinished, min(len(unfinished), 2))
        if some:
            canceled = await self.store.cancel(TENANT, MessageFilter(ids=tuple(some)), self.now, 10)
            for message_id in canceled.canceled:
                self.finish(message_id)

    async def change_queue(self) -> None:
        name = self.chance.choice([STRICT, "wide"])
        changes = {"paused": self.chance.random() < 0.4}
        if name != STRICT:
            changes["parallelism"] = self.chance.randint(1, 4)
        await self.store.change_queue(TENANT, name, partial(self.changed, name, changes), self.now, most=10)

    def changed(self, name, changes, queue):
        base = queue or Queue(name=name, created_at=self.now, updated_at=self.now)
        return structs.replace(base, **changes)

    async def change_key(self) -> None:
        either = [flow_control.pause, flow_control.resume, flow_control.resume]
        any_change = [
            *either,
            flow_control.reset,
            partial(flow_control.pin, parallelism=self.chance.randint(1, 3)),
            partial(flow_control.pin, rate=2, period_ms=700),
            partial(flow_control.unpin, parallelism=True, rate=True),
            partial(flow_control.reset_rate, now=self.now),
        ]
        await self.store.change_flow_key(TENANT, "steady", self.chance.choice(either), self.now)
        await self.store.change_flow_key(TENANT, "shaky", self.chance.choice(any_change), self.now)

    async def wait(self) -> None:
        self.now += self.chance.choice([1, 200, 999, 1000, 5000])

    async def purge(self) -> None:
        before = self.now - 2000
        await self.store.purge(Retention(logs_before=before, dead_letters_before=before, now=self.now), 100)

    async def claim(self) -> None:
        """As the dispatcher does: whatever is due, at once, so that what is let through starts now."""
        while claimed := await self.store.claim_due(NODE, self.now, self.chance.choice([1, 3, 100])):
            for message in claimed:
                self.take(message)
        due_at = await self.store.next_due_at()
        assert due_at is None or due_at > self.now, "due, but a claim does not bring it"

    # What a receiver would see

    def take(self, message) -> None:
        if message.id not in self.added:
            self.added[message.id] = message
            self.arrived.append(message.id)
        if message.state is MessageState.LEASED:
            self.start(message)

    def start(self, message) -> None:
        assert message.id not in self.running
        assert message.id not in self.finished
        self.running[message.id] = message
        if message.options.flow_control == STEADY:
            running = [m for m in self.running.values() if m.options.flow_control == STEADY]
            assert len(running) <= STEADY.parallelism
            self.starts["steady"].append(self.now)
            self.check_rate(self.starts["steady"])
        if message.queue == STRICT and message.id not in self.begun:
            self.check_turn(message)
            self.begun.append(message.id)

    def check_rate(self, starts) -> None:
        began, count = None, 0
        for at in starts:
            if began is None or at >= began + PERIOD:
                began, count = at, 0
            count += 1
            assert count <= STEADY.rate

    def check_turn(self, message) -> None:
        for before in self.begun:
            assert {before, *self.reports[before]} <= self.finished.keys(), "started beside another"
        for earlier in self.arrived[: self.arrived.index(message.id)]:
            if self.added[earlier].queue == STRICT:
                assert earlier in self.begun or earlier in self.finished, "overtook another"

    def finish(self, message_id) -> None:
        assert message_id not in self.finished
        self.finished[message_id] = True

    # The end

    async def drain(self) -> None:
        """With everything resumed, what is left is delivered, led by `next_due_at` alone."""
        for name in (STRICT, "wide"):
            await self.store.change_queue(
                TENANT, name, partial(self.changed, name, {"paused": False}), self.now, most=10
            )
        for key in ("steady", "shaky"):
            await self.store.change_flow_key(TENANT, key, flow_control.resume, self.now)
        while self.added.keys() - self.finished.keys():
            for message_id in list(self.running):
                await self.settle_one(self.running.pop(message_id), succeeds=True)
            due_at = await self.store.next_due_at()
            assert due_at is not None or self.running or self.added.keys() == self.finished.keys(), "stuck"
            if due_at is not None:
                self.now = max(self.now, due_at)
                await self.claim()
        await check_gates(self.store)
        for queue in await self.store.list_queues(TENANT):
            assert (queue.in_use, queue.waiting) == (0, 0)
        for _, state in await self.store.list_flow_keys(TENANT, "", 10):
            assert (state.in_flight, state.waiting) == (0, 0)


async def walk(backend: str, chance: random.Random, steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await OF_STORES[backend].open(Path(folder))
        try:
            await store.add_tenant(make_tenant(id=TENANT), make_keys())
            walked = Walk(store, chance)
            for _ in range(steps):
                await walked.step()
            await walked.drain()
        finally:
            await store.close()
            OF_STORES[backend].discard(Path(folder))


@pytest.mark.parametrize("backend", OF_STORES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), steps=st.integers(1, 30))
def test_limits_and_order_hold_and_everything_ends_once(backend, chance, steps):
    asyncio.run(walk(backend, chance, steps))

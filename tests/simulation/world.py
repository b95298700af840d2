"""One run: everything that a seed stands for, from beginning to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.simulation.chance import Chance, seeded_ids
from tests.simulation.clock import WallClock
from tests.simulation.cluster import Cluster
from tests.simulation.database import Database, DirectStore
from tests.simulation.faults import Faults
from tests.simulation.final import check_rest, check_store
from tests.simulation.gates import KeyRule, QueueRule
from tests.simulation.loop import Stuck, VirtualLoop
from tests.simulation.model import Model
from tests.simulation.network import Network
from tests.simulation.node import BOX
from tests.simulation.plan import Plan, plan_of
from tests.simulation.profiles import ProfileRule, host_of
from tests.simulation.ticks import ScheduleRule
from tests.simulation.trace import Trace, Violation
from tests.simulation.workload import TOKEN, URLS, Producers

import outrider.clock
from outrider.domain.instant import DAY_MS, SECOND_MS
from outrider.domain.tenant import Scope
from outrider.engine.directory import Directory
from outrider.store.sqlite.connection import run_now

CLIENTS = 3

LONGEST_ATTEMPT_MS = 30 * SECOND_MS
"""No request of the workload has a longer timeout."""

LONGEST_REST_MS = 4 * DAY_MS
"""By then the longest backoff, the last attempt and the last callback are over."""


@dataclass(frozen=True)
class Result:
    """How a run went. `simulated_ms` is how much time has passed in it."""

    plan: Plan
    trace: Trace
    violation: Violation | None
    messages: int
    attempts: int
    simulated_ms: int


def run(seed: int) -> Result:
    """Run a seed to its end, or to the first promise that is broken."""
    loop = VirtualLoop()
    plan = plan_of(seed)
    with seeded_ids(seed), mock.patch.object(outrider.clock, "RECHECK_MS", plan.scale.recheck_ms):
        world = World(loop, plan)
        loop.set_exception_handler(world.failed)
        try:
            loop.run_until_complete(world.run())
        except Stuck as stuck:
            world.model.violate("stuck", "everything", str(stuck))
        finally:
            loop.end()
            world.database.raw.close()
    return Result(
        plan=plan,
        trace=world.trace,
        violation=world.model.violation,
        messages=len(world.model.records),
        attempts=sum(len(record.attempts) for record in world.model.records.values()),
        simulated_ms=world.ended_at,
    )


class World:
    """The parts of a run."""

    def __init__(self, loop: VirtualLoop, plan: Plan) -> None:
        self._loop = loop
        self._plan = plan
        self._chance = Chance(plan.seed, "world")
        self.trace = Trace(loop)
        self.trace.say("plan", plan.describe())
        self.database = Database(loop, plan, self.trace)
        truth = DirectStore(self.database.raw)
        self.model = Model(loop, plan, self.trace, truth)
        self.network = Network(loop, plan)
        self.database.committed = self.model.committed
        self.network.begins, self.network.ended = self.model.begins, self.model.ended
        self.cluster = Cluster(loop, plan, self.trace, model=self.model, database=self.database, network=self.network)
        self.producers = Producers(loop, plan, self.trace, self.model, self.cluster.serving)
        self.faults = Faults(
            loop,
            plan,
            self.trace,
            model=self.model,
            cluster=self.cluster,
            database=self.database,
            network=self.network,
        )
        self.database.troubled = self._is_troubled
        self.ended_at = 0
        self._set_up(Directory(truth, WallClock(loop), BOX))

    def failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something was raised in a call of the loop, so in the simulation itself; tasks that fail are the node's."""
        if "handle" in context:
            self.model.violate("simulation", "itself", repr(context["exception"]))

    def _set_up(self, directory: Directory) -> None:
        tenant, _ = run_now(directory.create_tenant("acme"))
        run_now(directory.add_token(tenant, TOKEN, Scope.FULL))
        model, plan = self.model, self._plan
        model.tenant = tenant.id
        for name in ("q1", "q2"):
            model.queues[name] = QueueRule(
                name, is_closed=model.is_closed, clocks_jump=plan.clocks_jump, violate=model.violate
            )
        slack = 1 if plan.is_cluster else 1000 if plan.clocks_jump else 0
        for name, parallelism, rate, period_ms in (
            ("k1", 1, None, SECOND_MS),
            ("k2", 3, 5, 10 * SECOND_MS),
            ("k3", None, 2, 5 * SECOND_MS),
        ):
            model.keys[name] = KeyRule(
                name, parallelism=parallelism, rate=rate, period_ms=period_ms, slack=slack, violate=model.violate
            )
        model.profiles = {host_of(url): ProfileRule(host_of(url), violate=model.violate) for url in URLS}
        for name in ("s1", "s2"):
            model.schedules[name] = ScheduleRule(name, plan.scale.period_ms, violate=model.violate)

    def _is_troubled(self, ms: int) -> None:
        self.model.trouble_begins()
        self._loop.after(2 * ms, self.model.trouble_ends)

    async def run(self) -> None:
        """Until all has come to rest, or a promise is broken."""
        broken = asyncio.Event()
        self.model.broken = broken.set
        await _first_of(self._play(), broken.wait())
        self.ended_at = self._loop.ms

    async def _play(self) -> None:
        self.cluster.start()
        await self.producers.make_group()
        await self._work()
        await self.cluster.sleep(self._plan.night_ms)
        await self._work()
        self.trace.say("world", "is made whole")
        await self.faults.end()
        await self.producers.open_everything()
        if "schedule" in self._plan.features:
            await self._watch_ticks()
        await self._rest()
        check_rest(
            self.model,
            [slot.node for slot in self.cluster.slots],
            clocks_agree=not self._plan.clocks_jump and not self._plan.is_cluster,
        )
        for slot in self.cluster.slots:
            await slot.node.engine.check()

    async def _work(self) -> None:
        """Half of the work, and of what goes wrong meanwhile."""
        harm = asyncio.create_task(self.faults.run())
        until = self._loop.ms + self._plan.scale.chaos_ms // 2
        clients = [asyncio.create_task(self.producers.work(until), name=f"client {i}") for i in range(CLIENTS)]
        while self._loop.ms < until:
            await self._loop.pause(self._plan.scale.chaos_ms // 6)
            check_store(self.model)
        await asyncio.gather(*clients)
        harm.cancel()

    async def _watch_ticks(self) -> None:
        """Every schedule fires at each of its triggers while nothing goes wrong."""
        period_ms, lease_ms = self._plan.scale.period_ms, self._plan.scale.lease_ms
        certain = [
            schedule
            for schedule in self.model.schedules.values()
            if schedule.exists.since(self._loop.ms) == {True} and schedule.paused.since(self._loop.ms + 1) == {False}
        ]
        await self._loop.pause(2 * lease_ms)
        since = max(slot.node.clock.latest for slot in self.cluster.slots)
        await self._loop.pause(2 * period_ms)
        until = min(slot.node.clock.now() for slot in self.cluster.slots) - SECOND_MS
        for schedule in certain:
            schedule.expect(since, until)
        await self.producers.end_schedules()

    async def _rest(self) -> None:
        """Return when every message and its callbacks have ended, and places in the windows are free."""
        give_up_at = self._loop.ms + LONGEST_REST_MS
        while unfinished := self.model.unfinished():
            if self._loop.ms > give_up_at:
                record = unfinished[0]
                stored = self.model.stored_now(record.message.id)
                what = "not stored" if stored is None else f"{stored.state} r{stored.retried} of {stored.lease}"
                self.model.violate("never ended", record.name, f"is {what}; {len(unfinished)} in all")
                return
            await self._loop.pause(self._plan.scale.lease_ms)
        await self._loop.pause(2 * self._plan.scale.lease_ms)
        give_up_at = self._loop.ms + LONGEST_ATTEMPT_MS
        while self._loop.ms < give_up_at and any(slot.node.engine.dispatcher.in_flight for slot in self.cluster.slots):
            # Who was struck off during an attempt sees it end in its own time; the message has ended elsewhere.
            await self._loop.pause(self._plan.scale.lease_ms)


async def _first_of(*doing: Coroutine[None, None, object]) -> None:
    tasks = [asyncio.create_task(each) for each in doing]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()

"""What goes wrong, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.simulation.chance import Chance
from tests.simulation.cluster import Cluster, Slot
from tests.simulation.database import Database
from tests.simulation.loop import VirtualLoop
from tests.simulation.model import Model
from tests.simulation.network import Network
from tests.simulation.plan import Plan
from tests.simulation.trace import Trace

from outrider.domain.instant import HOUR_MS


class Faults:
    """Does harm, as the plan allows, until it is stopped."""

    def __init__(
        self,
        loop: VirtualLoop,
        plan: Plan,
        trace: Trace,
        *,
        model: Model,
        cluster: Cluster,
        database: Database,
        network: Network,
    ) -> None:
        self._loop = loop
        self._scale = plan.scale
        self._trace = trace
        self._model = model
        self._cluster = cluster
        self._database = database
        self._network = network
        self._chance = Chance(plan.seed, "faults")
        kinds = {
            "kill": self._kill,
            "stop": self._stop,
            "pause": self._pause,
            "cut": self._cut,
            "outage": self._outage,
            "full": self._fill,
            "jump": self._jump,
            "slow": self._slow_down,
            "storm": self._storm,
        }
        self._kinds = [do for kind, do in kinds.items() if kind in plan.faults]
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while self._kinds:
            await self._loop.pause(self._chance.span(self._scale.fault_gap_ms))
            doing = asyncio.create_task(
                self._do(self._chance.choice(self._kinds), self._chance.choice(self._cluster.slots))
            )
            self._running.add(doing)
            doing.add_done_callback(self._running.discard)

    async def end(self) -> None:
        """Nothing goes wrong any more, and every node runs."""
        for doing in list(self._running):
            doing.cancel()
        self._database.is_away = self._database.is_full = self._database.is_slow = False
        self._network.is_stormy = False
        self._database.is_calm = self._network.is_calm = True
        await self._cluster.heal()

    async def _do(self, harm: Callable[[Slot], Awaitable[None]], slot: Slot) -> None:
        self._model.trouble_begins()
        try:
            await harm(slot)
        finally:
            self._model.trouble_ends()

    async def _kill(self, slot: Slot) -> None:
        process = slot.process
        if self._chance.happens(0.5):
            # In the midst of whatever it does next.
            process.kill_at = process.crossings + self._chance.randrange(1, 30)
        else:
            process.kill()

    async def _stop(self, slot: Slot) -> None:
        slot.stop(self._chance.span(5000))

    async def _pause(self, slot: Slot) -> None:
        process, ms = slot.process, self._longer_than_a_lease()
        self._trace.say(process.name, f"is paused for {ms} ms")
        process.pause()
        process.disturb(self._loop.ms + ms, "paused")
        await self._loop.pause(ms)
        process.disturb(self._loop.ms, "paused")
        process.resume()
        self._trace.say(process.name, "goes on")

    async def _cut(self, slot: Slot) -> None:
        process, ms = slot.process, min(self._longer_than_a_lease(), self._scale.longest_outage_ms)
        self._trace.say(process.name, f"is cut off from the store for {ms} ms")
        process.is_cut_off = True
        process.disturb(self._loop.ms + ms + self._scale.lease_ms, "cut off")
        await self._loop.pause(ms)
        process.is_cut_off = False
        self._trace.say(process.name, "reaches the store again")

    async def _outage(self, _: Slot) -> None:
        self._trace.say("database", "is away")
        self._database.is_away = True
        await self._loop.pause(self._chance.randrange(100, self._scale.longest_outage_ms))
        self._database.is_away = False
        self._trace.say("database", "is back")

    async def _fill(self, _: Slot) -> None:
        self._trace.say("database", "is full")
        self._database.is_full = True
        await self._loop.pause(self._chance.randrange(100, self._scale.longest_outage_ms))
        self._database.is_full = False
        self._trace.say("database", "has room again")

    async def _jump(self, slot: Slot) -> None:
        ms = self._chance.choice((-HOUR_MS, -10_000, -700, 700, 10_000, HOUR_MS))
        self._trace.say(slot.process.name, f"has its clock set by {ms} ms")
        slot.set_clock(ms)

    async def _slow_down(self, _: Slot) -> None:
        self._trace.say("database", "is slow")
        self._database.is_slow = True
        await self._loop.pause(self._longer_than_a_lease())
        self._database.is_slow = False
        self._trace.say("database", "is quick again")

    async def _storm(self, _: Slot) -> None:
        self._trace.say("network", "is stormy")
        self._network.is_stormy = True
        await self._loop.pause(self._longer_than_a_lease())
        self._network.is_stormy = False
        self._trace.say("network", "is calm again")

    def _longer_than_a_lease(self) -> int:
        """Or shorter."""
        return int(self._scale.lease_ms * self._chance.choice((0.2, 0.8, 1.5, 3)) * (0.5 + self._chance.random()))

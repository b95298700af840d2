"""The nodes of a run, one life of each after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.simulation.chance import Chance
from tests.simulation.clock import NodeClock, WallClock
from tests.simulation.database import Database
from tests.simulation.loop import VirtualLoop
from tests.simulation.model import Model
from tests.simulation.network import Network, NodeSender
from tests.simulation.node import Node
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.store import NodeStore
from tests.simulation.trace import Trace

from outrider.domain.errors import Unavailable
from outrider.domain.event import Event
from outrider.domain.instant import HOUR_MS


class NodeObserver:
    """Hands on to the model what a process tells while it lives."""

    def __init__(self, process: Process, model: Model) -> None:
        self._process = process
        self._model = model

    def events(self, events: Sequence[Event]) -> None:
        if not self._process.is_dead:
            self._model.told(self._process, events)

    def note(self, name: str, **facts: object) -> None:
        if not self._process.is_dead:
            self._model.noted(self._process, name, facts)


class Slot:
    """A machine: as one life of its node ends, another begins after a while."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self._cluster = cluster
        self._number = number
        self._lives = 0
        self._ahead_ms = 0
        self.node: Node
        self.process: Process
        self._ended = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None
        self._begin()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._start()
            await self._ended.wait()
            self._cluster.model.trouble_begins()
            await self._cluster.wait_for_restart()
            self._begin()
            self._cluster.model.trouble_ends()

    def set_clock(self, ms: int) -> None:
        """The machine's clock jumps."""
        self._ahead_ms += ms
        self.node.clock.ahead_ms += ms
        if not self._cluster.plan.is_cluster:
            self.process.disturb(self._cluster.loop.ms + 3 * self._cluster.plan.scale.lease_ms, "clock set")

    def stop(self, drain_ms: int) -> None:
        """End the node in order."""
        if not self.process.is_dead and self.node.is_serving:
            self._cluster.trace.say(self.process.name, "stops")
            self._stopping = asyncio.create_task(self._stop(self.node, drain_ms))

    async def _stop(self, node: Node, drain_ms: int) -> None:
        await node.stop(drain_ms)
        # Nothing is left of it.
        node.process.kill()

    def _begin(self) -> None:
        latest = self.node.clock.latest if self._lives else 0
        self._lives += 1
        self._ended.clear()
        self.node = self._cluster.make_node(f"n{self._number}x{self._lives}", self._ahead_ms)
        # What was due by the clock of a former life is due, though the clock was set back since.
        self.node.clock.latest = latest
        self.process = self.node.process
        self.process.when_killed.append(self._die)

    def _die(self) -> None:
        self._cluster.trace.say(self.process.name, "is dead")
        self._ended.set()

    async def _start(self) -> None:
        node = self.node
        try:
            # A life that is killed while it starts never comes back from it.
            starting = asyncio.create_task(node.start())
            ending = asyncio.create_task(self._ended.wait())
            await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                ending.cancel()
                starting.result()
        except Unavailable:
            self.process.kill()


class Cluster:
    """All machines over one database."""

    def __init__(
        self, loop: VirtualLoop, plan: Plan, trace: Trace, *, model: Model, database: Database, network: Network
    ) -> None:
        self.loop = loop
        self.plan = plan
        self.trace = trace
        self.model = model
        self._database = database
        self._network = network
        self._chance = Chance(plan.seed, "cluster")
        self._is_calm = False
        self._is_open = asyncio.Event()
        self._is_open.set()
        self.slots = [Slot(self, number) for number in range(1, plan.nodes + 1)]
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._running = [asyncio.create_task(slot.run(), name=f"machine {slot.process.name}") for slot in self.slots]

    def serving(self) -> list[Node]:
        """Nodes that take requests."""
        return [slot.node for slot in self.slots if slot.node.is_serving and not slot.process.is_dead]

    async def heal(self) -> None:
        """Return when every node runs, and nothing more will happen to it."""
        self._is_calm = True
        for slot in self.slots:
            slot.process.kill_at = None
            slot.process.is_cut_off = False
            slot.process.resume()
        while len(self.serving()) < len(self.slots):
            await self.loop.pause(100)

    async def sleep(self, ms: int) -> None:
        """Every machine is off for so long; some end in order, some do not."""
        self._is_open.clear()
        self.trace.say("world", f"is off for {ms} ms")
        for slot in self.slots:
            if self._chance.happens(0.5):
                slot.stop(self._chance.span(5000))
        await self.loop.pause(2 * self.plan.scale.lease_ms)
        for slot in self.slots:
            slot.process.kill()
        await self.loop.pause(ms)
        if "jump" in self.plan.faults:
            for slot in self.slots:
                slot.set_clock(self._chance.choice((-HOUR_MS, 0, HOUR_MS)))
        self.trace.say("world", "is on again")
        self._is_open.set()

    async def wait_for_restart(self) -> None:
        await self._is_open.wait()
        lease_ms = self.plan.scale.lease_ms
        await self.loop.pause(10 if self._is_calm else self._chance.choice((10, lease_ms // 3, 2 * lease_ms)))

    def make_node(self, name: str, ahead_ms: int) -> Node:
        plan = self.plan
        process = Process(self.loop, name)
        store = NodeStore(
            self.loop,
            self._database,
            process,
            max_pending=plan.max_pending,
            others=(lambda: self._tell_others(process)) if plan.is_cluster else None,
        )
        clock = (
            NodeClock(self.loop, ahead_ms, self._chance.uniform(-plan.drift, plan.drift))
            if plan.is_cluster
            else WallClock(self.loop, ahead_ms)
        )
        sender = NodeSender(self._network, process, clock)
        observer = NodeObserver(process, self.model)
        return Node(self.loop, plan, process, store=store, clock=clock, sender=sender, observer=observer)

    def _tell_others(self, teller: Process) -> None:
        for slot in self.slots:
            if slot.process is not teller and self._chance.happens(0.9):
                self.loop.after(self._chance.randrange(1, 20), self._hear, slot.node)

    def _hear(self, node: Node) -> None:
        if not node.process.is_dead and not node.process.is_paused:
            node.store.heard()

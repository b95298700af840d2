"""The engine: its parts wired together, started, checked and drained."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from outrider.domain.addresses import AddressPolicy
from outrider.domain.errors import Unavailable
from outrider.domain.instant import SECOND_MS
from outrider.domain.limits import Limits
from outrider.engine.activity import Activity
from outrider.engine.audit import Audit
from outrider.engine.dead_letters import DeadLetters
from outrider.engine.deliverer import Deliverer
from outrider.engine.directory import Directory
from outrider.engine.dispatcher import Dispatcher
from outrider.engine.flow_control import FlowControlKeys
from outrider.engine.journal import Journal
from outrider.engine.live import Live
from outrider.engine.membership import Membership
from outrider.engine.messages import Messages
from outrider.engine.previews import Previews
from outrider.engine.profiles import Profiles
from outrider.engine.publisher import Publisher
from outrider.engine.queues import Queues
from outrider.engine.scheduler import Scheduler
from outrider.engine.schedules import Schedules
from outrider.engine.sessions import Sessions
from outrider.engine.sign_in_links import SignInLinks
from outrider.engine.status import StatusBoard
from outrider.engine.time_keeper import TimeKeeper
from outrider.engine.upkeep import Upkeep
from outrider.engine.url_groups import UrlGroups
from outrider.engine.usage import Meter
from outrider.ports import Clock, Observer, Sender, Store
from outrider.sealing import SealedBox, SecretKey

RESTART_MS = SECOND_MS
"""How long a background loop that failed waits before it begins anew."""


class Engine:
    """Everything between the API and the store. One an event loop."""

    def __init__(
        self,
        *,
        store: Store,
        sender: Sender,
        clock: Clock,
        observer: Observer,
        directory: Directory,
        policy: AddressPolicy,
        limits: Limits,
        node: str,
        secret_key: SecretKey | None = None,
        max_in_flight: int = 1000,
        max_in_flight_per_host: int = 200,
        schedule_catch_up: bool = True,
        lease_ms: int = 6 * SECOND_MS,
        poll_ms: int = 30 * SECOND_MS,
        time_keeper: TimeKeeper | None = None,
        shared: bool = False,
    ) -> None:
        """Wire the parts together.

        `node` is this process's id in the store: no other has it or had it. What it holds there is its own for
        `lease_ms` after it was last heard of. What other nodes have stored is found within `poll_ms`, if nothing
        tells of it sooner. A `time_keeper` keeps the clock by the store's.
        Without a `secret_key` there is one for the engine's life: no other can read what it stores secret.
        `shared` says that other processes may serve from the store.
        """
        box = SealedBox(secret_key or SecretKey.fresh())
        self.store = store
        self.limits = limits
        self.directory = directory
        self.clock = clock
        self.observer = observer
        self.live = Live(store, clock, observer, shared=shared)
        observer = self.live
        self.activity = Activity(store, clock, observer)
        self.status = StatusBoard(store, clock, lease_ms=lease_ms)
        self.membership = Membership(store, clock, observer, node=node, lease_ms=lease_ms, time_keeper=time_keeper)
        self.dispatcher = Dispatcher(
            store,
            clock,
            observer,
            self.membership,
            max_in_flight=max_in_flight,
            max_per_host=max_in_flight_per_host,
            poll_ms=poll_ms,
        )
        self.audit = Audit(store, clock, observer)
        self.messages = Messages(store, clock, self.activity, self.dispatcher)
        self.queues = Queues(store, clock, self.dispatcher, self.messages, limits)
        self.url_groups = UrlGroups(store, clock, policy, limits)
        self.flow_control = FlowControlKeys(store, clock, self.dispatcher)
        self.usage = Meter(store, clock, limits)
        self.profiles = Profiles(store, clock, box, limits)
        self.sessions = Sessions(box, clock)
        self.sign_in_links = SignInLinks(store, clock, directory)
        self.publisher = Publisher(
            store=store,
            clock=clock,
            observer=self.activity,
            dispatcher=self.dispatcher,
            groups=self.url_groups,
            queues=self.queues,
            policy=policy,
            limits=limits,
        )
        self.previews = Previews(clock, self.publisher, directory, self.profiles)
        self._scheduler = Scheduler(
            store, clock, observer, self.publisher, limits, catch_up=schedule_catch_up, poll_ms=poll_ms
        )
        self.schedules = Schedules(store, clock, self.publisher, limits, self._scheduler.wake)
        self.dead_letters = DeadLetters(store, clock, self.publisher)
        self._journal = Journal(store, clock, self.activity)
        self._upkeep = Upkeep(store, clock, observer, limits, directory)
        self._sender = sender
        self._deliverer = Deliverer(
            store=store,
            sender=sender,
            clock=clock,
            observer=self.activity,
            directory=directory,
            profiles=self.profiles,
            dispatcher=self.dispatcher,
            journal=self._journal,
            membership=self.membership,
        )
        self._dispatching: asyncio.Task[None] | None = None
        self._scheduling: asyncio.Task[None] | None = None
        self._background: list[asyncio.Task[None]] = []
        self._failing: set[str] = set()

    async def start(self) -> None:
        """Join the nodes of the store, take over what nobody holds any more, then begin to deliver."""
        recovered = await self.membership.join()
        self.observer.note("engine_started", node=self.membership.node, recovered=recovered)
        self.dispatcher.start(self._deliverer.deliver)
        self.store.listen(self.dispatcher.look)
        self._dispatching = self._own("dispatcher", self.dispatcher.run)
        self._scheduling = self._own("scheduler", self._scheduler.run)
        self._background = [
            self._own("membership", lambda: self.membership.run(self.dispatcher.review)),
            self._own("journal", self._journal.run),
            self._own("upkeep", self._upkeep.run),
            self._own("activity", self.activity.run),
            self._own("live", self.live.run),
        ]

    async def check(self) -> None:
        """Raise Unavailable unless publishing and delivering work."""
        await self.store.check(self.clock.now())
        if self._dispatching is None or self._dispatching.done():
            raise Unavailable("deliveries are not running: the server is starting or stopping", code="not_delivering")
        if self._failing:
            raise Unavailable(
                f"{', '.join(sorted(self._failing))} failed and is being restarted", code="not_delivering"
            )

    async def drain(self, drain_ms: int) -> None:
        """Stop: nothing new is attempted, running attempts have `drain_ms` to end, the rest is given back."""
        self.dispatcher.stop()
        if self._scheduling is not None:
            self._scheduling.cancel()
            await asyncio.gather(self._scheduling, return_exceptions=True)
        if self._dispatching is not None:
            await self._dispatching
        await self.dispatcher.drain(self.clock.now() + drain_ms)
        for loop in self._background:
            loop.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._sender.close()
        try:
            await self._journal.write(started_before=self.clock.now())
            await self.activity.write(before=self.clock.now() + 1)
            await self.directory.write_uses()
            await self.membership.leave()
        except Unavailable as failure:
            self.observer.note("drain_incomplete", error=failure.sentence)
        self.observer.note("engine_stopped")

    def _own(self, name: str, loop: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return asyncio.create_task(self._keep_running(name, loop), name=name)

    async def _keep_running(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop to its end; a fault in it is noted, and it begins anew."""
        while True:
            try:
                await loop()
            except Exception as fault:  # noqa: BLE001 - a fault must not end deliveries for good
                self.observer.note("loop_faulted", loop=name, error=repr(fault))
                self._failing.add(name)
                await self.clock.sleep_until(self.clock.now() + RESTART_MS)
                self._failing.discard(name)
            else:
                return

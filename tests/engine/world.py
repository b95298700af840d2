"""The real engine over a real store, on a manual clock, with destinations that do as they are told."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from tests.engine.node import Node
from tests.factories import BOX

from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Outcome, Response, Unreachable, judge
from outrider.domain.destination import Destination, GroupName, Url
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import HOUR_MS, Instant
from outrider.domain.limits import Limits
from outrider.domain.message import Message, MessageState
from outrider.domain.options import OptionPatch
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter
from outrider.domain.schedule import Schedule
from outrider.domain.tenant import SigningKeys
from outrider.domain.url_group import Endpoint, UrlGroup
from outrider.engine.directory import Directory
from outrider.engine.publisher import FanOut, Publication, PublishRequest
from outrider.engine.runtime import Engine
from outrider.ports import Clock, OutgoingRequest, Sender, Store
from outrider.testing import ManualClock

DEFAULT_LIMITS = Limits()

Behaviour = Callable[[OutgoingRequest], Awaitable[Outcome] | Outcome]


class Destinations:
    """A Sender at which every URL answers 200 unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[OutgoingRequest] = []
        self.concurrent: dict[str, int] = defaultdict(int)
        self.most_concurrent: dict[str, int] = defaultdict(int)
        self._behaviours: dict[str, Behaviour] = {}
        self._called = asyncio.Condition()

    def answer(self, url: str, *statuses: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer with these statuses in turn, the last one for ever."""
        left = list(statuses)

        def behave(_: OutgoingRequest) -> Outcome:
            return judge(Response(left.pop(0) if len(left) > 1 else left[0], headers, b"answer"))

        self._behaviours[url] = behave

    def behave(self, url: str, behaviour: Behaviour) -> None:
        self._behaviours[url] = behaviour

    def hang(self, url: str) -> asyncio.Event:
        """Answer 200 once the event is set."""
        release = asyncio.Event()

        async def behave(_: OutgoingRequest) -> Outcome:
            await release.wait()
            return judge(Response(200))

        self._behaviours[url] = behave
        return release

    def calls_to(self, url: str) -> list[OutgoingRequest]:
        return [call for call in self.calls if call.url == url]

    async def called(self, times: int) -> None:
        """Return when that many requests have come in all."""
        async with asyncio.timeout(5), self._called:
            await self._called.wait_for(lambda: len(self.calls) >= times)

    async def send(self, request: OutgoingRequest) -> Outcome:
        self.calls.append(request)
        async with self._called:
            self._called.notify_all()
        self.concurrent[request.url] += 1
        self.most_concurrent[request.url] = max(self.most_concurrent[request.url], self.concurrent[request.url])
        try:
            outcome = self._behaviours.get(request.url, lambda _: judge(Response(200, (), b"ok")))(request)
            return await outcome if isinstance(outcome, Awaitable) else outcome
        finally:
            self.concurrent[request.url] -= 1

    async def close(self) -> None:
        pass


class Witness:
    """An Observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.notes: list[tuple[str, dict[str, object]]] = []

    def events(self, events) -> None:
        self.seen.extend(events)

    def note(self, name: str, **facts: object) -> None:
        self.notes.append((name, facts))

    def noted(self, name: str) -> list[dict[str, object]]:
        return [facts for noted, facts in self.notes if noted == name]


class World:
    """Everything a test of the engine needs, under short names.

    One node is there from the beginning, and `engine` and `store` are its own.

    Args:
        another: opens the way of one more node to the store.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits = DEFAULT_LIMITS,
        *,
        another: Callable[[], Awaitable[Store]] | None = None,
        lease_ms: int = HOUR_MS,
        **bounds: int,
    ) -> None:
        self.clock = ManualClock(settle=self.rest)
        self.destinations = Destinations()
        self.witness = Witness()
        self.limits = limits
        self.bounds = {"lease_ms": lease_ms, **bounds}
        self.tenant = ""
        self.keys = SigningKeys("", "")
        self._another = another
        self._names = itertools.count(1)
        self.node = self._new_node(store)
        self.nodes = [self.node]
        self.store = self.node.store
        self.directory = Directory(self.store, self.clock, BOX)

    @property
    def engine(self) -> Engine:
        return self.node.engine

    def new_engine(self, name: str) -> Engine:
        """An engine like that of the first node, not started."""
        return self.node.new_engine(name)

    async def begin(self) -> None:
        tenant, self.keys = await self.directory.create_tenant("acme")
        self.tenant = tenant.id
        await self.engine.start()
        await self.rest()

    async def join_node(self, **bounds: int) -> Node:
        """Start one more process on the same store, with other bounds perhaps."""
        assert self._another is not None, "this backend serves one process alone"
        node = self._new_node(await self._another(), **bounds)
        self.nodes.append(node)
        await node.engine.start()
        await self.rest()
        return node

    async def stop(self) -> None:
        """End the first node in order."""
        await self.node.stop()

    async def kill(self) -> None:
        """End the first node as by `kill -9`."""
        await self.node.kill()

    async def start_anew(self) -> None:
        """Begin another process on what the first node stored. That one was found dead long ago."""
        await self.store.leave(self.node.id, self.clock.now())
        await self.node.start_anew(self._name())
        await self.rest()

    async def end(self) -> None:
        """End every node."""
        for node in self.nodes:
            node.resume()
            node.store.reachable = True
            if not node.killed:
                await node.stop()

    async def rest(self) -> None:
        """Return when nothing is under way but what waits for the clock or a hanging destination.

        Nothing is when the store is idle, and the event loop has turned for a while without change.
        """
        unchanged, before = 0, None
        while unchanged < 3:
            for _ in range(10):
                await asyncio.sleep(0)
            for node in self.nodes:
                await node.process.idle()
            progress = (
                [(node.process.begun, node.engine.dispatcher.in_flight) for node in self.nodes],
                len(self.destinations.calls),
                len(self.witness.seen),
                self.clock.next_wake_at(),
            )
            unchanged = unchanged + 1 if progress == before else 0
            before = progress

    def _name(self) -> str:
        return f"node_{next(self._names)}"

    def _new_node(self, store: Store, **bounds: int) -> Node:
        def make(name: str, store: Store, clock: Clock, sender: Sender) -> Engine:
            return Engine(
                store=store,
                sender=sender,
                clock=clock,
                observer=self.witness,
                directory=Directory(store, clock, BOX),
                policy=AddressPolicy.production(),
                limits=self.limits,
                node=name,
                **self.bounds | bounds,
            )

        return Node(store, self.clock, self.destinations, make, self._name())

    async def publish(self, url: str = "https://a.example/x", body: bytes = b"", **said) -> str:
        published = await self.engine.publisher.publish(self.request(url, body, **said))
        assert isinstance(published, Publication)
        return published.message_id

    async def publish_to_group(self, name: str, body: bytes = b"", **said) -> FanOut:
        published = await self.engine.publisher.publish(self.request(GroupName(name), body, **said))
        assert isinstance(published, FanOut)
        await self.rest()
        return published

    def request(
        self, to: str | Destination = "https://a.example/x", body: bytes = b"", queue: str | None = None, **said
    ) -> PublishRequest:
        destination = Url(to) if isinstance(to, str) else to
        return PublishRequest(
            tenant=self.tenant, destination=destination, patch=OptionPatch(**said), body=body, queue=queue
        )

    async def schedule(
        self, cron: str, to: str | Destination = "https://a.example/x", body: bytes = b"", **said
    ) -> Schedule:
        destination = Url(to) if isinstance(to, str) else to
        return await self.engine.schedules.put(self.tenant, destination, OptionPatch(cron=cron, **said), body, None)

    async def group(self, name: str, *urls: str) -> UrlGroup:
        return await self.engine.url_groups.add_endpoints(self.tenant, name, [Endpoint(url) for url in urls])

    async def leap_to(self, instant: Instant) -> None:
        await self.clock.leap(instant - self.clock.now())

    def created_at(self) -> list[Instant]:
        """When messages were stored, in order."""
        return [event.time for event in self.witness.seen if event.kind is EventKind.CREATED]

    async def message(self, message_id: str) -> Message:
        return await self.engine.messages.get(self.tenant, message_id)

    async def states(self, message_ids: Iterable[str]) -> list[MessageState]:
        return [(await self.message(message_id)).state for message_id in message_ids]

    async def entered(self) -> list[str]:
        """The nodes that are entered in the store."""
        return [node.id for node in await self.nodes[-1].store.list_nodes()]

    async def log(self, message_id: str) -> list[EventKind]:
        page = await self.store.list_log(
            self.tenant, LogQuery(filter=MessageFilter(ids=(message_id,)), latest_first=False)
        )
        return [entry.event.kind for entry in page.items]

    async def dead_letters(self):
        return (await self.engine.dead_letters.list(self.tenant, DeadLetterQuery())).items


def unreachable(_: OutgoingRequest) -> Outcome:
    return Unreachable("connection refused")

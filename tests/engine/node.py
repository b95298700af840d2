"""A process of a test's world: an engine, with its own way to the store, that can be stopped as processes are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from outrider.domain.attempt import Outcome
from outrider.domain.errors import StoreUnavailable
from outrider.domain.instant import Instant
from outrider.engine.runtime import Engine
from outrider.ports import Clock, OutgoingRequest, Sender, Store


class Process:
    """Whether it runs, and how much of its work with the store is under way."""

    def __init__(self) -> None:
        self.runs = asyncio.Event()
        self.runs.set()
        self.begun = 0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Return when no operation is under way."""
        await self._idle.wait()

    async def count(self, operation: Callable[..., Awaitable[object]], *arguments: object, **named: object) -> object:
        self.begun += 1
        self._under_way += 1
        self._idle.clear()
        try:
            return await operation(*arguments, **named)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()


class WatchedStore:
    """The real store as one process sees it. While `reachable` is False, it does not."""

    def __init__(self, store: Store, process: Process) -> None:
        self._store = store
        self._process = process
        self.reachable = True

    def listen(self, heard: Callable[[], None]) -> None:
        self._store.listen(heard)

    def tell(self) -> None:
        self._store.tell()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        operation = getattr(self._store, name)

        async def watched(*arguments: object, **named: object) -> object:
            await self._process.runs.wait()
            if not self.reachable:
                raise StoreUnavailable("the store cannot be reached")
            answer = await self._process.count(operation, *arguments, **named)
            await self._process.runs.wait()
            return answer

        return watched


class ProcessClock:
    """The world's clock as a process sees it that may be paused."""

    def __init__(self, clock: Clock, process: Process) -> None:
        self._clock = clock
        self._process = process

    def now(self) -> Instant:
        return self._clock.now()

    async def sleep_until(self, instant: Instant) -> None:
        await self._clock.sleep_until(instant)
        await self._process.runs.wait()

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        await self._clock.wait(event, until)
        await self._process.runs.wait()


class ProcessSender:
    """The world's destinations as a process sees them that may be paused."""

    def __init__(self, sender: Sender, process: Process) -> None:
        self._sender = sender
        self._process = process

    async def send(self, request: OutgoingRequest) -> Outcome:
        await self._process.runs.wait()
        outcome = await self._sender.send(request)
        await self._process.runs.wait()
        return outcome

    async def close(self) -> None:
        await self._sender.close()


class Node:
    """One node.

    Args:
        make: the engine of this name at this store, clock and sender.
    """

    def __init__(self, store: Store, clock: Clock, sender: Sender, make: Callable[..., Engine], name: str) -> None:
        self.process = Process()
        self.store = WatchedStore(store, self.process)
        self._clock = ProcessClock(clock, self.process)
        self._sender = ProcessSender(sender, self.process)
        self._make = make
        self.engine = self.new_engine(name)
        self.killed = False

    @property
    def id(self) -> str:
        return self.engine.membership.node

    def new_engine(self, name: str) -> Engine:
        return self._make(name, self.store, self._clock, self._sender)

    def pause(self) -> None:
        """As by SIGSTOP: it gets no turn, whatever happens."""
        self.process.runs.clear()

    def resume(self) -> None:
        self.process.runs.set()

    async def start_anew(self, name: str) -> None:
        """Begin another process in its place."""
        self.engine = self.new_engine(name)
        self.killed = False
        await self.engine.start()

    async def stop(self) -> None:
        """End it in order, attempts that hang given up."""
        await self.engine.drain(0)

    async def kill(self) -> None:
        """End it as by `kill -9`: what was committed is there, nothing else happens any more."""
        self.killed = True
        engine = self.engine
        running = [*engine.dispatcher._running, *engine._background, engine._dispatching, engine._scheduling]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

"""A node: the real engine and the real API in a simulated process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.simulation.clock import NodeClock, WallClock
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import NodeSender
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.store import NodeStore

from outrider.domain.addresses import AddressPolicy
from outrider.domain.limits import Limits
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.engine.time_keeper import TimeKeeper
from outrider.http.answers import Answer
from outrider.http.app import create_app
from outrider.http.requests import Body, Request
from outrider.ports import Observer
from outrider.sealing import SealedBox, SecretKey

SECRET_KEY = SecretKey(bytes(32))
BOX = SealedBox(SECRET_KEY)


class ProcessClock:
    """The clock as code in the process has it."""

    def __init__(self, clock: WallClock, process: Process) -> None:
        self._clock = clock
        self._process = process

    def now(self) -> int:
        return self._clock.now()

    async def sleep_until(self, instant: int) -> None:
        await self._clock.sleep_until(instant)
        await self._process.cross()

    async def wait(self, event: asyncio.Event, until: int | None) -> None:
        await self._clock.wait(event, until)
        await self._process.cross()


class Node:
    """One life of a node."""

    def __init__(
        self,
        loop: VirtualLoop,
        plan: Plan,
        process: Process,
        *,
        store: NodeStore,
        clock: WallClock,
        sender: NodeSender,
        observer: Observer,
    ) -> None:
        self._loop = loop
        self.process = process
        self.store = store
        self.clock = clock
        self.is_serving = False
        seen = ProcessClock(clock, process)
        self.engine = Engine(
            store=store,
            sender=sender,
            clock=seen,
            observer=observer,
            directory=Directory(store, seen, BOX),
            policy=AddressPolicy.production(),
            limits=Limits(
                burst_per_second=1_000_000,
                log_retention_ms=plan.log_retention_ms,
                dlq_retention_ms=plan.dlq_retention_ms,
            ),
            node=process.name,
            secret_key=SECRET_KEY,
            max_in_flight=plan.max_in_flight,
            max_in_flight_per_host=plan.max_per_host,
            lease_ms=plan.scale.lease_ms,
            poll_ms=plan.scale.poll_ms,
            time_keeper=TimeKeeper(store, clock, observer) if isinstance(clock, NodeClock) else None,
        )
        self._app = create_app(self.engine)
        self._requests: dict[asyncio.Future[Answer | None], asyncio.Task[None]] = {}
        process.when_killed.append(self._hang_up)

    async def start(self) -> None:
        """Raises Unavailable."""
        await self.engine.start()
        self.is_serving = True

    async def stop(self, drain_ms: int) -> None:
        """End in order; whoever waits for an answer is cut off."""
        self.is_serving = False
        tasks = list(self._requests.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.engine.drain(drain_ms)

    def ask(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> asyncio.Future[Answer | None]:
        """The answer to a request as it comes over the wire; None if the connection breaks."""
        answer: asyncio.Future[Answer | None] = self._loop.create_future()
        if not self.is_serving or self.process.is_dead:
            answer.set_result(None)
            return answer
        self._requests[answer] = asyncio.create_task(self._serve(_request(method, target, headers, body), answer))
        return answer

    async def _serve(self, request: Request, answer: asyncio.Future[Answer | None]) -> None:
        try:
            await self.process.cross()
            said = await self._app.answer(request)
            await self.process.cross()
            if not answer.done():
                answer.set_result(said)
        finally:
            self._requests.pop(answer, None)
            if not answer.done():
                answer.set_result(None)

    def _hang_up(self) -> None:
        self.is_serving = False
        for answer in list(self._requests):
            if not answer.done():
                answer.set_result(None)


def _request(method: str, target: str, headers: Sequence[tuple[str, str]], content: bytes) -> Request:
    path, _, query = target.partition("?")
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
    body = Body(len(content))
    if content:
        body.add(content)
    body.end()
    return Request(
        method=method,
        path=path.encode(),
        query=query.encode(),
        headers=pairs,
        fields=dict(pairs),
        body=body,
        caller_ip="203.0.113.9",
    )

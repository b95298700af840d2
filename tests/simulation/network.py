"""The far end: destinations that answer, fail, hang and ask for patience, by chance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from tests.simulation.chance import Chance
from tests.simulation.clock import WallClock
from tests.simulation.loop import VirtualLoop
from tests.simulation.plan import Plan
from tests.simulation.process import Process

from outrider.domain.attempt import Outcome, Response, TimedOut, Unreachable, judge
from outrider.ports import OutgoingRequest
from outrider.testing import DEFAULT_START


@dataclass
class Attempt:
    """A request that a destination saw. Times are the loop's; `ended_at` is the node's clock's.

    Attributes:
        hint: how the answer asks for a delay: `none`, `wait` (milliseconds from the end) or `at` (an instant).
    """

    message_id: str
    retried: int
    process: Process
    begun: int
    request: OutgoingRequest
    is_legitimate: bool = True
    is_cut: bool = False
    outcome: Outcome | None = None
    ended_at: int | None = None
    hint: tuple[str, int] = ("none", 0)

    @property
    def is_running(self) -> bool:
        return self.outcome is None and not self.is_cut and not self.process.is_dead


class Network:
    """Destinations of all nodes.

    Attributes:
        is_stormy: nearly everything fails.
        begins, ended: told of every attempt.
    """

    def __init__(self, loop: VirtualLoop, plan: Plan) -> None:
        self._loop = loop
        self._plan = plan
        self._chance = Chance(plan.seed, "network")
        self.is_stormy = self.is_calm = False
        self.begins: Callable[[Process, WallClock, OutgoingRequest], Attempt]
        self.ended: Callable[[Attempt], None]

    async def send(self, process: Process, clock: WallClock, request: OutgoingRequest) -> Outcome:
        await process.cross()
        attempt = self.begins(process, clock, request)
        try:
            outcome = await self._carry_out(attempt)
            await process.cross()
        except asyncio.CancelledError:
            attempt.is_cut = True
            raise
        attempt.outcome, attempt.ended_at = outcome, clock.now()
        self.ended(attempt)
        return outcome

    async def _carry_out(self, attempt: Attempt) -> Outcome:
        chance, timeout_ms = self._chance, attempt.request.timeout_ms
        failing = 0.0 if self.is_calm else 0.9 if self.is_stormy else self._plan.failing
        if not chance.happens(failing):
            slow = not self.is_calm and chance.happens(0.05)
            await self._loop.pause(chance.span(timeout_ms / 3) % timeout_ms if slow else chance.randrange(1, 80))
            return judge(Response(chance.choice((200, 200, 201, 204)), (), b"done"))
        match chance.pick({"status": 6, "reset": 2, "hang": 1}):
            case "status":
                await self._loop.pause(chance.randrange(1, 200))
                return judge(self._refusal(attempt))
            case "reset":
                await self._loop.pause(chance.randrange(1, 2000))
                return Unreachable("the connection was reset")
            case _:
                await self._loop.pause(timeout_ms)
                return TimedOut(timeout_ms, f"no answer within {timeout_ms} ms")

    def _refusal(self, attempt: Attempt) -> Response:
        chance = self._chance
        status = chance.choice((302, 400, 404, 409, 429, 429, 500, 502, 503, 503))
        if chance.happens(0.03):
            return Response(status, (("Upstash-NonRetryable-Error", "true"),))
        if not chance.happens(0.3):
            return Response(status)
        seconds = chance.choice((0, 1, 7, 45))
        at_s = (DEFAULT_START + self._loop.ms) // 1000 + seconds + 1
        name, value, attempt.hint = chance.choice(
            (
                ("Retry-After", str(seconds), ("wait", seconds * 1000)),
                ("retry-after", f"{seconds}.5", ("wait", seconds * 1000 + 500)),
                ("X-RateLimit-Reset-Requests", f"1m{seconds}s", ("wait", 60_000 + seconds * 1000)),
                ("X-RateLimit-Reset", str(at_s), ("at", at_s * 1000)),
                ("Retry-After", formatdate(at_s, usegmt=True), ("at", at_s * 1000)),
                ("Retry-After", "soon", ("none", 0)),
                ("Retry-After", "999999", ("none", 0)),
            )
        )
        return Response(status, ((name, value),))


class NodeSender:
    """A process's way to the network; a Sender."""

    def __init__(self, network: Network, process: Process, clock: WallClock) -> None:
        self._network = network
        self._process = process
        self._clock = clock

    async def send(self, request: OutgoingRequest) -> Outcome:
        return await self._network.send(self._process, self._clock, request)

    async def close(self) -> None:
        pass

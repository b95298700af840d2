"""What clients do, drawn from a seed: everything that is promised by an answer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from random import Random

from tests.engine.world import Destinations
from tests.factories import BOX
from tests.power_loss.account import Account, part_of
from tests.power_loss.computer import Computer

from outrider.domain.destination import GroupName, Url
from outrider.domain.errors import OutriderError
from outrider.domain.instant import HOUR_MS, MINUTE_MS, SECOND_MS
from outrider.domain.limits import Limits
from outrider.domain.options import CallbackPatch, Deduplication, FlowControl, OptionPatch
from outrider.domain.query import DeadLetterQuery, MessageFilter
from outrider.domain.url_group import Endpoint
from outrider.engine.directory import Directory
from outrider.engine.publisher import PublishRequest

RETENTION_MS = 6 * HOUR_MS
LIMITS = Limits(log_retention_ms=RETENTION_MS, dlq_retention_ms=RETENTION_MS)

GROUP = "readers"
MEMBERS = 3
QUEUES = ("letters", "parcels")
SCHEDULES = ("hourly", "daily")
URLS = ("https://a.example/x", "https://b.example/y", "https://broken.example/", "https://gone.example/")
SIZES = (10, 200, 1500, 6000, 20_000)
"""Of bodies: in their row, in a table of their own, on pages of their own."""

SPANS_MS = (100, SECOND_MS, SECOND_MS, MINUTE_MS, MINUTE_MS, HOUR_MS, RETENTION_MS)


class Clients:
    """Args:
    chance: what they do is drawn from it.
    """

    def __init__(self, chance: Random, account: Account) -> None:
        self.tenant = ""
        self.destinations = Destinations()
        self.destinations.answer("https://broken.example/", 500)
        self.destinations.answer("https://gone.example/", 500, 500, 200, 500, 200)
        self.computer: Computer
        self._chance = chance
        self._account = account
        self._numbers = itertools.count(1)
        self._calls: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (8, self.publish),
            (4, self.enqueue),
            (4, self.publish_batch),
            (2, self.publish_to_group),
            (2, self.put_schedule),
            (1, self.delete_schedule),
            (2, self.put_queue),
            (2, self.cancel),
            (1, self.cancel_many),
            (1, self.delete_dead_letter),
            (1, self.retry_dead_letter),
        ]

    async def arrive(self) -> None:
        """Make a tenant, unless there is one, and a URL group."""
        if not self.tenant:
            tenant, _ = await Directory(self.computer.store, self.computer.clock, BOX).create_tenant(
                f"acme-{next(self._numbers)}"
            )
            self.tenant = tenant.id
        members = [Endpoint(f"https://c.example/{number}") for number in range(MEMBERS)]
        await self.computer.engine.url_groups.add_endpoints(self.tenant, GROUP, members)

    async def work(self, rounds: int) -> None:
        """Call, some calls at once, and let time pass; until the power is off."""
        for _ in range(rounds):
            calls = [self._call() for _ in range(self._chance.choice((1, 1, 2, 4, 8)))]
            await asyncio.gather(*calls)
            if self.computer.fate.is_off:
                return
            if self._chance.random() < 0.5:
                await self._let_pass(self._chance.choice(SPANS_MS))

    async def _let_pass(self, ms: int) -> None:
        """Long spans pass in one step: the upkeep of each minute would take most of the time."""
        clock = self.computer.clock
        await (clock.leap(ms) if ms >= HOUR_MS else clock.advance(ms))

    async def _call(self) -> None:
        weights, calls = zip(*self._calls, strict=True)
        try:
            await self._chance.choices(calls, weights)[0]()
        except OutriderError:
            """Nothing was promised."""

    async def publish(self) -> None:
        body = self._body()
        await self._account.publish(body, self.computer.engine.publisher.publish(self._request(body)))

    async def publish_plainly(self) -> None:
        """Publish what nothing holds back; raises what the publisher raises."""
        request = PublishRequest(tenant=self.tenant, destination=Url(URLS[0]), patch=OptionPatch(), body=self._body())
        await self._account.publish(request.body, self.computer.engine.publisher.publish(request))

    async def enqueue(self) -> None:
        body = self._body()
        request = self._request(body, queue=self._chance.choice(QUEUES))
        await self._account.publish(body, self.computer.engine.publisher.publish(request))

    async def publish_batch(self) -> None:
        batch, size = self._body(), self._chance.randint(2, 12)
        requests = [self._request(part_of(batch, number), deduplicated=False) for number in range(size)]
        publishing = self.computer.engine.publisher.publish_batch(requests)
        await self._account.publish_together(batch, size, publishing)

    async def publish_to_group(self) -> None:
        # Its messages are alike, so what is known of each is what is told of it.
        request = PublishRequest(
            tenant=self.tenant, destination=GroupName(GROUP), patch=self._patch(deduplicated=False), body=self._body()
        )
        fan_out = await self.computer.engine.publisher.publish(request)
        self._account.accepted |= {part.message_id: request.body for part in fan_out.publications}

    async def put_schedule(self) -> None:
        name = self._chance.choice(SCHEDULES)
        cron = self._chance.choice(("* * * * *", "0 * * * *", "30 4 * * *"))
        patch = OptionPatch(cron=cron, schedule_id=name, retries=0)
        await self._change(
            "schedule",
            name,
            cron,
            lambda: self.computer.engine.schedules.put(self.tenant, Url(URLS[0]), patch, b"scheduled", None),
        )

    async def delete_schedule(self) -> None:
        name = self._chance.choice(SCHEDULES)
        await self._change("schedule", name, None, lambda: self.computer.engine.schedules.delete(self.tenant, name))

    async def put_queue(self) -> None:
        name, paused = self._chance.choice(QUEUES), self._chance.random() < 0.3
        parallelism = self._chance.randint(1, 3)
        await self._change(
            "queue",
            name,
            paused,
            lambda: self.computer.engine.queues.put(self.tenant, name, parallelism=parallelism, paused=paused),
        )

    async def cancel(self) -> None:
        # That it was cancelled is told to the account, as every event is.
        if self._account.accepted:
            message_id = self._chance.choice(list(self._account.accepted))
            await self.computer.engine.messages.cancel(self.tenant, message_id)

    async def cancel_many(self) -> None:
        some = MessageFilter(labels=("some",))
        await self.computer.engine.messages.cancel_many(self.tenant, some, self._chance.randint(1, 10))

    async def delete_dead_letter(self) -> None:
        await self._on_a_dead_letter(lambda letter: self.computer.engine.dead_letters.delete(self.tenant, letter))

    async def retry_dead_letter(self) -> None:
        await self._on_a_dead_letter(
            lambda letter: self.computer.engine.dead_letters.retry(self.tenant, letter, OptionPatch())
        )

    async def _on_a_dead_letter(self, act: Callable[[str], Awaitable[object]]) -> None:
        """Do what removes one."""
        page = await self.computer.engine.dead_letters.list(self.tenant, DeadLetterQuery())
        if page.items:
            letter = self._chance.choice(page.items).id
            await self._change("dead letter", letter, None, lambda: act(letter))

    async def _change(self, kind: str, name: str, value: object, change: Callable[[], Awaitable[object]]) -> None:
        # Of two changes at once nobody knows which is the last.
        if not self._account.is_changing((kind, name)):
            await self._account.change((kind, name), value, change())

    def _request(self, body: bytes, queue: str | None = None, *, deduplicated: bool = True) -> PublishRequest:
        return PublishRequest(
            tenant=self.tenant,
            destination=Url(self._chance.choice(URLS)),
            patch=self._patch(deduplicated=deduplicated),
            body=body,
            queue=queue,
        )

    def _patch(self, *, deduplicated: bool) -> OptionPatch:
        said: dict[str, object] = {
            "retries": self._chance.choice((0, 0, 1, 3)),
            "delay_ms": self._chance.choice((0, 0, 0, *SPANS_MS)),
        }
        if self._chance.random() < 0.2:
            said["labels"] = ("some",)
        if self._chance.random() < 0.2:
            said["callback"] = CallbackPatch("https://a.example/callback")
        if self._chance.random() < 0.2:
            said["failure_callback"] = CallbackPatch("https://a.example/failure")
        if self._chance.random() < 0.2:
            said["flow_control"] = FlowControl(self._chance.choice(("slow", "slower")), parallelism=1, rate=5)
        if deduplicated and self._chance.random() < 0.2:
            said["deduplication"] = Deduplication(self._chance.choice("abcdef"))
        return OptionPatch(**said)

    def _body(self) -> bytes:
        """One that no other message has."""
        return b"%d " % next(self._numbers) + self._chance.randbytes(self._chance.choice(SIZES))

"""Producers: what they ask for, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import json
from tests.simulation.chance import Chance
from tests.simulation.gates import KeyRule
from tests.simulation.loop import VirtualLoop
from tests.simulation.model import CALLBACK, FAILURE_CALLBACK, Model
from tests.simulation.node import Node
from tests.simulation.plan import Plan
from tests.simulation.profiles import HEADER
from tests.simulation.records import BACKOFFS, History, Letter, Publish
from tests.simulation.ticks import ScheduleRule
from tests.simulation.trace import Trace

from outrider.http.answers import Answer
from outrider.testing import DEFAULT_START

Headers = list[tuple[str, str]]

TOKEN = "otr_simulation"

URLS = [f"https://d{number}.example/in" for number in range(3)]
GROUP = "everybody"

REFUSED = 503
GONE = 404


class Producers:
    """A few clients that ask any node for anything.

    Args:
        nodes: those that can be reached now.
    """

    def __init__(
        self, loop: VirtualLoop, plan: Plan, trace: Trace, model: Model, nodes: Callable[[], list[Node]]
    ) -> None:
        self._loop = loop
        self._plan = plan
        self._trace = trace
        self._model = model
        self._nodes = nodes
        self._chance = Chance(plan.seed, "producers")
        self._works = {
            name: (do, weight)
            for name, needed, do, weight in (
                ("publish", set(), self._publish_one, 10),
                ("batch", {"batch"}, self._publish_batch, 1.5),
                ("group", {"group"}, self._publish_to_group, 1.5),
                ("cancel", {"cancel"}, self._cancel, 1.5),
                ("dead letter", {"dlq"}, self._treat_dead_letter, 1.5),
                ("queue", {"queue", "steer"}, self._steer_queue, 0.8),
                ("key", {"key", "steer"}, self._steer_key, 0.8),
                ("schedule", {"schedule"}, self._steer_schedule, 0.8),
                ("profile", {"profile"}, self._steer_profile, 0.5),
            )
            if needed <= plan.features
        }

    async def work(self, until: int) -> None:
        """One client, in bursts, until then."""
        while True:
            await self._loop.pause(self._chance.span(self._plan.scale.gap_ms))
            for _ in range(self._chance.randrange(1, 7)):
                if self._loop.ms >= until:
                    return
                work = self._chance.pick({name: weight for name, (_, weight) in self._works.items()})
                await self._works[work][0]()

    async def make_group(self) -> None:
        endpoints = [{"url": url, "name": f"e{number}"} for number, url in enumerate(URLS)]
        await self.insist("POST", f"/v2/url-groups/{GROUP}/endpoints", [], json.encode({"endpoints": endpoints}))

    async def open_everything(self) -> None:
        """Resume whatever is paused."""
        for queue in self._model.queues.values():
            await self._insist_on(queue.paused, False, "POST", f"/v2/queues/{queue.name}/resume")
        for key in self._model.keys.values():
            await self._insist_on(key.paused, False, "POST", f"/v2/flowControl/{key.name}/resume")
        for schedule in self._model.schedules.values():
            await self._insist_on(schedule.paused, False, "PATCH", f"/v2/schedules/{schedule.name}/resume")

    async def end_schedules(self) -> None:
        for schedule in self._model.schedules.values():
            await self.insist("DELETE", f"/v2/schedules/{schedule.name}")

    async def insist(self, method: str, target: str, headers: Headers | None = None, body: bytes = b"") -> Answer:
        """Ask until somebody does it, or there is nothing to be done."""
        while True:
            answer = await self._ask(method, target, headers or [], body)
            if answer is not None and answer.status != REFUSED:
                return answer
            await self._loop.pause(500)

    async def _insist_on(self, history: History[Any], value: object, method: str, target: str) -> None:
        asked = history.ask(value, self._loop.ms)
        answer = await self.insist(method, target)
        if answer.status == GONE:
            history.refused(asked)
        else:
            history.granted(asked, self._loop.ms)

    # Publishing

    async def _publish_one(self) -> None:
        publish, headers = self._new_publish((self._chance.choice(URLS),))
        path = "publish" if publish.queue is None else f"enqueue/{publish.queue}"
        await self._send([publish], "POST", f"/v2/{path}/{publish.urls[0]}", headers, publish.token.encode())

    async def _publish_to_group(self) -> None:
        publish, headers = self._new_publish(tuple(URLS), dedup=False)
        path = "publish" if publish.queue is None else f"enqueue/{publish.queue}"
        await self._send([publish], "POST", f"/v2/{path}/{GROUP}", headers, publish.token.encode())

    async def _publish_batch(self) -> None:
        key = self._chance.choice(list(self._model.keys.values())) if self._chance.happens(0.4) else None
        made = [self._new_publish((self._chance.choice(URLS),), key=key) for _ in range(self._chance.randrange(1, 12))]
        items = [
            {"destination": publish.urls[0], "headers": dict(headers), "body": publish.token, "queue": publish.queue}
            for publish, headers in made
        ]
        await self._send([publish for publish, _ in made], "POST", "/v2/batch", [], json.encode(items))

    def _new_publish(
        self, urls: tuple[str, ...], *, dedup: bool = True, schedule: str | None = None, key: KeyRule | None = None
    ) -> tuple[Publish, Headers]:
        chance, features, scale = self._chance, self._plan.features, self._plan.scale
        publish = Publish(f"p{len(self._model.publishes) + 1}", urls, schedule=schedule)
        self._model.publishes[publish.token] = publish
        headers: Headers = []
        publish.retries = 0
        if "retry" in features:
            publish.backoff = chance.choice(BACKOFFS)
            publish.retries = chance.randrange(scale.default_retries if publish.backoff.expression is None else 6)
        headers.append(("Upstash-Retries", str(publish.retries)))
        if publish.backoff.expression is not None:
            headers.append(("Upstash-Retry-Delay", publish.backoff.expression))
        if "delay" in features and chance.happens(0.3):
            seconds = chance.span(scale.longest_delay_ms / 3000) % (scale.longest_delay_ms // 1000)
            publish.delays_ms = {seconds * 1000}
            headers.append(("Upstash-Delay", f"{seconds}s"))
        if "callback" in features:
            headers += self._callbacks_of(publish)
        if "dedup" in features and dedup and chance.happens(0.4):
            publish.dedup = f"d{chance.randrange(6)}"
            headers.append(("Upstash-Deduplication-Id", publish.dedup))
            headers.append(("Upstash-Deduplication-Window", f"{publish.window_ms // 1000}s"))
        if key is None and chance.happens(0.4):
            key = chance.choice(list(self._model.keys.values()))
        if "key" in features and key is not None:
            publish.key = key.name
            headers += [("Upstash-Flow-Control-Key", key.name), ("Upstash-Flow-Control-Value", key.value)]
        if "queue" in features and chance.happens(0.5):
            publish.queue = chance.choice(list(self._model.queues))
        publish.timeout_ms = chance.choice((2000, 10_000, 30_000))
        headers.append(("Upstash-Timeout", f"{publish.timeout_ms // 1000}s"))
        return publish, headers

    def _callbacks_of(self, publish: Publish) -> Headers:
        publish.callback = self._chance.happens(0.4)
        publish.failure_callback = self._chance.happens(0.4)
        headers: Headers = []
        for wanted, prefix, url in (
            (publish.callback, "Upstash-Callback", CALLBACK),
            (publish.failure_callback, "Upstash-Failure-Callback", FAILURE_CALLBACK),
        ):
            if wanted:
                headers.append((prefix, url))
                if publish.backoff.expression is not None:
                    headers.append((f"{prefix}-Retry-Delay", publish.backoff.expression))
        return headers

    async def _send(self, publishes: list[Publish], method: str, target: str, headers: Headers, body: bytes) -> None:
        """Send, and tell the model what becomes of it."""
        for publish in publishes:
            publish.open += 1
            publish.sent = publish.sent or self._loop.ms
        before = [len(publish.records) for publish in publishes]
        answer = await self._ask(method, target, headers, body)
        for publish in publishes:
            publish.open -= 1
        if answer is None:
            for publish in publishes:
                publish.lost += 1
        elif answer.status == REFUSED:
            for publish, stored in zip(publishes, before, strict=True):
                self._model.refused(publish, stored)
        else:
            self._accept(publishes, answer)

    def _accept(self, publishes: list[Publish], answer: Answer) -> None:
        said = json.decode(answer.body)
        each = said if isinstance(said, list) else [said]
        if len(publishes) == 1:
            pairs = [(publishes[0], one) for one in each]
        else:
            pairs = list(zip(publishes, each, strict=True))
        for publish, one in pairs:
            if answer.status not in {200, 202} or "messageId" not in one:
                self._model.violate("unexpected answer", publish.token, f"{answer.status} {one}")
            elif one.get("deduplicated"):
                self._model.passed_over(publish, one["messageId"])
            else:
                self._model.accepted(publish, one["messageId"], one["url"])

    # Changing what is there

    async def _cancel(self) -> None:
        known = [record for record in self._model.records.values() if record.accepted and record.state is None]
        if not known:
            return
        chosen = self._chance.sample(known, min(len(known), self._chance.choice((1, 1, 1, 3))))
        if len(chosen) == 1:
            answer = await self._ask("DELETE", f"/v2/messages/{chosen[0].message.id}")
        else:
            ids = [record.message.id for record in chosen]
            answer = await self._ask("DELETE", "/v2/messages", [], json.encode({"messageIds": ids}))
        if answer is not None and answer.status == 200:
            for record in chosen:
                if record.cancel_requested is None and record.state is None:
                    self._model.violate("cancel lost", record.name, "goes on, and its cancellation was answered well")

    async def _treat_dead_letter(self) -> None:
        there = [
            (letter_id, letter)
            for letter_id, letter in self._model.letters.items()
            if letter.fate == "there" and letter.record.publish is not None
        ]
        if not there:
            return
        letter_id, letter = self._chance.choice(there)
        if self._chance.happens(0.3):
            letter.fate = "deleting"
            answer = await self._ask("DELETE", f"/v2/dlq/{letter_id}")
            letter.fate = self._fate_of(letter, answer, "deleted")
            return
        letter.fate = "retrying"
        publish = letter.record.publish
        publish.delays_ms.add(0)
        publish.open += 1
        answer = await self._ask("POST", f"/v2/dlq/retry/{letter_id}")
        publish.open -= 1
        publish.lost += answer is None
        letter.fate = self._fate_of(letter, answer, "retried")
        if answer is not None and answer.status == 200:
            self._accept([publish], answer)

    def _fate_of(self, letter: Letter, answer: Answer | None, done: str) -> str:
        if answer is None:
            return "unknown"
        if answer.status == GONE:
            self._model.letter_lost(letter)
            return "gone"
        return "there" if answer.status == REFUSED else done

    async def _steer_queue(self) -> None:
        queue = self._chance.choice(list(self._model.queues.values()))
        match self._chance.pick({"parallelism": 2, "pause": 1, "resume": 2, "delete": 0.4}):
            case "parallelism":
                wanted = self._chance.choice((1, 2, 3))
                body = json.encode({"queueName": queue.name, "parallelism": wanted})
                await self._change(queue.parallelism, wanted, self._ask("POST", "/v2/queues", [], body))
            case "delete":
                # The next message makes it anew, as it was at first.
                parallelism = queue.parallelism.ask(1, self._loop.ms)
                asking = self._ask("DELETE", f"/v2/queues/{queue.name}")
                answer = await self._change(queue.paused, False, asking)
                _conclude(queue.parallelism, parallelism, answer, self._loop.ms)
            case word:
                asking = self._ask("POST", f"/v2/queues/{queue.name}/{word}")
                await self._change(queue.paused, word == "pause", asking)

    async def _steer_key(self) -> None:
        key: KeyRule = self._chance.choice(list(self._model.keys.values()))
        word = self._chance.pick({"pause": 2, "resume": 4, "pin": 1, "unpin": 1, "resetRate": 1, "reset": 1})
        query = {"pin": "?parallelism=2", "unpin": "?parallelism=true"}.get(word, "")
        if word not in {"pause", "resume"}:
            # From now on there are limits that its messages do not say.
            key.is_regular = False
            key.parallelism.ask(max(2, key.limits[0] or 2), self._loop.ms)
        asking = self._ask("POST", f"/v2/flowControl/{key.name}/{word}{query}")
        if word in {"pause", "resume", "reset"}:
            await self._change(key.paused, word == "pause", asking)
        else:
            await asking

    async def _steer_profile(self) -> None:
        profile = self._chance.choice(list(self._model.profiles.values()))
        value = f"v{self._chance.randrange(1000)}" if self._chance.happens(0.7) else None
        if value is None:
            asking = self._ask("DELETE", f"/v2/profiles/{profile.host}")
        else:
            body = json.encode({"headers": {HEADER: value}})
            asking = self._ask("PUT", f"/v2/profiles/{profile.host}", [], body)
        await self._change(profile.value, value, asking)

    async def _steer_schedule(self) -> None:
        schedule = self._chance.choice(list(self._model.schedules.values()))
        match self._chance.pick({"put": 3, "pause": 1, "resume": 2, "run": 1, "delete": 0.5}):
            case "put":
                await self._put(schedule)
            case "run":
                await self._ask("POST", f"/v2/schedules/{schedule.name}/run")
            case "delete":
                asking = self._ask("DELETE", f"/v2/schedules/{schedule.name}")
                await self._change(schedule.exists, False, asking)
            case word:
                asking = self._ask("PATCH", f"/v2/schedules/{schedule.name}/{word}")
                await self._change(schedule.paused, word == "pause", asking)

    async def _put(self, schedule: ScheduleRule) -> None:
        if self._chance.happens(0.3):
            # So that a trigger passes while it is overwritten.
            period_ms = self._plan.scale.period_ms
            left_ms = period_ms - (DEFAULT_START + self._loop.ms) % period_ms
            await self._loop.pause(max(0, left_ms - self._chance.randrange(8)))
        publish, headers = self._new_publish((self._chance.choice(URLS),), dedup=False, schedule=schedule.name)
        headers += [("Upstash-Cron", self._plan.scale.cron), ("Upstash-Schedule-Id", schedule.name)]
        if publish.queue is not None:
            headers.append(("Upstash-Queue-Name", publish.queue))
        if self._chance.happens(0.5):
            publish.jitter_ms = self._chance.randrange(1, self._plan.scale.period_ms // 2000) * 1000
            headers.append(("Upstash-Cron-Jitter", f"{publish.jitter_ms // 1000}s"))
        asked = schedule.exists.ask(True, self._loop.ms)
        asking = self._ask("POST", f"/v2/schedules/{publish.urls[0]}", headers, publish.token.encode())
        answer = await self._change(schedule.paused, False, asking)
        _conclude(schedule.exists, asked, answer, self._loop.ms)

    async def _change(self, history: History[Any], value: object, asking: Awaitable[Answer | None]) -> Answer | None:
        """A request that changes a setting."""
        asked = history.ask(value, self._loop.ms)
        answer = await asking
        _conclude(history, asked, answer, self._loop.ms)
        return answer

    async def _ask(self, method: str, target: str, headers: Headers | None = None, body: bytes = b"") -> Answer | None:
        """The answer of some node; None if none came, and nobody knows what became of the request."""
        nodes = self._nodes()
        if not nodes:
            await self._loop.pause(100)
            return None
        node = self._chance.choice(nodes)
        answering = node.ask(method, target, [("Authorization", f"Bearer {TOKEN}"), *(headers or [])], body)
        self._trace.say("producer", f"asks {node.process.name} to {method} {target} {body[:40].decode()}")
        try:
            async with asyncio.timeout(self._plan.scale.lease_ms * 2 / 1000):
                answer = await answering
        except TimeoutError:
            answer = None
        said = "nothing" if answer is None else f"{answer.status} {answer.body[:120].decode()}"
        self._trace.say("producer", f"is told {said} by {node.process.name}")
        if answer is not None and answer.status not in {200, 201, 202, GONE, REFUSED}:
            self._model.violate("unexpected answer", node.process.name, f"{method} {target}: {answer.status} {said}")
        return answer


def _conclude(history: History[Any], asked, answer: Answer | None, now: int) -> None:
    """What the answer to a request says about the setting that it was to change."""
    if answer is None:
        return
    if answer.status in {REFUSED, GONE}:
        history.refused(asked)
    else:
        history.granted(asked, now)

"""A mixed load of messages, and the account of what became of each.

Of twenty messages twelve are plain, three are refused once, three report their attempt to a
callback, and two are refused for good, which a failure callback reports. Some may be enqueued.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import aiohttp
from tests.e2e.ledger import Ledger, Received
from tests.e2e.server_process import ServerProcess

CONNECTIONS = 48

DRAINED_WITHIN_S = 60.0

MIX = ("plain",) * 12 + ("flaky",) * 3 + ("told",) * 3 + ("lost",) * 2

ATTEMPTS = {"plain": 1, "flaky": 2, "told": 1, "lost": 2}
"""How many attempts a message of a kind takes."""

CALLBACKS = {"plain": 0, "flaky": 0, "told": 1, "lost": 1}

REQUESTS_EACH = sum(ATTEMPTS[kind] + CALLBACKS[kind] for kind in MIX) / len(MIX)
"""How many requests a message of the mix causes on average."""


_LOADS = itertools.count()


class Load:
    """Publishes `count` messages over many connections, through every restart of the server.

    With `queues`, a fifth of them are enqueued instead, into that many queues of parallelism 1. Those of a queue follow
    one another, so the order in which they were enqueued is that of their numbers.

    What was answered with 2xx is in `accepted`: kind by message id; `times` says when it was sent and when it was
    answered, by `time.monotonic`. What was not answered may have been stored or not.
    """

    def __init__(self, server: ServerProcess, ledger: Ledger, place: str, count: int, *, queues: int = 0) -> None:
        self.accepted: dict[str, str] = {}
        self.times: dict[str, tuple[float, float]] = {}
        self._server = server
        self._ledger = ledger
        self._place = place
        self._queues = queues
        self._in_each_queue = count // 5 // queues if queues else 0
        self._numbers: Iterator[int] = iter(range(count - queues * self._in_each_queue))
        self._number = next(_LOADS)
        self._base = server.url
        self._starts = 1
        self._started = asyncio.Condition()
        self._at_acceptance: dict[int, Callable[[], None]] = {}
        ledger.answer(f"{place}/flaky/*", status=503, attempts=1)
        ledger.answer(f"{place}/lost/*", status=500)

    async def publish(self) -> None:
        """Publish everything; while the server is down, wait."""
        async with self._session() as session, asyncio.TaskGroup() as all_:
            for _ in range(CONNECTIONS):
                all_.create_task(self._publish_on(session))
            for queue in range(self._queues):
                all_.create_task(self._enqueue_on(session, queue))

    async def publish_one(self) -> bool:
        """One more, plain; whether it was accepted."""
        async with self._session() as session:
            return await self._try(session, "publish", "plain", "one") is not None

    def at_acceptance(self, count: int, act: Callable[[], None]) -> None:
        """Call `act` in the moment in which the acceptance of so many messages is known."""
        self._at_acceptance[count] = act

    async def drain(self) -> None:
        """Return when every accepted message has had its attempts and reports."""

        def is_drained() -> bool:
            # Counting is cheap, the account is not, and this is asked at every request.
            return len(self._ledger) >= self.expected and not Account(self, self._ledger.requests()).lost

        await asyncio.to_thread(self._ledger.wait_until, is_drained, "every accepted message", DRAINED_WITHIN_S)

    @property
    def expected(self) -> int:
        """How many requests the accepted messages cause at least."""
        return sum(ATTEMPTS[kind] + CALLBACKS[kind] for kind in self.accepted.values())

    async def go_on(self) -> None:
        """The server was started again: those who failed to reach it may go on."""
        async with self._started:
            self._base = self._server.url
            self._starts += 1
            self._started.notify_all()

    async def _publish_on(self, session: aiohttp.ClientSession) -> None:
        for number in self._numbers:
            kind = MIX[number % len(MIX)]
            await self._send(session, "publish", kind, str(number))

    async def _enqueue_on(self, session: aiohttp.ClientSession, queue: int) -> None:
        for number in range(self._in_each_queue):
            kind = MIX[(number * self._queues + queue) * 7 % len(MIX)]
            await self._send(session, f"enqueue/queue-{queue}", kind, f"queue-{queue}/{self._number}/{number}")

    async def _send(self, session: aiohttp.ClientSession, how: str, kind: str, which: str) -> None:
        """Once. If it was not accepted, return when the server was started again."""
        starts = self._starts
        if await self._try(session, how, kind, which) is None:
            async with self._started:
                await self._started.wait_for(lambda: self._starts > starts)
        elif act := self._at_acceptance.pop(len(self.accepted), None):
            act()

    async def _try(self, session: aiohttp.ClientSession, how: str, kind: str, which: str) -> str | None:
        destination = self._ledger.url(f"{self._place}/{kind}/{which}")
        sent = time.monotonic()
        try:
            message_id = await self._post(session, f"{self._base}/v2/{how}/{destination}", kind)
        except (aiohttp.ClientError, ConnectionError):
            return None
        if message_id is not None:
            self.accepted[message_id] = kind
            self.times[message_id] = sent, time.monotonic()
        return message_id

    def _session(self) -> aiohttp.ClientSession:
        headers = {"Authorization": f"Bearer {self._server.variables['QSTASH_TOKEN']}"}
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), headers=headers)

    async def _post(self, session: aiohttp.ClientSession, url: str, kind: str) -> str | None:
        """The id of a message that was accepted; None for a server that says it cannot."""
        async with session.post(url, data=f"to {url}", headers=self._options(kind)) as answer:
            if answer.status == 503:
                return None
            assert answer.status == 200, await answer.text()
            return (await answer.json())["messageId"]

    def _options(self, kind: str) -> dict[str, str]:
        options = {"Upstash-Retries": str(ATTEMPTS[kind] - 1), "Upstash-Retry-Delay": "50"}
        if kind == "told":
            options["Upstash-Callback"] = self._ledger.url(f"{self._place}/callback/told")
        if kind == "lost":
            options["Upstash-Failure-Callback"] = self._ledger.url(f"{self._place}/callback/lost")
        return options


_IN_QUEUE = re.compile(r"/(queue-\d+)/(\d+)/(\d+)$")


class Account:
    """What a ledger shows of a load."""

    def __init__(self, load: Load, received: list[Received]) -> None:
        self._accepted = dict(load.accepted)
        self._attempts: dict[str, Counter[int]] = defaultdict(Counter)
        self._reports: dict[str, set[str]] = defaultdict(set)
        self._turns: dict[str, list[tuple[int, int]]] = defaultdict(list)
        in_queue: dict[str, tuple[str, tuple[int, int]]] = {}
        for one in received:
            self._attempts[one.message_id][one.retried] += 1
            source = one.message_id
            if "/callback/" in one.path:
                source = json.loads(one.body)["sourceMessageId"]
                self._reports[source].add(one.message_id)
            elif enqueued := _IN_QUEUE.search(one.path):
                in_queue[source] = enqueued[1], (int(enqueued[2]), int(enqueued[3]))
            if source in in_queue:
                queue, number = in_queue[source]
                self._turns[queue].append(number)

    @property
    def lost(self) -> list[str]:
        """Accepted messages that lack an attempt or a report."""
        return [
            message_id
            for message_id, kind in self._accepted.items()
            if len(self._attempts[message_id]) < ATTEMPTS[kind] or len(self._reports[message_id]) < CALLBACKS[kind]
        ]

    @property
    def repeated(self) -> Counter[str]:
        """How often an attempt was made again, by message; callbacks are messages too."""
        return Counter(
            {
                message_id: extra
                for message_id, attempts in self._attempts.items()
                if (extra := attempts.total() - len(attempts))
            }
        )

    @property
    def over_reported(self) -> list[str]:
        """Messages of which one attempt was settled more than once, each time with a callback of its own."""
        return [message_id for message_id, reports in self._reports.items() if len(reports) > 1]

    @property
    def over_attempted(self) -> list[str]:
        """Accepted messages with more attempts than their retries allow."""
        return [
            message_id
            for message_id, kind in self._accepted.items()
            if len(self._attempts[message_id]) > ATTEMPTS[kind]
        ]

    @property
    def turns(self) -> dict[str, int]:
        """How many requests there were for messages of a queue, callbacks included, by queue."""
        return {queue: len(turns) for queue, turns in self._turns.items()}

    @property
    def overtaken(self) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
        """Queue, message, and a later message of it for which there was a request before the last for the message."""
        return [
            (queue, overtaken, by)
            for queue, turns in self._turns.items()
            for by, overtaken in itertools.pairwise(turns)
            if overtaken < by
        ]

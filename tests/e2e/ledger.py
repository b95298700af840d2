"""A destination over real HTTP that writes down every request and answers by rules."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

PATIENCE_S = 45.0
"""How long a test waits for something that should happen soon."""

BACKLOG = 1024
"""More connections at once than a server makes: one that is dropped comes again a second later."""


@dataclass(frozen=True)
class Received:
    """One request as it arrived. `path` is raw with its query, `headers` keep order and spelling, `at` is monotonic."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next(iter(self.values(name)), None)

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for one, value in self.headers if one.lower() == name.lower()]

    @property
    def message_id(self) -> str:
        return self.header("Upstash-Message-Id") or ""

    @property
    def retried(self) -> int:
        return int(self.header("Upstash-Retried") or 0)


@dataclass
class Rule:
    """How requests to a path are answered.

    `times` bounds how many; None answers all. With `attempts`, a message's later attempts are answered 200. What is
    `held` is not answered before that is set.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    times: int | None = None
    attempts: int | None = None
    held: asyncio.Event | None = None


class Ledger:
    """Runs in a thread of its own, on a free port.

    The rules of a path are used up in the order they were given; where there is none, the
    rule of the longest matching prefix ending in `/*` answers, else 200.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._rules: dict[str, list[Rule]] = {}
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._port = 0

    def start(self) -> Ledger:
        self._thread.start()
        if not self._started.wait(PATIENCE_S):
            raise AssertionError("the ledger did not start")
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_S)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def url(self, path: str = "/") -> str:
        return self.origin + path

    def answer(self, path: str, **rule) -> str:
        """Add a rule for a path (or `/prefix/*`); its URL."""
        with self._changed:
            self._rules.setdefault(path, []).append(Rule(**rule))
        return self.url(path)

    def hold(self, path: str, **rule) -> Callable[[], object]:
        """Add a rule for a path that answers nobody before what this returns is called."""
        held = asyncio.Event()
        self.answer(path, held=held, **rule)
        return lambda: self._loop.call_soon_threadsafe(held.set)

    def requests(self, path: str | None = None, *, message_id: str | None = None) -> list[Received]:
        """What was received: all of it, at a path (query left out), of a message."""
        with self._changed:
            return [
                one
                for one in self._received
                if (path is None or one.path.partition("?")[0] == path)
                and (message_id is None or one.message_id == message_id)
            ]

    def forget(self) -> None:
        """Begin a new page: what was received and every rule are gone."""
        with self._changed:
            self._received.clear()
            self._rules.clear()

    def __len__(self) -> int:
        return len(self._received)

    def wait_until(self, holds: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Return when it holds; it is asked again after each request. Fails after the timeout."""
        with self._changed:
            if not self._changed.wait_for(holds, timeout_s):
                raise AssertionError(f"not within {timeout_s} s: {what}; {len(self._received)} requests in all")

    def wait_for(
        self, path: str | None = None, count: int = 1, *, message_id: str | None = None, timeout_s: float = PATIENCE_S
    ) -> list[Received]:
        """The requests at a path or of a message, once there are at least so many."""
        self.wait_until(
            lambda: len(self.requests(path, message_id=message_id)) >= count,
            f"{count} requests at {path or 'any path'} (of {message_id or 'any message'})",
            timeout_s,
        )
        return self.requests(path, message_id=message_id)

    # In the thread

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.ServerRunner(
            web.Server(self._receive, access_log=None, auto_decompress=False), shutdown_timeout=0.1
        )
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = listener.getsockname()[1]
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        self._started.set()
        await self._stopping.wait()
        await runner.cleanup()

    async def _receive(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in request.raw_headers)
        received = Received(request.method, request.raw_path, headers, body, time.monotonic())
        with self._changed:
            rule = self._rule(received)
            self._received.append(received)
            self._changed.notify_all()
        if rule.held:
            await rule.held.wait()
        if rule.delay_s:
            await asyncio.sleep(rule.delay_s)
        return web.Response(status=rule.status, headers=rule.headers, body=rule.body)

    def _rule(self, received: Received) -> Rule:
        path = received.path.partition("?")[0]
        prefixes = [f"{path[:end]}/*" for end in range(len(path), -1, -1) if path[end : end + 1] == "/"]
        for pattern in (path, *prefixes):
            for rule in self._rules.get(pattern, ()):
                if rule.attempts is not None and received.retried >= rule.attempts:
                    return Rule()
                if rule.times is None:
                    return rule
                if rule.times > 0:
                    rule.times -= 1
                    return rule
        return Rule()

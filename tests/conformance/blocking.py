"""The asyncio client, called like the other one, so that one test serves both."""

from __future__ import annotations

import asyncio
import inspect

import httpx
from qstash import AsyncQStash, QStash


class Blocking:
    """Whatever of the asyncio SDK it stands for; its coroutines run to their end when called."""

    def __init__(self, target, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str):
        value = getattr(self._target, name)
        if inspect.iscoroutinefunction(value):
            return lambda *args, **options: self._loop.run_until_complete(value(*args, **options))
        return Blocking(value, self._loop) if type(value).__module__.startswith("qstash.asyncio") else value


class Clients:
    """Makes clients of one kind, and closes what the SDK leaves open."""

    def __init__(self, kind: str) -> None:
        self._loop = asyncio.new_event_loop() if kind == "AsyncQStash" else None
        self._opened: list[QStash | AsyncQStash] = []

    def connect(self, url: str, token: str):
        kind = QStash if self._loop is None else AsyncQStash
        client = kind(token, base_url=url, retry=False)
        self._opened.append(client)
        return client if self._loop is None else Blocking(client, self._loop)

    def read(self, response: httpx.Response) -> bytes:
        """The rest of an answer that is streamed."""
        return response.read() if self._loop is None else self._loop.run_until_complete(response.aread())

    def close(self) -> None:
        for client in self._opened:
            if self._loop is None:
                client.http._client.close()
            else:
                self._loop.run_until_complete(client.http._client.aclose())
        if self._loop is not None:
            self._loop.close()

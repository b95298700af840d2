"""taskiq on Redis Streams: an HTTP front in plain ASGI (`front`), and the task that its workers run (`broker`).

Runs in the baselines' own virtual environment, with REDIS_URL.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from taskiq import SimpleRetryMiddleware, TaskiqEvents, TaskiqState
from taskiq_redis import RedisStreamBroker

CONCURRENCY = 200
KEPT = 100_000
"""Entries that the stream keeps once they are done with; without a bound it grows for ever."""

broker = RedisStreamBroker(os.environ["REDIS_URL"], consumer_id="0", maxlen=KEPT).with_middlewares(
    SimpleRetryMiddleware(default_retry_count=3)
)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def connect(state: TaskiqState) -> None:
    state.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY))


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def disconnect(state: TaskiqState) -> None:
    await state.session.close()


@broker.task(retry_on_error=True)
async def deliver(url: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with broker.state.session.post(url, data=body, headers=headers) as answer:
        await answer.read()
        answer.raise_for_status()


async def front(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Take `POST /publish/{destination}`; the answer is given once Redis has the task."""
    if scope["type"] == "lifespan":
        await receive()
        await broker.startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await broker.shutdown()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        piece = await receive()
        body += piece.get("body", b"")
        more = piece.get("more_body", False)
    task = await deliver.kiq(scope["raw_path"].decode().removeprefix("/publish/"), body.decode())
    answer = b'{"id":"%s"}' % task.task_id.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

"""The real API over the real engine and a real SQLite store; only the far end is played."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from tests.http.described import Description

from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Delivered, Outcome, Response
from outrider.domain.event import Event, EventKind
from outrider.domain.limits import Limits
from outrider.domain.message import Message
from outrider.domain.query import LogQuery
from outrider.domain.tenant import Scope
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.http.app import App, create_app
from outrider.ports import OutgoingRequest
from outrider.store.sqlite import SqliteStore
from outrider.testing import ManualClock


class RecordingSender:
    """Answers every delivery with `outcome`."""

    def __init__(self) -> None:
        self.outcome: Outcome = Delivered(Response(200))
        self.requests: list[OutgoingRequest] = []

    async def send(self, request: OutgoingRequest) -> Outcome:
        self.requests.append(request)
        return self.outcome

    async def close(self) -> None:
        pass


class RecordingObserver:
    """Keeps what it was told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.notes: list[tuple[str, dict[str, object]]] = []
        self._told = asyncio.Event()

    def events(self, events: Sequence[Event]) -> None:
        self.seen += events
        self._told.set()

    def note(self, name: str, **facts: object) -> None:
        self.notes.append((name, facts))

    async def saw(self, kind: EventKind, times: int) -> None:
        async with asyncio.timeout(5):
            while sum(event.kind is kind for event in self.seen) < times:
                self._told.clear()
                await self._told.wait()


@dataclass
class Api:
    """An API under test, with the tokens of a tenant."""

    engine: Engine
    app: App
    client: httpx.AsyncClient
    clock: ManualClock
    sender: RecordingSender
    observer: RecordingObserver
    tenant: str
    token: str
    read_token: str
    description: Description

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request with the full token, unless it brings headers with another; its answer is as described."""
        headers = {"authorization": f"Bearer {self.token}", **dict(more.pop("headers", {}))}
        response = await self.client.request(method, path, headers=headers, **more)
        found = self.app.table.find(method, response.request.url.raw_path.partition(b"?")[0])
        if found is not None and found.route is not None and method not in {"HEAD", "OPTIONS"}:
            complaints = self.description.complaints(method, found.route.path, response)
            assert complaints == [], (method, path, response.text)
        return response

    async def published(self, destination: str = "https://example.com/a", body: bytes = b"hi", **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.call("POST", f"/v2/publish/{destination}", content=body, headers=named)
        assert response.status_code == 200, response.text
        return response.json()["messageId"]

    async def stored(self, message_id: str) -> Message:
        return await self.engine.messages.get(self.tenant, message_id)

    async def stored_ids(self) -> set[str]:
        page = await self.engine.store.list_log(self.tenant, LogQuery(kinds=(EventKind.CREATED,), count=1000))
        return {entry.message.id for entry in page.items}


@contextlib.asynccontextmanager
async def open_api(limits: Limits | None = None) -> AsyncIterator[Api]:
    """An API whose engine does not deliver until it is started."""
    limits = limits or Limits()
    clock, observer, sender = ManualClock(), RecordingObserver(), RecordingSender()
    store = await SqliteStore.open(":memory:", max_pending=10_000)
    directory = Directory(store, clock)
    tenant, _ = await directory.create_tenant("acme")
    _, token = await directory.create_token("acme", Scope.FULL)
    _, read_token = await directory.create_token("acme", Scope.READ)
    engine = Engine(
        store=store,
        sender=sender,
        clock=clock,
        observer=observer,
        directory=directory,
        policy=AddressPolicy.production(allow_http=True, allowed_networks=(), allowed_hosts=()),
        limits=limits,
        node="node_test",
    )
    app = create_app(engine, metrics=lambda: b"outrider_up 1\n")
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://outrider.test") as client:
        description = Description(app.table.routes)
        yield Api(engine, app, client, clock, sender, observer, tenant.id, token, read_token, description)
    await store.close()


@contextlib.asynccontextmanager
async def delivering(engine: Engine) -> AsyncIterator[None]:
    """The engine, started and drained."""
    await engine.start()
    try:
        yield
    finally:
        await engine.drain(0)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as opened:
        yield opened


@pytest.fixture
def api_with():
    """Open an API with limits of one's own."""
    return open_api


@pytest.fixture
def deliver():
    """Let an engine deliver for a while."""
    return delivering


class _Server(uvicorn.Server):
    """Tells when it listens, ends when it is told to, and leaves signals alone."""

    def __init__(self, config):
        super().__init__(config)
        self.listening = asyncio.Event()
        self.ended = asyncio.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self):
        await self.ended.wait()

    @contextlib.contextmanager
    def capture_signals(self):
        yield


@contextlib.asynccontextmanager
async def listening(api: Api) -> AsyncIterator[int]:
    """The API on a real socket, at this port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(api.app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    try:
        yield listener.getsockname()[1]
    finally:
        server.ended.set()
        await serving


@pytest.fixture
async def port(api) -> AsyncIterator[int]:
    """The API's port on a real socket."""
    async with listening(api) as port:
        yield port


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, str]]:
    """The URL and a token of an API that delivers, on a thread of its own, for many requests of plain functions."""
    told: Future[tuple[str, str, Callable[[], object]]] = Future()

    async def serve() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        async with open_api(Limits(burst_per_second=1_000_000)) as api, delivering(api.engine), listening(api) as port:
            told.set_result((f"http://127.0.0.1:{port}", api.token, lambda: loop.call_soon_threadsafe(ended.set)))
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except Exception as fault:
            told.set_exception(fault)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    url, token, end = told.result(timeout=10)
    yield url, token
    end()
    thread.join()


@pytest.fixture
def shared():
    """An API on a loop of its own, for many requests of a test that is not a coroutine."""
    loop = asyncio.new_event_loop()
    opening = open_api()
    opened = loop.run_until_complete(opening.__aenter__())
    yield loop, opened
    loop.run_until_complete(opening.__aexit__(None, None, None))
    loop.close()

"""The real API over the real engine and a real SQLite store; only the far end is played."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.factories import BOX
from tests.http.described import Description, description_of
from tests.http.raw import until
from uvicorn import Config
from uvicorn.server import ServerState

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
from outrider.http.configuration import ShownSetting
from outrider.http.connection import Connection
from outrider.http.console import Door
from outrider.http.places import Places
from outrider.http.proxies import Proxies
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
    port: int
    server: ServerState

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


CALLER = "203.0.113.9"
"""Whom the proxy in front of the API under test speaks for, unless a request has no X-Forwarded-For."""


@contextlib.asynccontextmanager
async def listening(
    app: App, connection: type[Connection] = Connection, places: Places | None = None
) -> AsyncIterator[tuple[int, ServerState]]:
    """The port of an app, behind proxies on this machine."""
    loop, state = asyncio.get_running_loop(), ServerState()
    config = Config(app, interface="asgi3", log_config=None, timeout_keep_alive=75)
    proxies = Proxies(["127.0.0.0/8"])
    places = places or Places(4000, lambda: None)

    def accept() -> Connection:
        return connection(app, proxies, places, config=config, server_state=state, app_state={})

    server = await loop.create_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], state
    finally:
        server.close()
        for one in list(state.connections):
            one._transport.abort()
        for task in state.tasks:
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await until(lambda: not state.connections)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def open_api(
    limits: Limits | None = None,
    connection: type[Connection] = Connection,
    *,
    door: Door | None = None,
    shared: bool = False,
    places: Places | None = None,
) -> AsyncIterator[Api]:
    """An API whose engine does not deliver until it is started, with a console if there is a door to it."""
    limits = limits or Limits()
    clock, observer, sender = ManualClock(), RecordingObserver(), RecordingSender()
    store = await SqliteStore.open(":memory:", max_pending=10_000)
    directory = Directory(store, clock, BOX)
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
        shared=shared,
    )
    settings = [
        ShownSetting("port", "9000", "flag", "--port", "port to listen on"),
        ShownSetting("host", "127.0.0.1", "default", "", "address to listen on"),
    ]
    app = create_app(engine, metrics=lambda: b"outrider_up 1\n", door=door, settings=settings)
    async with (
        listening(app, connection, places) as (port, server),
        # To load the system's certificates takes 19 ms, and nothing here is behind TLS.
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"x-forwarded-for": CALLER}, verify=False
        ) as client,
    ):
        description = description_of(app.table.routes)
        yield Api(engine, app, client, clock, sender, observer, tenant.id, token, read_token, description, port, server)
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


@pytest.fixture
def port(api) -> int:
    """The API's port on a real socket."""
    return api.port


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, str]]:
    """The URL and a token of an API that delivers, on a thread of its own, for many requests of plain functions."""
    told: Future[tuple[str, str, Callable[[], object]]] = Future()

    async def serve() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        async with open_api(Limits(burst_per_second=1_000_000)) as api, delivering(api.engine):
            told.set_result((f"http://127.0.0.1:{api.port}", api.token, lambda: loop.call_soon_threadsafe(ended.set)))
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

"""The composition root: the only file that knows everyone.

Start: open the store, once its database can be reached; see that it may be used; build the engine, bind
the port, make the first tenant or the development users, announce. Stop (SIGTERM, SIGINT): close the port,
let running requests and attempts end within the drain time, close the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn
from msgspec import structs

from outrider.administration.databases import administered
from outrider.clock import FollowingClock
from outrider.database_url import DatabaseUrl, PostgresUrl
from outrider.development import DEVELOPMENT_TOKENS, DEVELOPMENT_USERS
from outrider.domain.errors import Malformed, Misconfigured, StoreUnavailable
from outrider.domain.instant import MINUTE_MS, SECOND_MS, Instant
from outrider.domain.tenant import Scope, SigningKeys
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.engine.time_keeper import TimeKeeper
from outrider.http.app import App, create_app
from outrider.http.connection import Connection
from outrider.http.proxies import Proxies
from outrider.observe import LogObserver, MetricsObserver, Observers
from outrider.ports import Clock, Observer, Store
from outrider.secret_key import keep_secret_key
from outrider.sender import HttpSender
from outrider.settings import Loaded, Mode, Settings
from outrider.storage import check_secret_key, claim, make_folder, open_store

try:
    from uvloop import Loop
except ImportError:  # not made for every platform; asyncio's own loop serves there
    Loop = None  # type: ignore[misc, assignment]

FIRST_TENANT = "default"

SHARED_POLL_MS = 2 * SECOND_MS
"""How often a node looks for what others stored; they tell it sooner where the database can."""

LONE_POLL_MS = 30 * SECOND_MS
"""The same where there are no others, but the command line."""

LONE_LEASE_MS = MINUTE_MS
"""Where nobody else could take a node for dead, a beat more would only be one more sync to the disk."""

REOPEN_MS = SECOND_MS
"""How long after a database could not be reached it is tried again."""


def run(loaded: Loaded, mode: Mode) -> int:
    """Serve until told to stop; the process's exit code. Raises OutriderError if it cannot start."""
    settings = loaded.settings
    _check_mode(settings, mode)
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_serve_until_stopped(settings, mode))


async def _serve_until_stopped(settings: Settings, mode: Mode) -> int:
    """Serve; a signal that comes before the server answers ends the start."""
    starting = asyncio.current_task()
    assert starting is not None
    _on_stop(starting.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await _serve(settings, mode)
    return 0


async def _serve(settings: Settings, mode: Mode) -> None:
    clock = FollowingClock()
    metrics = MetricsObserver()
    log = LogObserver(settings.log_level, settings.log_format)
    log.adopt_standard_logging()
    observer = Observers(log, metrics)
    database = settings.database_of(mode)
    store = await _open_when_reachable(database, settings, clock, observer)
    try:
        await claim(store, database, mode)
        secret_key = settings.secret_key or keep_secret_key(make_folder(settings.data))
        await check_secret_key(store, database, secret_key)
        product = await administered(database).product()
        observer.note("database_opened", database=str(database), **product.facts(settings.database_mode))
        policy = settings.address_policy(mode)
        directory = Directory(store, clock, barred_tokens=frozenset() if mode == "dev" else DEVELOPMENT_TOKENS)
        is_shared = isinstance(database, PostgresUrl)
        engine = Engine(
            store=store,
            sender=HttpSender(policy, response_body_bytes=settings.limits.response_body_bytes),
            clock=clock,
            observer=observer,
            directory=directory,
            policy=policy,
            limits=settings.limits,
            node=f"node_{secrets.token_hex(8)}",
            secret_key=secret_key,
            max_in_flight=settings.max_in_flight,
            max_in_flight_per_host=settings.max_in_flight_per_host,
            schedule_catch_up=settings.schedule_catch_up,
            lease_ms=settings.node_lease_ms if is_shared else LONE_LEASE_MS,
            time_keeper=TimeKeeper(store, clock, observer) if is_shared else None,
            poll_ms=SHARED_POLL_MS if is_shared else LONE_POLL_MS,
        )
        metrics.watch_in_flight(lambda: engine.dispatcher.in_flight)
        app = create_app(engine, metrics=metrics.render if settings.metrics else None)
        listener = _listen(settings.host, settings.port)
        url = settings.public_url or _url_of(listener)
        if mode == "dev":
            await _seed_development_users(directory, store)
            _announce_development(url)
        else:
            await _announce_first_tenant(directory, url)
        await engine.start()
        observer.note("listening", url=url, mode=mode, database=str(database))
        server = _Server(_uvicorn_config(app, settings), clock, engine.dispatcher.hurry)
        try:
            await _answer_until_stopped(server, listener)
        finally:
            observer.note("stopping")
            await engine.drain(max(0, server.stopping_at + settings.drain_timeout_ms - clock.now()))
    finally:
        await store.close()


async def _open_when_reachable(database: DatabaseUrl, settings: Settings, clock: Clock, observer: Observer) -> Store:
    """The store. A database of another machine may start later than this process, and is waited for."""
    give_up_at = clock.now() + settings.database_wait_ms
    error = None
    while True:
        try:
            return await open_store(database, settings, serving=True)
        except StoreUnavailable as failure:
            now = clock.now()
            if not isinstance(database, PostgresUrl) or now >= give_up_at:
                raise
            if failure.sentence != error:
                error = failure.sentence
                observer.note("database_awaited", database=str(database), error=error)
            await clock.sleep_until(min(now + REOPEN_MS, give_up_at))


def _check_mode(settings: Settings, mode: Mode) -> None:
    if mode == "dev" and not _is_loopback(settings.host):
        raise Misconfigured(
            f"host '{settings.host}' is not a loopback address: development mode has public tokens",
            hint="use 127.0.0.1, or run `outrider serve`",
        )


async def _seed_development_users(directory: Directory, store: Store) -> None:
    """Make the public users, and give them their public keys again if those were rotated."""
    tenants = {tenant.name: tenant for tenant in await directory.list_tenants()}
    for user in DEVELOPMENT_USERS:
        tenant = tenants.get(user.name)
        if tenant is None:
            tenant, _ = await directory.create_tenant(user.name)
        stored = await store.get_keys(tenant.id)
        keys = user.keys if stored is None else structs.replace(stored, current=user.keys.current, next=user.keys.next)
        await store.set_keys(tenant.id, keys)
        if await directory.principal(user.token) is None:
            await directory.add_token(tenant, user.token, Scope.FULL, "public development token")


def _announce_development(url: str) -> None:
    user = DEVELOPMENT_USERS[0]
    print("Outrider development server. Copy these into your application's environment:\n")
    _print_environment(url, user.token, user.keys)
    print("\nA JavaScript application needs only QSTASH_DEV=true. Stop with Ctrl-C.", flush=True)


async def _announce_first_tenant(directory: Directory, url: str) -> None:
    """On the first start, make a tenant and print, this once, what its applications need."""
    if await directory.list_tenants():
        return
    try:
        tenant, keys = await directory.create_tenant(FIRST_TENANT)
    except Malformed as refusal:
        if refusal.code != "tenant_exists":
            raise
        print(f"Another node made tenant '{FIRST_TENANT}' and printed its token.", file=sys.stderr)
        return
    _, token = await directory.create_token(tenant.name, Scope.FULL, "first token")
    _print_environment(url, token, keys)
    print(
        f"Made tenant '{FIRST_TENANT}'. The token is shown this once; `outrider token create` makes another.",
        file=sys.stderr,
    )


def _print_environment(url: str, token: str, keys: SigningKeys) -> None:
    print(f"QSTASH_URL={url}")
    print(f"QSTASH_TOKEN={token}")
    print(f"QSTASH_CURRENT_SIGNING_KEY={keys.current}")
    print(f"QSTASH_NEXT_SIGNING_KEY={keys.next}", flush=True)


class _Server(uvicorn.Server):
    """uvicorn, its signals handled here: it would end the process before the engine has drained."""

    def __init__(self, config: uvicorn.Config, clock: Clock, hurry: Callable[[], None]) -> None:
        super().__init__(config)
        self._clock = clock
        self._hurry = hurry
        self.stopping_at: Instant = 0

    def stop(self) -> None:
        """Accept no more and finish what runs; the second time, do not wait for it."""
        if self.should_exit:
            self.force_exit = True
            self._hurry()
        self.should_exit = True
        self.stopping_at = self.stopping_at or self._clock.now()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _answer_until_stopped(server: _Server, listener: socket.socket) -> None:
    _on_stop(server.stop)
    await server.serve(sockets=[listener])


def _on_stop(act: Callable[[], object]) -> None:
    """Call `act`, and nothing else, when the process is told to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, act)


def _uvicorn_config(app: App, settings: Settings) -> uvicorn.Config:
    connection = functools.partial(Connection, app, Proxies(settings.trusted_proxies))
    return uvicorn.Config(
        app,  # type: ignore[arg-type] # connections call it themselves, and not by ASGI
        interface="asgi3",
        http=connection,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, settings.drain_timeout_ms // SECOND_MS),
        proxy_headers=False,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as failure:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {failure.strerror}",
            hint="another process may have the port; choose one with --port",
        ) from None


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The composition root: the only file that knows everyone.

Start: lock and open the store, make the first tenant or the development users, build the
engine, bind the port, announce. Stop (SIGTERM, SIGINT): close the port, let running
requests and attempts end within the drain time, close the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Literal

import uvicorn
from msgspec import structs

from outrider.clock import SystemClock
from outrider.development import DEVELOPMENT_TOKENS, DEVELOPMENT_USERS
from outrider.domain.errors import Misconfigured
from outrider.domain.instant import SECOND_MS, Instant
from outrider.domain.tenant import Scope, SigningKeys
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.http.app import create_app
from outrider.observe import LogObserver, MetricsObserver, Observers
from outrider.ports import Clock
from outrider.secret_key import keep_secret_key
from outrider.sender import HttpSender
from outrider.settings import Loaded, Settings
from outrider.store.sqlite import SqliteStore

try:
    from uvloop import Loop
except ImportError:  # not made for every platform; asyncio's own loop serves there
    Loop = None  # type: ignore[misc, assignment]

Mode = Literal["dev", "serve"]

FIRST_TENANT = "default"


def run(loaded: Loaded, mode: Mode) -> int:
    """Serve until told to stop; the process's exit code. Raises OutriderError if it cannot start."""
    settings = loaded.settings
    _check_mode(settings, mode)
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_serve(settings, mode))


async def _serve(settings: Settings, mode: Mode) -> int:
    clock = SystemClock()
    metrics = MetricsObserver()
    log = LogObserver(settings.log_level, settings.log_format)
    log.adopt_standard_logging()
    observer = Observers(log, metrics)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = await SqliteStore.open(settings.database(mode), max_pending=settings.max_pending)
    try:
        policy = settings.address_policy(mode)
        secret_key = settings.secret_key or keep_secret_key(settings.data)
        directory = Directory(store, clock, barred_tokens=frozenset() if mode == "dev" else DEVELOPMENT_TOKENS)
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
        observer.note("listening", url=url, mode=mode, data=str(settings.data))
        server = _Server(_uvicorn_config(app, settings), clock, engine.dispatcher.hurry)
        try:
            await _answer_until_stopped(server, listener)
        finally:
            observer.note("stopping")
            await engine.drain(max(0, server.stopping_at + settings.drain_timeout_ms - clock.now()))
    finally:
        await store.close()
    return 0


def _check_mode(settings: Settings, mode: Mode) -> None:
    if mode == "dev" and not _is_loopback(settings.host):
        raise Misconfigured(
            f"host '{settings.host}' is not a loopback address: development mode has public tokens",
            hint="use 127.0.0.1, or run `outrider serve`",
        )


async def _seed_development_users(directory: Directory, store: SqliteStore) -> None:
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
    tenant, keys = await directory.create_tenant(FIRST_TENANT)
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
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve(sockets=[listener])


def _uvicorn_config(app: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, settings.drain_timeout_ms // SECOND_MS),
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
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

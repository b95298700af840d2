"""A process that serves: its store, engine and API, wired together."""

from __future__ import annotations

import contextlib
import functools
import secrets
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from outrider.administration.databases import administered
from outrider.clock import FollowingClock
from outrider.database_url import DatabaseUrl, PostgresUrl
from outrider.descriptors import raise_limit, share_out
from outrider.development import DEVELOPMENT_TOKENS
from outrider.domain.errors import StoreUnavailable
from outrider.domain.instant import MINUTE_MS, SECOND_MS, Instant
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.engine.signing_keys import seal_plain_keys
from outrider.engine.time_keeper import TimeKeeper
from outrider.http.app import App, create_app
from outrider.http.configuration import ShownSetting
from outrider.http.connection import Connection
from outrider.http.console.door import Door, door_of
from outrider.http.places import Places
from outrider.http.proxies import Proxies
from outrider.listening import is_loopback
from outrider.observe import MetricsObserver
from outrider.ports import Clock, Observer, Store
from outrider.sealing import SealedBox, SecretKey
from outrider.sender import HttpSender
from outrider.settings import SETTINGS, Loaded, Mode, Settings, value_of
from outrider.storage import claim, open_store, secret_key_of

if TYPE_CHECKING:
    from outrider.store.sqlite.bells import Bell
    from outrider.store.sqlite.lock import ServingLock

SHARED_POLL_MS = 2 * SECOND_MS
"""How often a node looks for what others stored; they tell it sooner where they can."""

LONE_POLL_MS = 30 * SECOND_MS
"""The same where there are no others, but the command line."""

LONE_LEASE_MS = MINUTE_MS
"""Where nobody else could take a node for dead, a beat more would only be one more sync to the disk."""

REOPEN_MS = SECOND_MS
"""How long after a database could not be reached it is tried again."""


class Node:
    """A node of a store that is open and may be used.

    Args:
        name: its id in the store; no other has it or had it.
        secret_key: that of all nodes.
        alone: whether no other node uses the database.
        clock: follows the database's, where that is on another machine.
    """

    def __init__(
        self,
        loaded: Loaded,
        mode: Mode,
        *,
        name: str,
        store: Store,
        secret_key: SecretKey,
        alone: bool,
        clock: FollowingClock,
        metrics: MetricsObserver,
        observer: Observer,
    ) -> None:
        settings = loaded.settings
        policy = settings.address_policy(mode)
        elsewhere = isinstance(settings.database_of(mode), PostgresUrl)
        self.directory = Directory(
            store,
            clock,
            SealedBox(secret_key),
            barred_tokens=frozenset() if mode == "dev" else DEVELOPMENT_TOKENS,
        )
        shares = share_out(
            raise_limit(),
            clients=settings.max_connections,
            in_flight=settings.max_in_flight,
            database=settings.database_connections,
        )
        if shares.clients < settings.max_connections or shares.in_flight < settings.max_in_flight:
            observer.note(
                "descriptors_scarce", limit=shares.limit, max_connections=shares.clients, max_in_flight=shares.in_flight
            )
        self._settings = settings
        self._places = Places(shares.clients, lambda: observer.note("connections_full", limit=shares.clients))
        self._clock = clock
        self._observer = observer
        self._engine = Engine(
            store=store,
            sender=HttpSender(
                policy,
                response_body_bytes=settings.limits.response_body_bytes,
                idle_connections=shares.kept,
            ),
            clock=clock,
            observer=observer,
            directory=self.directory,
            policy=policy,
            limits=settings.limits,
            node=name,
            secret_key=secret_key,
            max_in_flight=shares.in_flight,
            max_in_flight_per_host=settings.max_in_flight_per_host,
            schedule_catch_up=settings.schedule_catch_up,
            lease_ms=LONE_LEASE_MS if alone else settings.node_lease_ms,
            time_keeper=TimeKeeper(store, clock, observer) if elsewhere else None,
            poll_ms=LONE_POLL_MS if alone else SHARED_POLL_MS,
            shared=not alone,
        )
        metrics.watch_in_flight(lambda: self._engine.dispatcher.in_flight)
        self._app = create_app(
            self._engine,
            metrics=metrics.render if settings.metrics else None,
            metrics_token_hash=settings.metrics_token,
            door=_door_of(settings) if settings.console else None,
            settings=shown_settings(loaded),
        )

    async def serve(
        self, listen: Callable[[], socket.socket], began: Callable[[], None], obey: Callable[[Stoppable], None]
    ) -> None:
        """Deliver, and answer, until told to stop; then let what runs end within the drain time.

        Args:
            listen: makes the listener.
            began: called once clients can connect.
            obey: sees to it that what it is given is told to stop.
        """
        await self._engine.start()
        config = _uvicorn_config(self._app, self._places, self._settings)
        answering = Stoppable(config, self._clock, self._engine.dispatcher.hurry)
        try:
            listener = listen()
            began()
            obey(answering)
            await answering.serve(sockets=[listener])
        finally:
            self._observer.note("stopping")
            await self._engine.drain(
                max(0, answering.stopping_at + self._settings.drain_timeout_ms - self._clock.now())
            )


def _door_of(settings: Settings) -> Door:
    return door_of(listens_on_loopback=is_loopback(settings.host), public_url=settings.public_url)


def shown_settings(loaded: Loaded) -> list[ShownSetting]:
    """The settings in force as clients may see them."""
    return [
        ShownSetting(
            one.name, one.show(value_of(one, loaded.settings)), *_source_of(loaded.origins[one.name]), one.help
        )
        for one in SETTINGS
    ]


def _source_of(origin: str) -> tuple[str, str]:
    """Where a value comes from, and which of them that is."""
    if origin == "default":
        return "default", ""
    kind, _, name = origin.partition(" ")
    if kind in {"environment", "flag"}:
        return kind, name
    return ("default", origin) if kind == "plan" else ("file", origin)


def new_name() -> str:
    """Of a node."""
    return f"node_{secrets.token_hex(8)}"


async def open_when_reachable(
    database: DatabaseUrl,
    settings: Settings,
    clock: Clock,
    observer: Observer,
    *,
    lock: ServingLock | None = None,
    bell: Bell | None = None,
) -> Store:
    """The store. A database of another machine may start later than this process, and is waited for."""
    give_up_at = clock.now() + settings.database_wait_ms
    error = None
    while True:
        try:
            return await open_store(database, settings, serving=True, lock=lock, bell=bell)
        except StoreUnavailable as failure:
            now = clock.now()
            if not isinstance(database, PostgresUrl) or now >= give_up_at:
                raise
            if failure.sentence != error:
                error = failure.sentence
                observer.note("database_awaited", database=str(database), error=error)
            await clock.sleep_until(min(now + REOPEN_MS, give_up_at))


async def admit(store: Store, database: DatabaseUrl, settings: Settings, mode: Mode, observer: Observer) -> SecretKey:
    """See that the store may be used; the secret key of its nodes. Raises Misconfigured."""
    await claim(store, database, mode)
    secret_key = await secret_key_of(store, database, settings)
    if sealed := await seal_plain_keys(store, SealedBox(secret_key)):
        observer.note("signing_keys_sealed", tenants=sealed)
    product = await administered(database).product()
    observer.note("database_opened", database=str(database), **product.facts(settings.database_mode))
    return secret_key


class Stoppable(uvicorn.Server):
    """uvicorn, told to stop by us: by its own signals it would end the process before the engine has drained."""

    def __init__(self, config: uvicorn.Config, clock: Clock, hurry: Callable[[], None]) -> None:
        super().__init__(config)
        self._clock = clock
        self._hurry = hurry
        self.stopping_at: Instant = 0

    def stop(self) -> None:
        """Accept no more and finish what runs. Idempotent."""
        self.should_exit = True
        self.stopping_at = self.stopping_at or self._clock.now()

    def hurry(self) -> None:
        """Stop, and do not wait for what runs."""
        self.stop()
        self.force_exit = True
        self._hurry()

    def stop_or_hurry(self) -> None:
        """Stop; the second time, hurry."""
        if self.should_exit:
            self.hurry()
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn_config(app: App, places: Places, settings: Settings) -> uvicorn.Config:
    connection = functools.partial(Connection, app, Proxies(settings.trusted_proxies), places)
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

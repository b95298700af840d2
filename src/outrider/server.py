"""The composition root: with `node.py`, the only file that knows everyone.

Start: open the store, once its database can be reached; see that it may be used; build the engine, bind
the port, make the first tenant or the development users, announce. Stop (SIGTERM, SIGINT): close the port,
let running requests and attempts end within the drain time, close the store.

With several workers, a parent does what is to be done once, closes the store again, and forks them. Each is a node of
its own, with a store, an engine, and a listener of the port that they share.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import Struct

from outrider.announcement import announce_development, announce_first_tenant, seed_development_users
from outrider.clock import FollowingClock
from outrider.database_url import DatabaseUrl, PostgresUrl, SqliteFile
from outrider.domain.errors import Misconfigured
from outrider.domain.instant import SECOND_MS, Instant
from outrider.engine.directory import Directory
from outrider.engine.sign_in_links import SignInLinks
from outrider.listening import is_loopback, listen, listen_beside, reserve, url_of
from outrider.node import Node, admit, new_name, open_when_reachable
from outrider.observe import LogObserver, MetricsObserver, Observers, Tallies
from outrider.ports import Clock, Observer, Store
from outrider.sealing import SealedBox, SecretKey
from outrider.settings import Loaded, Mode, Settings
from outrider.storage import serving_lock
from outrider.store.sqlite.bells import Bells
from outrider.supervisor import Seat, Supervisor

try:
    from uvloop import Loop
except ImportError:  # not made for every platform; asyncio's own loop serves there
    Loop = None  # type: ignore[misc, assignment]

_RECOVER_BATCH = 500
"""Most leases ended in one transaction."""

_FOR_EVER: Instant = 2**62


def run(loaded: Loaded, mode: Mode) -> int:
    """Serve until told to stop; the process's exit code. Raises OutriderError if it cannot start."""
    settings = loaded.settings
    _check_mode(settings, mode)
    if mode == "serve" and settings.workers > 1:
        _serve_by_workers(loaded)
    else:
        _run_until_stopped(_serve_alone(loaded, mode), _on_signal)
    return 0


def _run_until_stopped(work: Coroutine[Any, Any, None], on_stop: Callable[[Callable[[], object]], None]) -> bool:
    """Run it on an event loop, and whether it came to its end.

    A word to stop, which has what `on_stop` is given called, cancels it, until it sees to such words itself.
    """

    async def run_() -> bool:
        task = asyncio.current_task()
        assert task is not None
        on_stop(task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
            return True
        return False

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(run_())


def _on_signal(act: Callable[[], object]) -> None:
    """Call `act`, and nothing else, when the process is told to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, act)


def _set_aside() -> None:
    """Keep what was made so far, which stays, from the garbage collector.

    To look through it takes 15 ms, seen in the slowest of 100 answers: 19 ms without, 34 ms with. Forked
    processes would copy every page of it, besides. What is in flight is looked through more seldom than by
    default, every 700 objects: a message is dozens, few of them in cycles, and looking cost it 10 of 170 µs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


# One process


async def _serve_alone(loaded: Loaded, mode: Mode) -> None:
    settings = loaded.settings
    clock = FollowingClock()
    metrics = MetricsObserver()
    log = LogObserver(settings.log_level, settings.log_format)
    log.adopt_standard_logging()
    observer = Observers(log, metrics)
    database = settings.database_of(mode)
    store = await open_when_reachable(database, settings, clock, observer)
    try:
        secret_key = await admit(store, database, settings, mode, observer)
        node = Node(
            loaded,
            mode,
            name=new_name(),
            store=store,
            secret_key=secret_key,
            alone=not isinstance(database, PostgresUrl),
            clock=clock,
            metrics=metrics,
            observer=observer,
        )
        links = SignInLinks(store, clock, node.directory) if settings.console else None
        listener = listen(settings.host, settings.port)
        url = settings.public_url or url_of(listener)
        if mode == "dev":
            await seed_development_users(node.directory)
            await announce_development(node.directory, url, links)
        else:
            await announce_first_tenant(node.directory, url, links)
        _set_aside()
        await node.serve(
            lambda: listener,
            lambda: observer.note("listening", url=url, mode=mode, database=str(database)),
            lambda answering: _on_signal(answering.stop_or_hurry),
        )
    finally:
        await store.close()


# Several


class _Prepared(Struct, frozen=True):
    """What the parent has done for its workers."""

    secret_key: SecretKey
    port: socket.socket
    url: str


def _serve_by_workers(loaded: Loaded) -> None:
    settings = loaded.settings
    database = settings.database_of("serve")
    tallies = Tallies(settings.workers + 1)
    metrics = MetricsObserver(tallies, row=settings.workers)
    log = LogObserver(settings.log_level, settings.log_format)
    log.adopt_standard_logging()
    observer = Observers(log, metrics)
    # Kept as long as this process or one of the workers lives.
    lock = serving_lock(database)
    prepared: list[_Prepared] = []

    async def prepare() -> None:
        clock = FollowingClock()
        store = await open_when_reachable(database, settings, clock, observer, lock=lock)
        try:
            secret_key = await admit(store, database, settings, "serve", observer)
            port = reserve(settings.host, settings.port)
            url = settings.public_url or url_of(port)
            directory = Directory(store, clock, SealedBox(secret_key))
            links = SignInLinks(store, clock, directory) if settings.console else None
            await announce_first_tenant(directory, url, links)
            if isinstance(database, SqliteFile):
                await _end_all_leases(store, clock, observer)
        finally:
            await store.close()
        prepared.append(_Prepared(secret_key, port, url))

    if not _run_until_stopped(prepare(), _on_signal):
        return
    (for_workers,) = prepared
    bells = Bells(settings.workers)
    _set_aside()

    def work(seat: Seat) -> None:
        serving = _serve_beside(loaded, for_workers, seat, bells, tallies)
        _run_until_stopped(serving, lambda stop: seat.on_word(stop, stop))

    Supervisor(settings.workers, new_name, work, _Watcher(settings, database, for_workers.url, observer, metrics)).run()


async def _serve_beside(loaded: Loaded, prepared: _Prepared, seat: Seat, bells: Bells, tallies: Tallies) -> None:
    """Serve as one of the workers."""
    settings = loaded.settings
    clock = FollowingClock()
    metrics = MetricsObserver(tallies, row=seat.number)
    log = LogObserver(settings.log_level, settings.log_format)
    log.adopt_standard_logging()
    observer = Observers(log, metrics)
    database = settings.database_of("serve")
    store = await open_when_reachable(database, settings, clock, observer, bell=bells.of(seat.number))
    sampling = asyncio.create_task(_sample(metrics, clock), name="sampling")
    try:
        for former in seat.former:
            ended = await store.leave(former, clock.now())
            if ended.count:
                observer.note("leases_ended", node=former, leases=ended.count)
                observer.events(ended.canceled)
        node = Node(
            loaded,
            "serve",
            name=seat.name,
            store=store,
            secret_key=prepared.secret_key,
            alone=False,
            clock=clock,
            metrics=metrics,
            observer=observer,
        )
        await node.serve(
            lambda: listen_beside(prepared.port),
            seat.ready,
            lambda answering: seat.on_word(answering.stop, answering.hurry),
        )
    finally:
        sampling.cancel()
        await store.close()


async def _sample(metrics: MetricsObserver, clock: Clock) -> None:
    """Show the other workers every second what is in flight here, until cancelled."""
    while True:
        metrics.sample()
        await clock.sleep_until(clock.now() + SECOND_MS)


async def _end_all_leases(store: Store, clock: Clock, observer: Observer) -> None:
    """Strike off whoever served before: nobody does now."""
    while (ended := await store.recover(clock.now(), _RECOVER_BATCH, dead_before=_FOR_EVER)).count:
        observer.events(ended.canceled)


class _Watcher:
    """Notes how it goes with the workers."""

    def __init__(
        self, settings: Settings, database: DatabaseUrl, url: str, observer: Observers, metrics: MetricsObserver
    ) -> None:
        self._workers = settings.workers
        self._database = database
        self._url = url
        self._observer = observer
        self._metrics = metrics

    def serving(self) -> None:
        self._observer.note(
            "listening", url=self._url, mode="serve", database=str(self._database), workers=self._workers
        )

    def lost(self, number: int, process: int, ending: str, cpu_seconds: float) -> None:
        self._metrics.ended(number, cpu_seconds)
        self._observer.note("worker_lost", worker=number, process=process, ending=ending)

    def failed(self, number: int, sentence: str) -> None:
        self._observer.note("worker_failed", worker=number, error=sentence)

    def stopping(self) -> None:
        self._observer.note("stopping")


def _check_mode(settings: Settings, mode: Mode) -> None:
    if mode == "dev" and not is_loopback(settings.host):
        raise Misconfigured(
            f"host '{settings.host}' is not a loopback address: development mode has public tokens",
            hint="use 127.0.0.1, or run `outrider serve`",
        )

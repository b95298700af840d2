"""The peers: what each is made of, its settings in a sentence, and how it is run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bench.baselines.setup import FOLDER, PYTHON, find_missing, find_program
from bench.database import Postgres
from bench.harness import Process, Sent, Server, memory_of_family, send, usage_of_family
from bench.nodes import nodes_on
from msgspec import Struct
from tests.free_port import free_port

LATER = "1h"
LATER_MS = 3_600_000


class Running(Struct, frozen=True):
    """A system that takes messages by HTTP and delivers them.

    Attributes:
        publish: to a destination, `how` as for `send`.
        park: the same, to be delivered in an hour; None: it cannot.
        parts: the process, by name, that each of its parts is, with all its descendants.
    """

    publish: Callable[..., Sent]
    park: Callable[..., Sent] | None
    parts: Mapping[str, int]

    def cpu_s(self) -> dict[str, float]:
        """CPU time that each part used so far."""
        return {name: usage_of_family(pid).cpu_s for name, pid in self.parts.items()}

    def memory_bytes(self) -> int:
        """What all parts hold; a page that processes share is counted once."""
        return sum(memory_of_family(pid) for pid in self.parts.values())


class Peer(Struct, frozen=True):
    """One of those that are compared.

    Attributes:
        settings: what decides its figures, for people.
        needs: as `find_missing` takes them.
        run: it in a folder, for as long as the context lasts.
    """

    name: str
    settings: str
    needs: tuple[str, ...]
    run: Callable[[Path], AbstractContextManager[Running]]

    def missing(self) -> str | None:
        """Why it cannot run here; None: it can."""
        return find_missing(self.needs)


class Redis(Process):
    """A Redis server with an append-only file, `sync` being its `appendfsync`."""

    def __init__(self, folder: Path, sync: str) -> None:
        folder.mkdir(parents=True)
        self._port = free_port()
        command = [find_program("redis-server") or "redis-server", "--port", str(self._port), "--bind", "127.0.0.1"]
        command += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", sync, "--save", ""]
        super().__init__(command, folder / "redis")
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def _wait_until_ready(self) -> None:
        self.wait_for_port(self._port)


class Front(Process):
    """The process of a peer that takes messages; it prints {"port":…} once it listens, unless it was given one."""

    def __init__(
        self, command: tuple[str, ...], output: Path, environ: Mapping[str, str], port: int | None = None
    ) -> None:
        super().__init__(command, output, os.environ | dict(environ))
        self._port = port

    def _wait_until_ready(self) -> None:
        if self._port is None:
            self._port = int(json.loads(self._wait_for_line("stdout", '{"port"'))["port"])
        self.wait_for_port(self._port)

    def publish(self, destination: str, *headers: str, **how: object) -> Sent:
        url = f"http://127.0.0.1:{self._port}/publish/{destination}"
        return send([url], headers=("Content-Type: application/json", *headers), **how)  # type: ignore[arg-type]

    def park(self, destination: str, **how: object) -> Sent:
        return self.publish(destination, f"Delay-Ms: {LATER_MS}", **how)


class Worker(Process):
    """The process of a peer that delivers; it is ready at a line that begins with `ready`, of stdout or stderr."""

    def __init__(
        self, command: tuple[str, ...], output: Path, environ: Mapping[str, str], ready: tuple[str, str]
    ) -> None:
        super().__init__(command, output, os.environ | dict(environ))
        self._ready = ready

    def _wait_until_ready(self) -> None:
        self._wait_for_line(*self._ready)


@contextlib.contextmanager
def _on_node(program: str, environ: Mapping[str, str], database: Mapping[str, int], folder: Path) -> Iterator[Running]:
    command = (find_program("node") or "node", str(FOLDER / program))
    environ = {"NODE_ENV": "production", **environ}
    with (
        Front((*command, "front"), folder / "front", environ) as front,
        Worker((*command, "worker"), folder / "worker", environ, ("stdout", "ready")) as worker,
    ):
        yield Running(front.publish, front.park, {"front": front.pid, "worker": worker.pid, **database})


@contextlib.contextmanager
def run_bullmq(sync: str, folder: Path) -> Iterator[Running]:
    with (
        Redis(folder / "redis", sync) as redis,
        _on_node("bullmq.mjs", {"REDIS_URL": redis.url}, {"Redis": redis.pid}, folder) as running,
    ):
        yield running


@contextlib.contextmanager
def run_pg_boss(postgres: Postgres, folder: Path) -> Iterator[Running]:
    folder.mkdir(parents=True)
    with (
        postgres.database("outrider_bench_pg_boss") as url,
        _on_node("pg_boss.mjs", {"DATABASE_URL": url}, {"PostgreSQL": postgres.pid}, folder) as running,
    ):
        yield running


@contextlib.contextmanager
def run_taskiq(folder: Path) -> Iterator[Running]:
    port = free_port()
    app = ("taskiq_app:front", "--port", str(port), "--app-dir", str(FOLDER), "--no-access-log")
    serve = (str(PYTHON.with_name("uvicorn")), *app, "--log-level", "warning")
    work: tuple[str, ...] = (str(PYTHON.with_name("taskiq")), "worker", "taskiq_app:broker", "--app-dir", str(FOLDER))
    work += ("--workers", "2", "--max-async-tasks", "100", "--log-level", "INFO", "--log-format", "%(message)s")
    with Redis(folder / "redis", "everysec") as redis:
        environ = {"REDIS_URL": redis.url}
        with (
            Front(serve, folder / "front", environ, port) as front,
            Worker(work, folder / "worker", environ, ("stderr", "Listening started")) as worker,
        ):
            parts = {"front": front.pid, "workers": worker.pid, "Redis": redis.pid}
            yield Running(front.publish, None, parts)


@contextlib.contextmanager
def run_outrider_on_sqlite(workers: int, folder: Path) -> Iterator[Running]:
    with Server(folder, "--workers", str(workers)) as server:
        yield _outrider(server, {})


@contextlib.contextmanager
def run_outrider_on_postgres(postgres: Postgres, folder: Path) -> Iterator[Running]:
    with postgres.database("outrider_bench_peer") as url, nodes_on(url, 1, folder) as (server,):
        yield _outrider(server, {"PostgreSQL": postgres.pid})


def _outrider(server: Server, database: Mapping[str, int]) -> Running:
    own = (f"Authorization: Bearer {server.token}", "Content-Type: application/json")

    def publish(destination: str, *headers: str, **how: object) -> Sent:
        return send([server.publish_url(destination)], headers=(*own, *headers), **how)  # type: ignore[arg-type]

    def park(destination: str, **how: object) -> Sent:
        return publish(destination, f"Upstash-Delay: {LATER}", **how)

    return Running(publish, park, {"server": server.pid, **database})


OUTRIDER = "Outrider, SQLite"
WORKERS = 2
"""Each peer has two processes that run its code, and those of its database."""


def all_peers(postgres: Postgres | None) -> list[Peer]:
    """Outrider and the others; those on PostgreSQL where there is a server."""
    node = ("node", "npm", "redis-server")
    bullmq = "HTTP front and worker a Node process each, concurrency 200, undici with 200 connections, 3 retries"
    on_redis = [
        Peer(OUTRIDER, f"{WORKERS} workers; synchronous=FULL", (), partial(run_outrider_on_sqlite, WORKERS)),
        Peer(f"{OUTRIDER}, one process", "defaults; synchronous=FULL", (), partial(run_outrider_on_sqlite, 1)),
        Peer("BullMQ, everysec", f"{bullmq}; Redis appendfsync everysec", node, partial(run_bullmq, "everysec")),
        Peer("BullMQ, always", f"{bullmq}; Redis appendfsync always", node, partial(run_bullmq, "always")),
        Peer(
            "taskiq, everysec",
            "front uvicorn and plain ASGI, 2 workers of 100 tasks each, aiohttp with 200 connections, 3 retries, "
            "streams of at most about 100,000 entries; Redis appendfsync everysec",
            ("pip", "redis-server"),
            run_taskiq,
        ),
    ]
    if postgres is None:
        return on_redis
    durable = "fsync, synchronous_commit and full_page_writes on"
    return [
        *on_redis,
        Peer(
            "pg-boss",
            "HTTP front and worker a Node process each, 20 database connections each; 4 fetchers of 50 messages, "
            f"polling every 0.5 s and at once after a full batch, undici, 3 retries; {durable}",
            ("node", "npm"),
            partial(run_pg_boss, postgres),
        ),
        Peer("Outrider, PostgreSQL", f"defaults, one node; {durable}", (), partial(run_outrider_on_postgres, postgres)),
    ]

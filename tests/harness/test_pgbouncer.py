from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from tests.pgbouncer import MissingPgBouncerError, PgBouncer, find_pgbouncer

ROOT = Path(__file__).parents[2]
END_S = 30

OWNER = """
import sys
from tests.pgbouncer import PgBouncer
from tests.postgres_server import start_server
pooler = PgBouncer(start_server())
print(pooler.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pooler(postgres):
    """A pooler with one connection to the server."""
    pooler = PgBouncer(postgres, {"default_pool_size": "1"})
    yield pooler
    pooler.stop()


@pytest.fixture
async def connect(pooler):
    connections = []

    async def connect():
        connections.append(await asyncpg.connect(pooler.url(), statement_cache_size=0))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.terminate()


async def test_clients_share_a_connection_between_transactions(connect):
    one, two = await connect(), await connect()
    asked = "SELECT pg_backend_pid()"
    async with one.transaction():
        own = await one.fetchval(asked)
        assert await one.fetchval(asked) == own
    assert await two.fetchval(asked) == own


async def test_a_session_setting_reaches_others(connect):
    """What a client in transaction mode may not rely on: this is what the pooler is there to show."""
    one, two = await connect(), await connect()
    await one.execute("SET lock_timeout = '7s'")
    assert await two.fetchval("SHOW lock_timeout") == "7s"


async def test_its_console_is_a_database(pooler):
    console = await asyncpg.connect(pooler.url("pgbouncer"), statement_cache_size=0)
    try:
        assert console.get_settings().server_version.endswith("/bouncer")
    finally:
        console.terminate()


async def test_stopped_it_refuses_and_started_again_it_answers(pooler, connect):
    connection = await connect()
    pooler.stop()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        await connect()
    pooler.start()
    assert await (await connect()).fetchval("SELECT 1") == 1


def test_a_setting_that_it_does_not_know_is_reported(postgres):
    with pytest.raises(RuntimeError, match="no_such_setting"):
        PgBouncer(postgres, {"no_such_setting": "1"})


def test_it_ends_with_its_process():
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    port = int(owner.stdout.readline())
    assert is_listening(port)
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + END_S
    while is_listening(port):
        assert time.monotonic() < deadline, "the pooler runs on"
        time.sleep(0.01)


def is_listening(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_machine_without_it_is_told_the_remedy(monkeypatch):
    monkeypatch.setenv("OUTRIDER_TEST_PGBOUNCER", "/nowhere/pgbouncer")
    with pytest.raises(MissingPgBouncerError, match=r"'/nowhere/pgbouncer'.*install PgBouncer"):
        find_pgbouncer()

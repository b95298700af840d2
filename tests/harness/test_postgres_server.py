from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from tests import postgres_server
from tests.postgres_server import MissingServerError, find_binaries, start_server

ROOT = Path(__file__).parents[2]

GONE_S = 30

OWNER = """
import sys
from tests.postgres_server import start_server
server = start_server()
print(server.folder, server.url(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server():
    server = start_server()
    yield server
    server.throw_away()


@pytest.fixture
def database(server):
    yield server.create_database("one")
    server.drop_database("one")


@pytest.fixture
def nowhere(monkeypatch):
    """A machine without PostgreSQL."""
    monkeypatch.delenv("OUTRIDER_TEST_POSTGRES", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres_server, "INSTALLED", ())
    monkeypatch.setattr(postgres_server, "PACKAGE", "no_such_package")


async def ask(url, query, *arguments):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def test_it_answers_on_tcp_and_on_its_socket(server):
    assert await ask(server.admin_url, "SELECT current_database()") == "postgres"
    assert await ask(server.url(), "SELECT inet_server_port()") == server.port
    assert await ask(server.socket_url(), "SELECT inet_server_port()") is None


async def test_it_is_careless_unless_it_is_to_be_durable(server):
    names = ("fsync", "synchronous_commit", "full_page_writes")
    assert [await ask(server.url(), f"SHOW {name}") for name in names] == ["off", "off", "off"]
    durable = start_server(durable=True, settings={"max_connections": "7"})
    try:
        assert [await ask(durable.url(), f"SHOW {name}") for name in names] == ["on", "on", "on"]
        assert await ask(durable.url(), "SHOW max_connections") == "7"
    finally:
        durable.throw_away()


async def test_it_takes_200_connections(server):
    assert await ask(server.url(), "SHOW max_connections") == "200"


async def test_a_database_is_a_copy_of_its_template(server, database):
    server.execute("CREATE TABLE told (word text); INSERT INTO told VALUES ('one')", "one")
    copy = server.create_database("two", template="one")
    server.execute("INSERT INTO told VALUES ('two')", "two")
    assert await ask(copy, "SELECT count(*) FROM told") == 2
    assert await ask(database, "SELECT count(*) FROM told") == 1
    server.drop_database("two")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await ask(copy, "SELECT 1")


async def test_a_database_is_dropped_whoever_is_connected(server):
    connection = await asyncpg.connect(server.create_database("busy"))
    server.drop_database("busy")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")


def test_a_statement_that_fails_says_so(server):
    with pytest.raises(asyncpg.UndefinedTableError):
        server.execute("SELECT * FROM nothing")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_it_keeps_port_and_data_through_a_stop(server, database, mode):
    server.execute("CREATE TABLE told (word text); INSERT INTO told VALUES ('one')", "one")
    server.execute("CHECKPOINT")  # for without it, stopping as in a crash may lose what was committed last
    port = server.port
    server.stop(mode)
    with pytest.raises(OSError, match="Connect call failed"):
        await ask(database, "SELECT 1")
    server.start()
    assert server.port == port
    assert await ask(database, "SELECT count(*) FROM told") == 1


async def test_restart_ends_its_connections(server):
    connection = await asyncpg.connect(server.url())
    server.restart()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    assert await ask(server.url(), "SELECT 1") == 1


def test_thrown_away_it_leaves_nothing():
    server = start_server()
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    server.throw_away()
    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_it_ends_with_its_process(end):
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    folder, url = owner.stdout.readline().decode().split()
    assert asyncio.run(ask(url, "SELECT 1")) == 1
    if end:
        owner.send_signal(end)
    owner.communicate()
    wait_until_gone(Path(folder))
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(ask(url, "SELECT 1"))


def wait_until_gone(folder):
    """Return when the server's watch, which is no child of this process, has removed its folder."""
    deadline = time.monotonic() + GONE_S
    while folder.exists():
        assert time.monotonic() < deadline, f"{folder} is still there"
        time.sleep(0.01)


def test_a_machine_without_a_server_is_told_the_remedy(nowhere):
    with pytest.raises(MissingServerError, match=r"make clean setup.*OUTRIDER_TEST_POSTGRES"):
        find_binaries()


def test_a_named_folder_without_a_server_is_refused(nowhere, monkeypatch, tmp_path):
    monkeypatch.setenv("OUTRIDER_TEST_POSTGRES", str(tmp_path))
    with pytest.raises(MissingServerError, match=f"'{tmp_path}' holds no PostgreSQL"):
        find_binaries()


def make_programs(folder, version):
    """Programs that know their version only."""
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


def test_the_newest_of_the_machine_is_taken(nowhere, monkeypatch, tmp_path):
    for version in ("9.6.24", "14.2", "17beta1", "16.9 (Debian 16.9-1)"):
        make_programs(tmp_path / version.split(".")[0] / "bin", version)
    monkeypatch.setattr(postgres_server, "INSTALLED", (f"{tmp_path}/*/bin",))
    assert find_binaries() == tmp_path / "17beta1" / "bin"


def test_one_that_is_too_old_is_none(nowhere, monkeypatch, tmp_path):
    make_programs(tmp_path / "12" / "bin", "12.22")
    monkeypatch.setattr(postgres_server, "INSTALLED", (f"{tmp_path}/*/bin",))
    with pytest.raises(MissingServerError, match="no PostgreSQL 13 or newer"):
        find_binaries()


def test_the_order_is_named_path_machine(nowhere, monkeypatch, tmp_path):
    named, path, machine = (make_programs(tmp_path / name / "bin", "15.1") for name in ("named", "path", "machine"))
    monkeypatch.setattr(postgres_server, "INSTALLED", (str(machine),))
    assert find_binaries() == machine
    monkeypatch.setenv("PATH", str(path))
    assert find_binaries() == path
    monkeypatch.setenv("OUTRIDER_TEST_POSTGRES", str(named))
    assert find_binaries() == named


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root do server and test run as different users")
async def test_programs_in_a_closed_folder_run_for_root(server, monkeypatch, tmp_path):
    """As those of a virtual environment in root's home."""
    closed = tmp_path / "closed" / "bin"
    closed.mkdir(parents=True)
    closed.parent.chmod(0o700)
    for program in ("initdb", "postgres"):
        (closed / program).write_text(f'#!/bin/sh\nexec {server.bin}/{program} "$@"\n')
        (closed / program).chmod(0o755)
    monkeypatch.setenv("OUTRIDER_TEST_POSTGRES", str(closed))
    own = start_server()
    try:
        assert own.bin.is_relative_to(own.folder)
        assert await ask(own.url(), "SELECT 1") == 1
    finally:
        own.throw_away()

"""The server on a PostgreSQL database: its start, what it prints, and how nodes share it."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request

import asyncpg
import pytest
from tests.e2e.server_process import START_S, STOP_S, Output, ServerProcess, outrider
from tests.postgres_server import start_server as start_postgres


@pytest.fixture
def database(postgres, request):
    """The URL of an empty database."""
    name = f"server_{abs(hash(request.node.nodeid))}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def own_postgres():
    """A database server that the test may stop."""
    server = start_postgres()
    yield server
    server.throw_away()


@pytest.fixture
def start_node(tmp_path):
    """Starts nodes on a database: `start_node(url)`; their data folder is one another's unless said otherwise."""
    nodes = []

    def start(url, *flags, folder="node", variables=None):
        node = ServerProcess(tmp_path / folder, "serve", *flags, environ={"OUTRIDER_DATABASE": url})
        node.variables = dict(variables or {})
        nodes.append(node)
        return node.start()

    yield start
    for node in nodes:
        node.stop()


def run(*arguments, **environ):
    process = outrider(*arguments, environ=environ)
    stdout, stderr = process.communicate(timeout=STOP_S)
    return process.returncode, stdout, stderr


def query(url, statement):
    async def ask():
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_the_first_start_makes_everything_and_says_where(start_node, database):
    node = start_node(database)
    assert node.variables["QSTASH_TOKEN"].startswith("otr_")
    opened = json.loads(node.wait_for_log("database_opened"))
    assert opened["database"].endswith(database.rpartition("@")[2])
    assert opened["server"].startswith("PostgreSQL ")
    assert (opened["mode"], opened["because"]) == ("full", "this is PostgreSQL itself")
    assert not (node.data / "outrider.db").exists()
    assert (node.data / "secret.key").exists()
    assert node.terminate() == 0
    assert query(database, "SELECT value FROM facts WHERE name = 'use'") == [("serve",)]
    assert query(database, "SELECT count(*) FROM nodes") == [(0,)]


def test_a_second_node_joins_and_what_it_publishes_is_delivered(start_node, database, ledger, place):
    first = start_node(database)
    second = start_node(database, variables=first.variables)
    for node in (first, second):
        token = first.variables["QSTASH_TOKEN"]
        code = post(f"{node.url}/v2/publish/{ledger.url(place)}", token)
        assert code == 200
    ledger.wait_for(place, 2)
    status = json.loads(run("db", "status", "--json", OUTRIDER_DATABASE=database)[1])
    assert len(status["nodes"]) == 2
    assert all(one["left_ms"] > 0 for one in status["nodes"])
    assert [node.terminate() for node in (first, second)] == [0, 0]


def post(url, token):
    request = urllib.request.Request(url, b"body", {"Authorization": f"Bearer {token}"}, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status


def test_nodes_that_start_at_once_make_one_tenant(tmp_path, database):
    key = {"OUTRIDER_SECRET_KEY": "5ec2e7" * 10 + "beef", "OUTRIDER_DATABASE": database}
    command = ("serve", "--port", "0", "--log-format", "json", "--data")
    nodes = [outrider(*command, str(tmp_path / f"node{number}"), environ=key) for number in range(4)]
    outputs = [(Output(node.stdout), Output(node.stderr)) for node in nodes]
    try:
        for _, stderr in outputs:
            stderr.wait_for(lambda line: '"event":"listening"' in line, START_S)
    finally:
        for node in nodes:
            node.terminate()
    assert [node.wait(STOP_S) for node in nodes] == [0] * 4
    for pair in outputs:
        for output in pair:
            output.join()
    assert query(database, "SELECT name FROM tenants") == [("default",)]
    assert sum("QSTASH_TOKEN=" in stdout.text for stdout, _ in outputs) == 1
    assert query(database, "SELECT count(*) FROM tokens") == [(1,)]


def test_a_node_with_another_secret_key_does_not_start(start_node, database, tmp_path):
    first = start_node(database)
    code, _, stderr = run("serve", "--port", "0", "--data", str(tmp_path / "other"), OUTRIDER_DATABASE=database)
    assert code == 2
    assert "the secret key of this node" in stderr
    assert "copy secret.key from the data folder of a node that runs" in stderr
    key = (first.data / "secret.key").read_text().strip()
    second = ServerProcess(
        tmp_path / "third", "serve", environ={"OUTRIDER_DATABASE": database, "OUTRIDER_SECRET_KEY": key}
    )
    second.variables = dict(first.variables)
    try:
        assert second.start().terminate() == 0
    finally:
        second.stop()
    assert not (tmp_path / "third").exists()
    assert first.terminate() == 0


def test_development_does_not_start_on_a_database_of_production(start_node, database, tmp_path):
    start_node(database).terminate()
    code, _, stderr = run("dev", "--port", "0", "--data", str(tmp_path / "dev"), OUTRIDER_DATABASE=database)
    assert code == 2
    assert "was made by `outrider serve`" in stderr


def test_production_does_not_start_on_a_database_of_development(database, tmp_path):
    development = ServerProcess(tmp_path / "dev", "dev", environ={"OUTRIDER_DATABASE": database})
    try:
        assert development.start().terminate() == 0
    finally:
        development.stop()
    code, _, stderr = run("serve", "--port", "0", "--data", str(tmp_path / "node"), OUTRIDER_DATABASE=database)
    assert code == 2
    assert "was made by `outrider dev`" in stderr


def test_a_server_waits_for_its_database(own_postgres, tmp_path):
    url = own_postgres.create_database("late")
    own_postgres.stop()
    process = outrider(
        "serve", "--port", "0", "--data", str(tmp_path), "--log-format", "json", environ={"OUTRIDER_DATABASE": url}
    )
    stdout, stderr = Output(process.stdout), Output(process.stderr)
    try:
        stderr.wait_for(lambda line: '"event":"database_awaited"' in line, START_S)
        own_postgres.start()
        stderr.wait_for(lambda line: '"event":"listening"' in line, START_S)
    finally:
        process.terminate()
        code = process.wait(STOP_S)
    assert code == 0
    stdout.join()
    assert "QSTASH_TOKEN=" in stdout.text


def test_a_server_that_waits_for_its_database_stops_at_once_when_told(tmp_path):
    process = outrider(
        "serve",
        "--data",
        str(tmp_path),
        "--log-format",
        "json",
        environ={"OUTRIDER_DATABASE": "postgresql://127.0.0.1:1/n"},
    )
    stdout, stderr = Output(process.stdout), Output(process.stderr)
    stderr.wait_for(lambda line: '"event":"database_awaited"' in line, START_S)
    began = time.monotonic()
    process.terminate()
    assert process.wait(STOP_S) == 0
    assert time.monotonic() - began < 5
    for output in (stdout, stderr):
        output.join()
    assert "Traceback" not in stderr.text


def test_a_database_that_does_not_come_ends_the_start(tmp_path):
    url = "postgresql://queue:c0ffee@127.0.0.1:1/n"
    code, stdout, stderr = run("serve", "--data", str(tmp_path), "--database-wait", "1s", OUTRIDER_DATABASE=url)
    assert code in {1, 2}
    assert "error: " in stderr
    assert "Traceback" not in stderr
    assert "c0ffee" not in stdout + stderr


def test_a_database_that_is_not_there_is_not_waited_for(postgres, tmp_path):
    code, _, stderr = run("serve", "--data", str(tmp_path), OUTRIDER_DATABASE=postgres.url("nothing"))
    assert code == 2
    assert "create the database" in stderr

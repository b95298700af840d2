"""`outrider db`, and the commands for tenants, on a PostgreSQL database."""

import asyncio
import json
from urllib.parse import quote

import asyncpg
import pytest
from tests.postgres_server import start_server

from outrider.store.postgres.migrations import MIGRATIONS


@pytest.fixture
def database(postgres, request, monkeypatch):
    """The URL of an empty database, which the settings name."""
    name = f"db_{abs(hash(request.node.nodeid))}"
    url = postgres.create_database(name)
    monkeypatch.setenv("OUTRIDER_DATABASE", url)
    yield url
    postgres.drop_database(name)


@pytest.fixture
def durable(monkeypatch):
    """A server as it should be."""
    server = start_server(durable=True)
    monkeypatch.setenv("OUTRIDER_DATABASE", server.create_database("sound"))
    yield server
    server.throw_away()


def query(url, statement):
    async def ask():
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_migrate_makes_the_schema_once(run, database):
    code, out, err = run("db", "migrate")
    assert code == 0
    assert out.splitlines() == [step.name for step in MIGRATIONS]
    assert err.endswith(f"is at version {len(MIGRATIONS)}, from version 0.\n")
    assert run("db", "migrate")[1] == ""


def test_status_of_an_empty_database_changes_nothing(run, database):
    document = json.loads(run("db", "status", "--json")[1])
    assert (document["schema_version"], document["mode"]) == (0, None)
    assert document["schema_pending"] == [step.name for step in MIGRATIONS]
    assert query(database, "SELECT count(*) FROM pg_class WHERE relname = 'messages'") == [(0,)]
    assert run("db", "check")[0] == 1


def test_looking_at_an_empty_database_makes_nothing(run, database):
    code, _, err = run("tenant", "list")
    assert code == 2
    assert "run `outrider db migrate` first" in err
    assert query(database, "SELECT count(*) FROM pg_class WHERE relname = 'messages'") == [(0,)]


def test_tenants_and_tokens_are_managed_there(run, database, folder):
    assert run("tenant", "add", "acme")[0] == 0
    assert run("token", "create", "--tenant", "acme")[1].startswith("otr_")
    assert run("tenant", "list")[1].splitlines()[1].startswith("acme")
    assert len(run("token", "list")[1].splitlines()) == 2
    assert run("groups", "audit")[0] == 0
    assert list(folder.rglob("*")) == [folder / ".outrider", folder / ".outrider" / "secret.key"]
    document = json.loads(run("db", "status", "--json")[1])
    assert (document["use"], document["mode"]) == ("serve", "full")
    assert document["server"].startswith("PostgreSQL ")
    assert "messages_unfinished" in {one["name"] for one in document["partitions"]}
    assert document["database"] == database


@pytest.mark.parametrize("form", ["several hosts", "socket", "socket as host"])
def test_a_database_is_reached_by_any_of_its_names(run, database, postgres, monkeypatch, form):
    name = database.rpartition("/")[2]
    user = database.partition("://")[2].partition("@")[0]
    socket = str(postgres.folder)
    urls = {
        "several hosts": f"postgresql://{user}@127.0.0.1:1,127.0.0.1:{postgres.port}/{name}",
        "socket": f"postgresql://{user}@/{name}?host={socket}&port={postgres.port}",
        "socket as host": f"postgresql://{user}@{quote(socket, safe='')}:{postgres.port}/{name}",
    }
    monkeypatch.setenv("OUTRIDER_DATABASE", urls[form])
    assert run("tenant", "add", "acme")[0] == 0
    assert query(database, "SELECT name FROM tenants") == [("acme",)]


def test_a_portable_database_is_told_as_one(run, database, monkeypatch):
    monkeypatch.setenv("OUTRIDER_DATABASE_MODE", "portable")
    run("tenant", "add", "acme")
    document = json.loads(run("db", "status", "--json")[1])
    assert (document["mode"], document["partitions"]) == ("portable", [])


def test_a_sound_database_passes_the_check(run, durable):
    run("tenant", "add", "acme")
    code, out, _ = run("db", "check")
    assert code == 0, out
    assert [line.split()[1] for line in out.splitlines()[1:]] == [
        "durability",
        "schema",
        "commit",
        "clock",
        "invariants",
    ]


def test_the_check_finds_a_server_that_forgets(run, database):
    run("tenant", "add", "acme")
    code, out, _ = run("db", "check")
    assert code == 1
    assert "fail    durability  fsync is off" in out


def test_the_check_finds_a_miscount(run, database):
    run("tenant", "add", "acme")
    query(
        database,
        "INSERT INTO queues (tenant, name, created_at, updated_at, in_use) SELECT id, 'jobs', 0, 0, 7 FROM tenants",
    )
    faults = [one for one in json.loads(run("db", "check", "--json")[1])["findings"] if one["fault"]]
    assert [(one["check"], one["subject"]) for one in faults if one["check"] != "durability"] == [
        ("invariants", "jobs")
    ]


def test_a_lost_key_can_be_forgotten(run, database):
    run("tenant", "add", "acme")
    assert run("db", "forget-key", "--yes")[2].startswith("The key of the next start will do. ")
    assert query(database, "SELECT 1 FROM facts WHERE name = 'secret_key_fingerprint'") == []
    assert [one["action"] for one in json.loads(run("audit", "--json")[1])].count("database.forget_key") == 1


@pytest.mark.parametrize("command", [("db", "status"), ("db", "check"), ("tenant", "list"), ("copy",)])
def test_a_password_is_not_told_where_the_database_cannot_be_reached(run, monkeypatch, command, folder):
    (folder / "outrider.db").touch()
    monkeypatch.setenv("OUTRIDER_DATABASE", "postgresql://queue:c0ffee@127.0.0.1:1/n")
    code, out, err = run(*command, "--data", str(folder))
    assert code in {1, 2}
    assert "Traceback" not in err
    assert "c0ffee" not in out + err

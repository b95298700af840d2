"""`outrider db` on a database file."""

import contextlib
import json
import sqlite3

import pytest

from outrider.store.sqlite import migrations

NEWEST = len(migrations.MIGRATIONS)


@pytest.fixture
def file(folder):
    """Where the database is to be."""
    return folder / ".outrider" / "outrider.db"


@pytest.fixture
def in_file(file):
    """Executes statements in the database, as a hand that should not."""

    def execute(*statements):
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    return execute


@pytest.fixture
def old(file):
    """A database of the third version."""
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        migrations.migrate(connection, migrations.MIGRATIONS[:3])


def version(in_file):
    return in_file("PRAGMA user_version")[0][0]


def test_migrate_makes_a_database_and_says_what_it_applied(run, in_file):
    code, out, err = run("db", "migrate")
    assert code == 0
    assert out.splitlines()[0] == "0001_initial"
    assert len(out.splitlines()) == NEWEST
    assert err == f"sqlite:.outrider/outrider.db is at version {NEWEST}, from version 0.\n"
    assert version(in_file) == NEWEST


def remembered(run):
    """The audit log, latest first."""
    return [
        (one["actor"], one["tenant"], one["action"], one["subject"]) for one in json.loads(run("audit", "--json")[1])
    ]


def test_a_migration_is_in_the_audit_log_once(run, old):
    for _ in range(2):
        run("db", "migrate")
    assert remembered(run) == [("command line", "", "database.migrate", f"from version 3 to {NEWEST}")]
    assert run("audit")[1].splitlines()[1].split()[2:5] == ["-", "command", "line"]


def test_migrate_applies_what_is_pending_and_nothing_twice(run, old, in_file):
    code, out, _ = run("db", "migrate", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["from"], document["to"]) == (3, NEWEST)
    assert document["applied"][0].startswith("0004_")
    assert version(in_file) == NEWEST
    assert run("db", "migrate") == (0, "", f"sqlite:.outrider/outrider.db is at version {NEWEST} already.\n")


def test_status_tells_what_there_is(run):
    run("tenant", "add", "acme")
    code, out, _ = run("db", "status")
    facts = dict(line.split(maxsplit=1) for line in out.splitlines()[1:])
    assert code == 0
    assert facts["database"] == "sqlite:.outrider/outrider.db"
    assert facts["server"] == f"SQLite {sqlite3.sqlite_version}"
    assert facts["schema"] == f"version {NEWEST}"
    assert facts["pending"] == "none"
    assert facts["unfinished"] == "0"


def test_status_counts_messages_by_state_and_lists_nodes(run, in_file):
    run("tenant", "add", "acme")
    message = (
        "INSERT INTO messages (id, tenant, state, due_at, retried, lease, cancel_requested, created_at, not_before,"
        " host, path, url, options, finished_at) SELECT"
        " '{0}', id, '{1}', {2}, 0, {3}, 0, 0, 0, 'h', '/', 'u', '{{}}', {4} FROM tenants"
    )
    in_file(
        message.format("a", "due", 0, "NULL", "NULL"),
        message.format("b", "due", 9 * 10**15, "NULL", "NULL"),
        message.format("c", "leased", 0, "'node_1'", "NULL"),
        message.format("d", "held", 0, "NULL", "NULL"),
        message.format("e", "delivered", 0, "NULL", "5"),
        "INSERT INTO nodes VALUES ('node_1', 1000, 2000)",
    )
    document = json.loads(run("db", "status", "--json")[1])
    counts = {name: document[name] for name in ("unfinished", "due", "overdue", "held", "leased")}
    assert counts == {"unfinished": 4, "due": 2, "overdue": 1, "held": 1, "leased": 1}
    (node,) = document["nodes"]
    now = document["looked_at"]
    assert node == {"id": "node_1", "up_ms": now - 1000, "left_ms": 2000 - now, "leased": 1}
    assert "node_1" in run("db", "status")[1]


def test_status_of_an_older_database_changes_nothing(run, old, in_file):
    document = json.loads(run("db", "status", "--json")[1])
    assert document["schema_version"] == 3
    assert document["schema_pending"][0].startswith("0004_")
    assert version(in_file) == 3


@pytest.mark.parametrize("command", ["status", "check", "forget-key"])
def test_what_is_not_there_is_not_made(run, folder, command):
    code, _, err = run("db", command)
    assert code == 2
    assert err.startswith("error: there is no store at '.outrider/outrider.db'\nhint: ")
    assert list(folder.iterdir()) == []


def test_a_sound_database_passes_the_check(run):
    run("tenant", "add", "acme")
    code, out, _ = run("db", "check")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["ok", "integrity"],
        ["ok", "references"],
        ["ok", "schema"],
        ["ok", "commit"],
        ["ok", "invariants"],
    ]


def test_the_check_finds_a_miscount(run, in_file):
    run("tenant", "add", "acme")
    in_file("INSERT INTO queues (tenant, name, created_at, updated_at, in_use) SELECT id, 'jobs', 0, 0, 7 FROM tenants")
    code, out, _ = run("db", "check", "--json")
    document = json.loads(out)
    assert (code, document["sound"]) == (1, False)
    (fault,) = [one for one in document["findings"] if one["fault"]]
    assert (fault["check"], fault["subject"]) == ("invariants", "jobs")
    assert run("db", "check")[1].splitlines()[-1].startswith("fail    invariants  jobs: ")


def test_the_check_finds_a_row_that_refers_to_nothing(run, in_file):
    run("tenant", "add", "acme")
    in_file("INSERT INTO url_groups VALUES ('gone', 'g', '{}')")
    code, out, _ = run("db", "check")
    assert code == 1
    assert "fail    references" in out
    assert "ok      integrity" in out


def test_the_check_finds_a_broken_file(run, file, in_file):
    run("tenant", "add", "acme")
    in_file("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = in_file("SELECT rootpage FROM sqlite_schema WHERE name = 'tokens_of_tenant'")[0]
    size = in_file("PRAGMA page_size")[0][0]
    with file.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * size)
    code, out, _ = run("db", "check")
    assert code == 1
    assert "fail    integrity" in out


def test_the_check_of_an_older_database_says_so_and_changes_nothing(run, old, in_file):
    code, out, _ = run("db", "check")
    assert code == 1
    assert "run `outrider db migrate`" in out
    assert version(in_file) == 3


def test_a_database_of_a_later_release_is_told_and_left(run, in_file):
    run("tenant", "add", "acme")
    in_file("PRAGMA user_version = 99")
    assert json.loads(run("db", "status", "--json")[1])["schema_version"] == 99
    assert run("db", "check")[0] == 1
    assert run("db", "migrate")[0] == 2


def test_a_lost_key_can_be_forgotten(run, in_file):
    run("tenant", "add", "acme")
    code, _, told = run("db", "forget-key", "--yes")
    assert code == 0
    assert "POST /v2/keys/rotate" in told
    assert in_file("SELECT count(*) FROM facts WHERE name = 'secret_key_fingerprint'") == [(0,)]
    assert run("db", "forget-key", "--yes")[2] == "There was no key to forget.\n"
    assert remembered(run)[0] == ("command line", "", "database.forget_key", "")
    assert [action for _, _, action, _ in remembered(run)].count("database.forget_key") == 1


def test_a_key_is_forgotten_where_there_is_no_audit_log_yet(run, in_file):
    run("tenant", "add", "acme")
    in_file("DROP TABLE audit")
    assert run("db", "forget-key", "--yes")[0] == 0
    assert in_file("SELECT count(*) FROM facts WHERE name = 'secret_key_fingerprint'") == [(0,)]

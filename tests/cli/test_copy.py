"""`outrider copy`: what it refuses, what it changes, and that it notices what is not the same."""

import asyncio
import contextlib
import json
import sqlite3

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import NOW, make_keys, make_message, make_settlement, make_tenant, refused

from outrider.administration.copying.digest import Digest
from outrider.administration.copying.tables import TABLES
from outrider.domain.options import DeliveryOptions
from outrider.secret_key import fingerprint_of, keep_secret_key
from outrider.store.sqlite import SqliteStore

TENANT = make_tenant(name="acme")


@pytest.fixture
def target(postgres, request):
    """The URL of an empty database."""
    name = f"copy_{abs(hash(request.node.nodeid))}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def source(folder):
    """A database with a message that was given up, one that waits, and one that is leased to nobody."""
    path = folder / ".outrider" / "outrider.db"
    path.parent.mkdir()
    asyncio.run(fill(path))
    return path


async def fill(path):
    store = await SqliteStore.open(path)
    await store.add_tenant(TENANT, make_keys())
    await store.join("node_1", NOW, NOW + 1)
    given_up = make_message(
        tenant=TENANT.id, options=DeliveryOptions(labels=("a", "ü"), retries=0), body=b"\0\xff" * 900
    )
    await store.add([given_up, make_message(tenant=TENANT.id, not_before=NOW + 10**9, due_at=NOW + 10**9)], NOW)
    (leased,) = await store.claim_due("node_1", NOW, 1)
    await store.apply([make_settlement(leased, refused())], NOW)
    await store.add([make_message(tenant=TENANT.id)], NOW)
    assert await store.claim_due("node_1", NOW, 1)
    await store.close()


@pytest.fixture
def in_source(source):
    def execute(*statements):
        with contextlib.closing(sqlite3.connect(source)) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    return execute


@pytest.fixture
def in_target(target):
    def execute(*statements):
        async def run():
            connection = await asyncpg.connect(target)
            try:
                return [[tuple(row) for row in await connection.fetch(one)] for one in statements][-1]
            finally:
                await connection.close()

        return asyncio.run(run())

    return execute


def test_a_copy_prints_what_it_copied_and_ends_leases(run, source, target, in_source, in_target):
    code, out, err = run("copy", "--to", target, "--json")
    assert code == 0
    document = json.loads(out)
    rows = {one["table"]: one["rows"] for one in document["tables"]}
    assert (rows["tenants"], rows["messages"], rows["dead_letters"]) == (1, 3, 1)
    assert all(len(one["checksum"]) == 64 and one["changed"] == 0 for one in document["tables"])
    assert "Do not serve from" in err
    assert in_target("SELECT state, count(*) FROM messages GROUP BY 1 ORDER BY 1") == [("due", 2), ("failed", 1)]
    assert in_source("SELECT count(*) FROM nodes") == [(0,)]
    assert in_target("SELECT body FROM dead_letters") == [(b"\0\xff" * 900,)]
    assert in_target("SELECT labels FROM dead_letters") == [('["a", "ü"]',)]


def test_a_copy_to_a_portable_schema_is_the_same(run, source, target, in_target, monkeypatch):
    monkeypatch.setenv("OUTRIDER_DATABASE_MODE", "portable")
    assert run("copy", "--to", target)[0] == 0
    assert in_target("SELECT count(*) FROM messages") == [(3,)]
    assert in_target("SELECT relkind::text FROM pg_class WHERE relname = 'messages'") == [("r",)]


def test_the_target_may_be_the_database_of_the_settings(run, source, target, monkeypatch):
    monkeypatch.setenv("OUTRIDER_DATABASE", target)
    assert run("copy")[0] == 0


def test_the_target_remembers_the_copy_once(run, source, target, in_source, in_target):
    assert run("copy", "--to", target)[0] == 0
    assert run("copy", "--to", target)[0] == 0
    (latest, *older) = in_target("SELECT actor, tenant, action, subject FROM audit ORDER BY id DESC")
    assert latest[:3] == ("command line", "", "database.copy")
    assert latest[3].endswith(" rows of a database file")
    assert older == in_source("SELECT actor, tenant, action, subject FROM audit ORDER BY id DESC")


def test_the_copy_demands_the_key_beside_the_file(run, source, target, in_target):
    key = keep_secret_key(source.parent)
    assert run("copy", "--to", target)[0] == 0
    assert in_target("SELECT value FROM facts WHERE name = 'secret_key_fingerprint'") == [(fingerprint_of(key),)]


def test_signing_keys_of_an_earlier_schema_are_copied_sealed(run, source, target, in_source, in_target):
    keep_secret_key(source.parent)
    in_source("UPDATE signing_keys SET sealed_current = 'sig_a', sealed_next = 'sig_b'")
    assert run("copy", "--to", target)[0] == 0
    ((current, following),) = in_target("SELECT sealed_current, sealed_next FROM signing_keys")
    assert current.startswith("sealed:")
    assert following.startswith("sealed:")


def test_numbers_go_on_where_the_source_was(run, source, target, in_source, in_target):
    in_source(
        f"INSERT INTO queues (id, tenant, name, created_at, updated_at) VALUES (41, '{TENANT.id}', 'q', 0, 0)",
        "DELETE FROM queues",
    )
    assert run("copy", "--to", target)[0] == 0
    inserted = (
        f"INSERT INTO queues (tenant, name, created_at, updated_at) VALUES ('{TENANT.id}', 'q', 0, 0) RETURNING id"
    )
    assert in_target(inserted) == [(42,)]
    assert in_target("SELECT nextval('message_seq'), nextval('event_id')") == [
        (4, in_source("SELECT max(id) FROM events")[0][0] + 1)
    ]


def test_a_source_that_is_served_is_refused(run, source, target, in_target):
    async def copy_beside():
        store = await SqliteStore.open(source)
        try:
            return await asyncio.to_thread(run, "copy", "--to", target)
        finally:
            await store.close()

    code, _, err = asyncio.run(copy_beside())
    assert code == 2
    assert "serves from the store" in err
    assert in_target("SELECT count(*) FROM pg_class WHERE relname = 'messages'") == [(0,)]


def test_a_target_that_was_used_is_refused_and_left(run, source, target, in_target):
    run("tenant", "add", "other", "--database", target)
    code, _, err = run("copy", "--to", target)
    assert code == 2
    assert "is not empty: `outrider serve` has used it" in err
    assert in_target("SELECT name FROM tenants") == [("other",)]
    assert run("tenant", "list", "--database", target)[0] == 0


def test_a_target_that_has_rows_is_refused(run, source, target, in_target):
    run("db", "migrate", "--database", target)
    in_target("INSERT INTO tenants VALUES ('t', 'by hand', 0)")
    assert "the table tenants has rows" in run("copy", "--to", target)[2]


def test_a_finished_target_takes_no_second_source(run, source, target, folder):
    assert run("copy", "--to", target)[0] == 0
    other = folder / "other.db"
    asyncio.run(fill(other))
    code, _, err = run("copy", "--from", f"sqlite:{other}", "--to", target)
    assert code == 2
    assert "another source was copied to it" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "postgresql://h/n", "--to", "postgresql://h/m"), "is not a file"),
        (("--to", "sqlite:else.db"), "is not a server"),
        (("--to", "postgresql://u:c0ffee@h/n"), "holds a password"),
        (("--to", "none"), "names no database"),
        ((), "nothing says where to copy to"),
        (("--from", "sqlite:gone.db", "--to", "postgresql://h/n"), "there is no store at 'gone.db'"),
    ],
)
def test_what_cannot_be_copied_is_told(run, source, arguments, told):
    code, _, err = run("copy", *arguments)
    assert code == 2
    assert told in err
    assert "c0ffee" not in err


@pytest.fixture
def interrupted(run, source, target, in_source, in_target):
    """A copy that stopped at a text that it refuses."""
    in_source("UPDATE dead_letters SET id = 'a' || char(0) || 'b'")
    code, _, err = run("copy", "--to", target)
    assert code == 2
    assert "dead_letters.id of [1] holds a NUL character" in err
    assert in_target("SELECT value FROM facts WHERE name = 'use'") == [("copy",)]
    in_source("UPDATE dead_letters SET id = 'ab'")


def test_a_text_that_would_mean_something_else_stops_the_copy_which_then_goes_on(run, interrupted, target, in_target):
    code, _, err = run("copy", "--to", target)
    assert code == 0
    assert "by an earlier run" in err
    assert in_target("SELECT id FROM dead_letters") == [("ab",)]


def test_nobody_uses_a_target_before_the_copy_is_finished(run, interrupted, target):
    for command in (("tenant", "list"), ("token", "list"), ("groups", "audit")):
        code, _, err = run(*command, "--database", target)
        assert code == 2
        assert "is unfinished" in err


def test_a_source_that_was_served_meanwhile_is_noticed(run, interrupted, target, in_source):
    in_source("UPDATE messages SET retried = retried + 1 WHERE seq = 2")
    code, _, err = run("copy", "--to", target)
    assert code == 2
    assert "the table messages of the source has changed since the copy began" in err


def test_a_copy_that_somebody_changed_is_noticed(run, interrupted, target, in_target):
    in_target("UPDATE messages SET body = 'other' WHERE seq = 2")
    code, _, err = run("copy", "--to", target)
    assert code == 2
    assert "the copy of the table messages has 3 rows with the checksum" in err
    assert "is unfinished" in run("tenant", "list", "--database", target)[2]


def test_another_source_does_not_join_a_copy(run, interrupted, target, folder):
    other = folder / "other.db"
    asyncio.run(fill(other))
    assert "another source was copied to it" in run("copy", "--from", f"sqlite:{other}", "--to", target)[2]


def test_a_nul_in_what_only_tells_becomes_its_picture_and_is_reported(run, source, target, in_source, in_target):
    in_source(
        "UPDATE events SET error = 'a' || char(0) || 'b\\u0000' WHERE kind = 'FAILED'",
        """UPDATE dead_letters SET response_headers = '[["x","1\\u00002\\\\u0000"]]'""",
    )
    code, _, err = run("copy", "--to", target)
    assert code == 0
    assert "became \u2400: 1 of events, 1 of dead_letters" in err
    assert in_target("SELECT error FROM events WHERE kind = 'FAILED'") == [("a\u2400b\\u0000",)]
    assert in_target("SELECT response_headers FROM dead_letters") == [('[["x","1\u24002\\\\u0000"]]',)]


def test_every_table_of_the_file_is_copied_or_known_not_to_be(source, in_source):
    there = {name for (name,) in in_source("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert there - {table.name for table in TABLES} == {"bodies", "nodes", "checks", "sign_in_links", "sqlite_sequence"}


def test_every_column_of_the_file_is_copied(source, in_source):
    for table in TABLES:
        there = {row[1] for row in in_source(f"PRAGMA table_info({table.name})")}
        assert there <= set(table.columns), table.name


ROWS = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.none() | st.text() | st.binary(max_size=50)), max_size=20
)


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 20))
def test_a_digest_is_the_same_in_any_order_and_batches(rows, chance, cut):
    shuffled = chance.sample(rows, len(rows))
    whole = Digest().with_rows(rows)
    assert Digest().with_rows(shuffled[:cut]).with_rows(shuffled[cut:]) == whole
    assert Digest.of(whole.rows, whole.hex) == whole


@given(ROWS.filter(bool), st.data())
def test_a_digest_tells_a_changed_row(rows, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows[:place], (rows[place][0] ^ 1, rows[place][1]), *rows[place + 1 :]]
    assert Digest().with_rows(changed) != Digest().with_rows(rows)

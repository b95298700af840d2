"""The embedded store's schema: how it comes about, and that every query finds its rows by an index."""

import re
import sqlite3
import sys
from pathlib import Path

import pytest
from tests.factories import NOW, TENANT, make_keys, make_leased, make_message, make_settlement, make_tenant

from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter
from outrider.ports import Applied, SealedKeys
from outrider.store.relational import dead_letters, log
from outrider.store.relational.cancellations import cancel
from outrider.store.relational.queries import load_queries
from outrider.store.relational.tenants import get_keys
from outrider.store.sqlite import SqliteStore
from outrider.store.sqlite.connection import SqliteConnection, run_now
from outrider.store.sqlite.database import MEMORY, Database
from outrider.store.sqlite.migrations import MIGRATIONS, load_migrations, migrate, version_of
from outrider.store.sqlite.queries import SQL

PACKAGES = [Path(sys.modules[module].__file__).parent for module in (SqliteStore.__module__, dead_letters.__name__)]


def columns(connection, schema, table):
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))}


class TestMigrations:
    @pytest.fixture
    def connection(self):
        opened = sqlite3.connect(":memory:", isolation_level=None)
        yield opened
        opened.close()

    def tables(self, connection):
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    def test_nothing_becomes_the_newest_schema(self, connection):
        migrate(connection)
        assert version_of(connection) == len(MIGRATIONS)
        assert {"messages", "events", "dead_letters", "tenants"} <= self.tables(connection)
        migrate(connection)

    def test_interrupted_migration_goes_on_where_it_stopped(self, connection):
        steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO missing VALUES (1)", "CREATE TABLE c (x)"]
        with pytest.raises(sqlite3.OperationalError, match="missing"):
            migrate(connection, steps)
        assert (version_of(connection), self.tables(connection)) == (1, {"a"})
        steps[1] = "CREATE TABLE b (x)"
        migrate(connection, steps)
        assert (version_of(connection), self.tables(connection)) == (3, {"a", "b", "c"})

    def test_keys_of_an_older_schema_are_kept_without_standard_webhooks(self, connection):
        migrate(connection, MIGRATIONS[:3])
        connection.execute("INSERT INTO tenants VALUES ('ten_1', 'acme', 1)")
        connection.execute("INSERT INTO signing_keys VALUES ('ten_1', 'sig_a', 'sig_b')")
        migrate(connection)
        assert run_now(get_keys(SqliteConnection(connection), "ten_1")) == SealedKeys(
            "sig_a", "sig_b", standard_webhooks=False
        )

    @pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
    async def test_messages_of_every_older_schema_outlast_an_upgrade_that_is_interrupted(self, tmp_path, version):
        messages = [make_message(), make_leased()]
        newest, path = tmp_path / "newest.db", tmp_path / "older.db"
        store = await SqliteStore.open(newest)
        await store.add_tenant(make_tenant(id=TENANT), make_keys())
        await store.add(messages, NOW)
        await store.close()
        older = sqlite3.connect(path, isolation_level=None)
        migrate(older, MIGRATIONS[:version])
        older.execute("ATTACH ? AS newest", (str(newest),))
        for table in ("tenants", "messages", "events"):
            kept = ", ".join(sorted(columns(older, "main", table) & columns(older, "newest", table)))
            older.execute(f"INSERT INTO main.{table} ({kept}) SELECT {kept} FROM newest.{table}")
        older.execute("DETACH newest")
        for number in range(version, len(MIGRATIONS)):
            broken = f"{MIGRATIONS[number]}\n; INSERT INTO missing VALUES (1)"
            with pytest.raises(sqlite3.OperationalError, match="missing"):
                migrate(older, [*MIGRATIONS[:number], broken])
            assert version_of(older) == number
            migrate(older, MIGRATIONS[: number + 1])
        older.close()
        store = await SqliteStore.open(path)
        assert (await store.recover(NOW, 9, dead_before=NOW)).count == 1
        claimed = await store.claim_due("node_2", NOW, 9)
        assert [(message.id, message.body) for message in claimed] == [(sent.id, sent.body) for sent in messages]
        assert all(isinstance(verdict, Applied) for verdict in await store.apply([*map(make_settlement, claimed)], NOW))
        assert await store.inspect() == []
        await store.close()

    def test_missing_step_is_an_error(self, tmp_path):
        for name in ("0001_initial.sql", "0003_later.sql"):
            (tmp_path / name).write_text("SELECT 1")
        with pytest.raises(ValueError, match=r"0003_later\.sql should be number 0002"):
            load_migrations(tmp_path)


class TestQueries:
    @pytest.fixture
    def connection(self):
        opened = Database(MEMORY, busy_timeout_ms=50, exclusive=True).open_for_writing()
        yield opened
        opened.close()

    @pytest.mark.parametrize("name", SQL)
    def test_every_query_is_used_and_fits_the_schema(self, connection, name):
        assert any(f'"{name}"' in file.read_text() for package in PACKAGES for file in package.glob("*.py"))
        statement = SQL[name]
        values = dict.fromkeys(re.findall(r":(\w+)", statement)) if ":" in statement else [None] * statement.count("?")
        connection.execute(f"EXPLAIN {statement}", values)

    def test_undescribed_or_doubled_queries_do_not_load(self, tmp_path):
        (tmp_path / "a.sql").write_text("-- name: a\nSELECT 1\n")
        with pytest.raises(ValueError, match="'a' has no description"):
            load_queries(tmp_path)
        (tmp_path / "a.sql").write_text("-- name: a\n-- One.\nSELECT 1\n-- name: a\n-- Two.\nSELECT 2\n")
        with pytest.raises(ValueError, match="'a'"):
            load_queries(tmp_path)

    def plan(self, connection, statement):
        explaining = Explaining(connection)
        explaining.execute(statement, dict.fromkeys(re.findall(r":(\w+)", statement), "1"))
        return explaining.plans[0]

    @pytest.mark.parametrize("name", ["find_due", "next_due_at"])
    def test_what_is_due_is_found_in_the_due_index_alone(self, connection, name):
        plan = self.plan(connection, SQL[name])
        assert "messages USING COVERING INDEX messages_due" in plan
        assert "TEMP B-TREE FOR ORDER" not in plan

    @pytest.mark.parametrize(
        ("name", "index"),
        [
            ("orphaning_nodes", "messages_leased"),
            ("leased_by_nodes", "messages_leased"),
            ("purge_events", "events_of_tenant (tenant=? AND time<?)"),
            ("purge_dead_letters", "dead_letters_of_tenant (tenant=? AND failed_at<?)"),
            ("purge_messages", "messages_of_tenant (tenant=? AND finished_at<?)"),
            ("purge_deduplications", "deduplications_expired (expires_at<?)"),
            ("endpoint_attempts", "messages_attempted (tenant=? AND group_name=? AND url=?)"),
            ("endpoint_attempts", "e USING INDEX events_of_message (message=?)"),
            ("find_duplicates", "d USING PRIMARY KEY (tenant=? AND key=?)"),
            ("standing", "sqlite_autoindex_messages_1 (id=?)"),
        ],
    )
    def test_no_query_reads_a_whole_table(self, connection, name, index):
        assert index in self.plan(connection, SQL[name])

    @pytest.mark.parametrize(
        ("which", "index"),
        [
            ({}, "m USING INDEX messages_of_tenant (tenant=? AND finished_at=?)"),
            ({"ids": ("msg_1",)}, "m USING INDEX sqlite_autoindex_messages_1 (id=?)"),
        ],
    )
    def test_cancelable_messages_are_found_by_tenant_or_id(self, connection, which, index):
        explaining = Explaining(connection)
        run_now(cancel(explaining.operated, TENANT, MessageFilter(**which), NOW, 9))
        assert index in explaining.plans[0]

    @pytest.mark.parametrize(
        ("which", "cursor", "index"),
        [
            ({}, None, "e USING INDEX events_of_tenant (tenant=?)"),
            ({"time_to": NOW}, None, "e USING INDEX events_of_tenant (tenant=? AND time<?)"),
            ({}, "l1-1", "e USING INDEX events_of_tenant (tenant=? AND time<?)"),
            ({"ids": ("msg_1",)}, "l1-1", "e USING INDEX events_of_message (message=?"),
        ],
    )
    def test_entries_are_found_by_tenant_and_time_or_by_message(self, connection, which, cursor, index):
        explaining = Explaining(connection)
        query = LogQuery(filter=MessageFilter(**which))
        run_now(log.list_log(explaining.operated, TENANT, query, log.read_cursor(cursor)))
        assert index in explaining.plans[0]

    @pytest.mark.parametrize(
        ("query", "cursor", "index"),
        [
            ({}, None, "d USING INDEX dead_letters_of_tenant (tenant=?)"),
            ({}, "d1-1", "d USING INDEX dead_letters_of_tenant (tenant=? AND (failed_at,id)<(?,?))"),
            ({"ids": ("1-1",)}, "d1-1", "d USING INTEGER PRIMARY KEY (rowid=?)"),
            ({"filter": MessageFilter(ids=("msg_1",))}, None, "d USING INDEX dead_letters_of_message (message=?)"),
        ],
    )
    def test_dead_letters_are_found_by_tenant_and_time_or_by_id(self, connection, query, cursor, index):
        explaining = Explaining(connection)
        after = dead_letters.read_cursor(cursor)
        run_now(dead_letters.list_dead_letters(explaining.operated, TENANT, DeadLetterQuery(**query), after))
        assert index in explaining.plans[0]


class Explaining:
    """A connection that remembers how each of its statements is carried out."""

    def __init__(self, connection):
        self._connection = connection
        self.operated = SqliteConnection(self)
        self.plans = []

    def execute(self, statement, parameters):
        plan = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        self.plans.append(" | ".join(row[3] for row in plan))
        return self._connection.execute(statement, parameters)

"""The shared store's schema: how it comes about, and that every query finds its rows by an index."""

import asyncio
import json
import re
import sys
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.factories import NOW, TENANT, make_keys, make_leased, make_message, make_settlement, make_tenant
from tests.store.postgres_databases import bare_database, fresh_database

from outrider.domain.errors import Misconfigured
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter
from outrider.ports import Applied
from outrider.store.postgres import PostgresStore
from outrider.store.postgres.migrations import (
    MIGRATIONS,
    Migration,
    Mode,
    is_current,
    load_migrations,
    migrate,
    mode_of,
    pending,
    version_of,
)
from outrider.store.postgres.queries import SQL, named, translate
from outrider.store.relational import dead_letters, inspection

PACKAGES = [Path(sys.modules[module].__file__).parent for module in (PostgresStore.__module__, dead_letters.__name__)]


@pytest.fixture(params=list(Mode), ids=lambda mode: mode.value)
def mode(request):
    return request.param


@pytest.fixture
def url():
    with bare_database() as made:
        yield made


def step(text, oldest_reader=1):
    return Migration("step", oldest_reader, text)


@asynccontextmanager
async def connected(url):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def tables(connection):
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row[0] for row in rows} - {"schema_versions"}


class TestMigrations:
    async def test_nothing_becomes_the_newest_schema(self, url, mode):
        async with connected(url) as connection:
            assert (await version_of(connection), await mode_of(connection)) == (0, None)
            assert await pending(connection) == MIGRATIONS
            assert not await is_current(connection)
            await migrate(connection, mode)
            assert (await version_of(connection), await mode_of(connection)) == (len(MIGRATIONS), mode)
            assert {"messages", "events", "dead_letters", "tenants"} <= await tables(connection)
            assert await pending(connection) == []
            assert await is_current(connection)
            await migrate(connection, mode)

    async def test_interrupted_migration_goes_on_where_it_stopped(self, url, mode):
        steps = [step("CREATE TABLE a (x int)"), step("CREATE TABLE b (x int); INSERT INTO missing VALUES (1)"),
                 step("CREATE TABLE c (x int)")]  # fmt: skip
        async with connected(url) as connection:
            with pytest.raises(asyncpg.UndefinedTableError):
                await migrate(connection, mode, steps)
            assert (await version_of(connection), await tables(connection)) == (1, {"a"})
            steps[1] = step("CREATE TABLE b (x int)")
            await migrate(connection, mode, steps)
            assert (await version_of(connection), await tables(connection)) == (3, {"a", "b", "c"})

    @pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
    async def test_messages_of_every_older_schema_outlast_an_upgrade_that_is_interrupted(self, url, mode, version):
        messages = [make_message(), make_leased()]
        with fresh_database(mode.value) as newest:
            store = await PostgresStore.open(newest, mode=mode.value)
            await store.add_tenant(make_tenant(id=TENANT), make_keys())
            await store.add(messages, NOW)
            await store.close()
            async with connected(newest) as new, connected(url) as older:
                await migrate(older, mode, MIGRATIONS[:version])
                for table in ("tenants", "messages"):
                    rows = await new.fetch(f"SELECT * FROM {table}")
                    await older.copy_records_to_table(table, records=rows, columns=list(rows[0].keys()))
        async with connected(url) as older:
            for number in range(version, len(MIGRATIONS)):
                broken = step(f"{MIGRATIONS[number].text}\n-- both:\n; INSERT INTO missing VALUES (1)")
                with pytest.raises(asyncpg.UndefinedTableError):
                    await migrate(older, mode, [*MIGRATIONS[:number], broken])
                assert await version_of(older) == number
                await migrate(older, mode, MIGRATIONS[: number + 1])
        store = await PostgresStore.open(url, mode=mode.value)
        assert (await store.recover(NOW, 9, dead_before=NOW)).count == 1
        claimed = await store.claim_due("node_2", NOW, 9)
        assert [(message.id, message.body) for message in claimed] == [(sent.id, sent.body) for sent in messages]
        assert all(isinstance(verdict, Applied) for verdict in await store.apply([*map(make_settlement, claimed)], NOW))
        assert await store.inspect() == []
        await store.close()

    async def test_those_who_migrate_at_once_take_each_step_once(self, url, mode):
        steps = [step(f"CREATE TABLE t{number} (x int)") for number in range(5)]

        async def run():
            async with connected(url) as connection:
                await migrate(connection, mode, steps)

        await asyncio.gather(*(run() for _ in range(6)))
        async with connected(url) as connection:
            assert await version_of(connection) == 5
            assert len(await tables(connection)) == 5

    async def test_stores_that_are_opened_at_once_on_nothing_all_open(self, url, mode):
        stores = await asyncio.gather(*(PostgresStore.open(url, mode=mode.value) for _ in range(4)))
        await stores[0].add_tenant(make_tenant(id=TENANT), make_keys())
        assert [tenant.id for tenant in await stores[3].list_tenants()] == [TENANT]
        for store in stores:
            await store.close()

    async def test_older_node_goes_on_if_the_newer_schema_lets_it(self, url, mode):
        known = [step("CREATE TABLE a (x int)")]
        newer = [*known, step("CREATE TABLE b (x int)", oldest_reader=1), step("DROP TABLE a", oldest_reader=3)]
        async with connected(url) as connection:
            await migrate(connection, mode, newer[:2])
            assert await is_current(connection, known)
            await migrate(connection, mode, known)
            await migrate(connection, mode, newer)
            with pytest.raises(Misconfigured, match=r"version 3.*up to 1") as told:
                await is_current(connection, known)
            assert told.value.code == "store_too_new"

    async def test_store_may_be_told_not_to_migrate(self, url):
        with pytest.raises(Misconfigured, match="older release") as told:
            await PostgresStore.open(url, migrate=False)
        assert "outrider db migrate" in told.value.hint

    def test_each_mode_has_its_own_lines(self):
        text = "-- oldest reader: 1\na\n-- full:\nb\n-- portable:\nc\n-- both:\nd"
        migration = Migration("x", 1, text)
        assert migration.statements(Mode.FULL).splitlines()[1:] == ["a", "b", "d"]
        assert migration.statements(Mode.PORTABLE).splitlines()[1:] == ["a", "c", "d"]

    def test_missing_step_is_an_error(self, tmp_path):
        for name in ("0001_initial.sql", "0003_later.sql"):
            (tmp_path / name).write_text("-- oldest reader: 1\nSELECT 1")
        with pytest.raises(ValueError, match=r"0003_later\.sql should be number 0002"):
            load_migrations(tmp_path)

    def test_step_that_names_no_oldest_reader_is_an_error(self, tmp_path):
        (tmp_path / "0001_initial.sql").write_text("SELECT 1")
        with pytest.raises(ValueError, match="oldest reader"):
            load_migrations(tmp_path)


class TestParameters:
    def test_values_and_columns_take_their_places(self):
        statement = translate("SELECT :a::text, :rows.2::bigint[], :a, :rows.1::text[]")
        assert statement.sql == "SELECT $1::text, $2::bigint[], $1, $3::text[]"
        assert statement.bind({"a": "x", "rows": [("k", 1), ("l", 2)]}) == ["x", (1, 2), ("k", "l")]

    def test_no_rows_are_empty_columns(self):
        assert translate("SELECT :rows.1::text[]").bind({"rows": []}) == [()]


@pytest.fixture
async def store(mode):
    with fresh_database(mode.value) as made:
        opened = await PostgresStore.open(made)
        await live_once(opened)
        yield opened
        await opened.close()


async def live_once(store):
    await store.add_tenant(make_tenant(id=TENANT), make_keys())
    message = make_leased()
    await store.add([message], NOW)
    await store.apply([make_settlement(message)], NOW)


@pytest.fixture(scope="module")
def lived_in():
    """The databases, by their mode, of those who only look."""
    with ExitStack() as databases:
        yield {mode: databases.enter_context(fresh_database(mode.value)) for mode in Mode}


@pytest.fixture
async def raw(lived_in, mode):
    """A session as the store opens them."""
    opened = await PostgresStore.open(lived_in[mode])
    if not await opened.list_tenants():
        await live_once(opened)
    session = await opened._database.open_session()
    yield session.raw
    await session.close()
    await opened.close()


class TestQueries:
    @pytest.mark.parametrize("name", SQL)
    async def test_every_query_is_used_and_fits_the_schema(self, raw, name):
        used = any(f'"{name}"' in file.read_text() for package in PACKAGES for file in package.glob("*.py"))
        assert used or name in inspection.INVARIANTS
        if "{" not in SQL[name]:
            await raw.prepare(named(name).sql)

    @pytest.mark.parametrize("mode", [Mode.FULL], ids=["full"])
    @pytest.mark.parametrize(
        ("name", "index"),
        [
            ("find_due", "messages_due"),
            ("claim_tenants", "messages_due_with_key"),
            ("next_due_at", "messages_due"),
            ("orphaning_nodes", "messages_leased"),
            ("leased_by_nodes", "messages_leased"),
            ("standing", "messages_unfinished_id_key"),
            ("settle_messages", "messages_unfinished_pkey"),
            ("settle_and_log", "messages_unfinished_pkey"),
            ("unfinished_by_seq", "messages_unfinished_pkey"),
            ("lease", "messages_unfinished_pkey"),
            ("find_cancelable", "messages_of_tenant"),
            ("finished_by_seq", "messages_20270115_seq"),
            ("seqs_of_messages", "messages_20270115_id"),
            ("slots_to_free", "gated_pkey"),
            ("first_in_line", "gated_in_line"),
            ("oldest_in_queues", "gated_in_line"),
            ("oldest_in_queues", "gated_in_slots"),
            ("first_on_list", "gated_on_list"),
            ("find_duplicates", "deduplications_pkey"),
            ("purge_deduplications", "deduplications_expired"),
            ("purge_dead_letters", "dead_letters_by_time"),
            ("events_by_id", "events_20270115_tenant_time_id_idx"),
            ("page_of_log", "events_20270115_tenant_time_id_idx"),
            ("page_of_dead_letters", "dead_letters_of_tenant"),
        ],
    )
    async def test_no_query_reads_a_whole_table(self, raw, name, index):
        plan = await explain(raw, named(name))
        assert index in plan
        assert not re.search(r"Seq Scan on (messages|events|gated|dead_letters|deduplications)", plan)
        if "finished_at IS NULL" in SQL[name] and name not in {"seqs_of_messages", "slots_to_free"}:
            assert "messages_2027" not in plan

    async def test_claim_costs_the_same_whatever_is_parked(self, store):
        costs = []
        session = await store._database.open_session()
        for parked in (1000, 100_000):
            await park(session.raw, parked)
            await store.add([make_message() for _ in range(100)], NOW)
            await session.raw.execute("VACUUM ANALYZE messages")
            said = {"now": NOW, "limit": 100, "hosts": [], "are_all": False, "tenants": []}
            costs.append(await buffers(session.raw, "find_due", **said))
            assert len(await store.claim_due("node_1", NOW, 1000)) == 100
        await session.close()
        assert costs[1] <= costs[0] + 20

    @pytest.mark.parametrize("mode", [Mode.FULL], ids=["full"])
    async def test_look_at_lanes_costs_the_same_whatever_waits_in_them_though_nothing_was_counted(self, store):
        session = await store._database.open_session()
        await park(session.raw, 20_000)
        for host in ("", "a.example"):
            assert await buffers(session.raw, "find_lanes", tenant=TENANT, host=host, most=500) <= 20
        assert await buffers(session.raw, "next_due_at", hosts=[], are_all=False) <= 20
        await session.close()


async def park(raw, count):
    """So many more messages that are due tomorrow, as the first one is."""
    await raw.execute(
        f"""
        INSERT INTO messages (id, tenant, state, due_at, retried, cancel_requested, created_at, not_before,
                              host, path, url, options, body)
        SELECT 'parked_' || {count} || '_' || n, '{TENANT}', 'due', {NOW} + 86400000 + n, 0, false, {NOW}, {NOW},
               'a.example', '/x', 'https://a.example/x', '{{}}', 'hello'
        FROM generate_series(1, {count}) AS n
        """
    )


VALUES = {"now": NOW, "limit": 100, "before": NOW, "gate": 1, "dead_before": NOW}


async def explain(raw, statement):
    """How it is carried out for parameters that are not known yet."""
    prepared = await raw.prepare(statement.sql)
    async with raw.transaction():
        await raw.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await raw.execute(f"PREPARE explained AS {statement.sql}")
        nothing = ", ".join("NULL" for _ in prepared.get_parameters())
        rows = await raw.fetch(f"EXPLAIN EXECUTE explained({nothing})" if nothing else f"EXPLAIN {statement.sql}")
        await raw.execute("DEALLOCATE explained")
    return "\n".join(row[0] for row in rows)


async def buffers(raw, name, **parameters):
    """How many pages it reads."""
    statement = named(name)
    values = statement.bind(parameters)
    async with raw.transaction():
        (row,) = await raw.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.sql}", *values)
        plan = json.loads(row[0])[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


class TestPages:
    async def test_filters_are_statements_that_this_database_takes(self, store):
        everything = MessageFilter(
            ids=("msg_1",), urls=("https://a.example/x",), paths=("/x",), groups=("g",), queues=("q",),
            schedule_ids=("s",), flow_control_keys=("k",), caller_ips=("::1",), hosts=("a.example", "b:80"),
            labels=("l",), time_from=NOW - 1, time_to=NOW + 1,
        )  # fmt: skip
        for latest_first in (True, False):
            page = await store.list_log(TENANT, LogQuery(filter=everything, latest_first=latest_first))
            assert page.items == ()
            letters = await store.list_dead_letters(
                TENANT, DeadLetterQuery(filter=everything, response_statuses=(500,), latest_first=latest_first)
            )
            assert letters.items == ()
        assert (await store.cancel(TENANT, everything, NOW, 5)).canceled == ()

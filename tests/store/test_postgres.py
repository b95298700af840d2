"""What the shared store promises beyond the contract: group commit, pressure, days, opening."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest
from msgspec import structs
from tests.factories import (
    NOW,
    TENANT,
    make_active,
    make_callback,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
    refused,
)
from tests.store.inspection import check_gates
from tests.store.postgres_databases import fresh_database, server
from tests.store.steps import dead_letters, entries, get
from tests.store.turns import counts, deliver_in_turn, queued, settle, states

from outrider.domain.attempt import Unreachable
from outrider.domain.errors import Malformed, Misconfigured, NotFound, Overloaded, StoreUnavailable
from outrider.domain.instant import DAY_MS
from outrider.domain.message import MessageState
from outrider.ports import Applied, Retention, Stored
from outrider.store.postgres import PostgresStore
from outrider.store.postgres.database import named


@pytest.fixture
async def store(url):
    opened = await PostgresStore.open(url, max_pending=1000, max_pending_bytes=100_000)
    await opened.add_tenant(make_tenant(id=TENANT), make_keys())
    yield opened
    await opened.close()


@asynccontextmanager
async def lanes_at_rest(store):
    """What is asked of the store meanwhile waits, and is then taken together."""
    pool = store._lane_pool
    for _ in range(pool._size):
        await pool._free.acquire()
    try:
        yield
    finally:
        for _ in range(pool._size):
            pool._free.release()


async def all_at_once(store, *calls):
    """The calls' outcomes; those of one kind are one group, but for the first of each that found a lane free."""
    async with lanes_at_rest(store):
        running = [asyncio.ensure_future(call) for call in calls]
        for _ in range(5):
            await asyncio.sleep(0)
    return await asyncio.gather(*running, return_exceptions=True)


async def commits(raw):
    return await raw.fetchval("SELECT sum(token) FROM lanes")


class TestGroupCommit:
    async def test_what_waits_together_is_committed_together(self, store, raw):
        await store.add([make_message()], NOW)
        before = await commits(raw)
        outcomes = await all_at_once(store, *(store.add([make_message()], NOW) for _ in range(100)))
        assert all(isinstance(receipts[0], Stored) for receipts in outcomes)
        assert await commits(raw) - before <= 3

    async def test_kinds_are_committed_apart(self, store):
        messages = [make_leased() for _ in range(30)]
        await store.add(messages, NOW)
        calls = [
            call
            for message in messages
            for call in (store.apply([make_settlement(message)], NOW), store.add([make_message()], NOW),
                         store.record([make_active(message)]))
        ]  # fmt: skip
        outcomes = await all_at_once(store, *calls)
        assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert all(isinstance(verdict, Applied) for (verdict,) in outcomes[::3])
        assert len(await entries(store, *messages)) == 90

    @pytest.mark.parametrize("place", [0, 7, 19])
    async def test_one_that_cannot_be_stored_harms_its_caller_alone(self, store, place):
        known = make_message()
        await store.add([known], NOW)
        messages = [make_message() for _ in range(20)]
        messages[place] = known
        outcomes = await all_at_once(store, *(store.add([message], NOW) for message in messages))
        assert isinstance(outcomes.pop(place), asyncpg.UniqueViolationError)
        assert outcomes == [[Stored(message)] for message in messages if message is not known]
        assert all([await get(store, message) == message for message in messages])

    async def test_number_too_large_for_a_column_harms_its_caller_alone(self, store):
        fine, absurd = make_message(), make_message(due_at=10**30)
        outcomes = await all_at_once(store, store.add([fine], NOW), store.add([absurd], NOW))
        assert outcomes[0] == [Stored(fine)]
        assert isinstance(outcomes[1], asyncpg.DataError)

    async def test_message_of_an_unknown_tenant_harms_its_caller_alone(self, store):
        fine = make_message()
        outcomes = await all_at_once(store, store.add([make_message(tenant="ten_x")], NOW), store.add([fine], NOW))
        assert isinstance(outcomes[0], NotFound)
        assert outcomes[1] == [Stored(fine)]

    async def test_text_that_cannot_be_stored_is_refused(self, store):
        with pytest.raises(Malformed, match="NUL"):
            await store.add([make_message(caller_ip="a\0b")], NOW)

    async def test_error_with_a_nul_is_stored_with_its_picture(self, store):
        message = make_leased(retries=0)
        await store.add([message], NOW)
        await store.apply([make_settlement(message, Unreachable("no\0thing"))], NOW)
        (letter,) = await dead_letters(store)
        assert "no\u2400thing" in letter.error

    async def test_refusal_undoes_nobody_elses_work(self, store):
        tenant, message = make_tenant(), make_message()
        outcomes = await asyncio.gather(
            store.add_tenant(tenant, make_keys()), store.add([message], NOW), return_exceptions=True
        )
        assert outcomes == [None, [Stored(message)]]
        with pytest.raises(Malformed):
            await store.add_tenant(make_tenant(name=tenant.name), make_keys())

    async def test_cancelled_caller_does_not_disturb_the_others(self, store):
        first, second = make_message(), make_message()
        async with lanes_at_rest(store):
            gone = asyncio.ensure_future(store.add([first], NOW))
            stays = asyncio.ensure_future(store.add([second], NOW))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        assert await stays == [Stored(second)]

    async def test_cancelled_reader_leaves_no_transaction_behind(self, store, raw):
        await get_nothing(store)
        for turns in range(12):
            reading = asyncio.ensure_future(get_nothing(store))
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await get_nothing(store)
        assert await get_nothing(store) is None


async def get_nothing(store):
    return await store.get_message(TENANT, "msg_x")


class TestStatements:
    async def test_what_is_counted_before_the_messages_goes_with_them(self, store, raw):
        messages = [make_message() for _ in range(3)]

        async def add(connection):
            await connection.insert("count_messages", [(TENANT, 0, 3)])
            assert connection.raw.is_in_transaction()
            assert await connection.raw.fetchval("SELECT count(*) FROM usage") == 0
            await connection.insert_messages(messages)
            assert await connection.raw.fetchval("SELECT sum(messages) FROM usage") == 3

        await store._write(add)
        assert await store.messages_on(TENANT, 0) == 3

    @pytest.mark.parametrize("query", ["settle_messages", "count_messages"])
    async def test_what_waits_for_company_that_never_comes_is_written(self, store, raw, query):
        message = make_leased()
        await store.add([message], NOW)
        seq = await raw.fetchval("SELECT seq FROM messages")
        rows = {"settle_messages": [(seq, "delivered", NOW, 0, NOW)], "count_messages": [(TENANT, 0, 3)]}[query]

        async def write(connection):
            await connection.insert(query, rows)

        await store._write(write)
        if query == "settle_messages":
            assert (await get(store, message)).state is MessageState.DELIVERED
        else:
            assert await store.messages_on(TENANT, 0) == 3


class TestPressure:
    async def test_more_than_may_wait_is_refused_and_settlements_are_not(self, store):
        held = make_leased()
        await store.add([held], NOW)
        async with lanes_at_rest(store):
            waiting = [asyncio.ensure_future(store.add([make_message()] * 1, NOW)) for _ in range(1000)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="1000 messages"):
                await store.add([make_message()], NOW)
            settling = asyncio.ensure_future(store.apply([make_settlement(held)], NOW))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        (verdict,) = await settling
        assert isinstance(verdict, Applied)
        assert isinstance((await store.add([make_message()], NOW))[0], Stored)

    async def test_large_bodies_count(self, store):
        async with lanes_at_rest(store):
            waiting = asyncio.ensure_future(store.add([make_message(body=b"x" * 99_000)], NOW))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="99000 bytes"):
                await store.add([make_message(body=b"x" * 2000)], NOW)
        await waiting

    async def test_full_pool_is_no_sign_of_a_broken_database(self, store):
        for _ in range(store._pool._size):
            await store._pool._free.acquire()
        await store.check(NOW)
        await store.join("node_a", NOW, NOW + 1)
        assert await store.beat("node_a", NOW, NOW + 2)


class TestDays:
    @pytest.fixture
    def mode(self):
        return "full"

    @pytest.fixture
    def url(self, mode):
        with fresh_database(mode) as made:
            yield made

    async def days(self, raw):
        rows = await raw.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{8}$'")
        return {row[0] for row in rows}

    async def test_day_is_made_by_its_first_row(self, store, raw):
        assert await self.days(raw) == set()
        message = make_leased(created_at=NOW)
        await store.add([message], NOW)
        assert await self.days(raw) == {"messages_20270115", "events_20270115"}
        await store.apply([make_settlement(message, ended_at=NOW + DAY_MS)], NOW + DAY_MS)
        assert await self.days(raw) == {
            "messages_20270115", "events_20270115", "messages_20270116", "events_20270116",
        }  # fmt: skip
        assert await raw.fetchval("SELECT count(*) FROM messages_20270116") == 1

    async def test_settlement_of_a_day_that_has_entries_only_finds_its_day(self, store):
        messages = [make_leased() for _ in range(3)]
        await store.add(messages, NOW)
        days = [NOW + n * 3 * DAY_MS for n in range(3)]
        calls = [store.apply([make_settlement(m, ended_at=at)], at) for m, at in zip(messages, days, strict=True)]
        outcomes = await all_at_once(store, *calls)
        assert all(isinstance(verdict, Applied) for (verdict,) in outcomes)
        assert [(await get(store, message)).finished_at for message in messages] == days

    async def test_upkeep_makes_tomorrow_ahead_and_drops_what_is_over(self, store, raw):
        message = make_leased()
        await store.add([message], NOW)
        await store.apply([make_settlement(message)], NOW)
        later = NOW + 3 * DAY_MS
        removed = await store.purge(Retention(logs_before=later - DAY_MS, dead_letters_before=0, now=later), 10)
        assert removed == 1
        assert await self.days(raw) == {
            "messages_20270118", "events_20270118", "messages_20270119", "events_20270119",
        }  # fmt: skip

    async def test_finished_rows_leave_the_partition_of_what_is_not(self, store, raw):
        messages = [make_leased() for _ in range(3)]
        await store.add(messages, NOW)
        await store.apply([make_settlement(messages[0]), make_settlement(messages[1], refused())], NOW)
        assert await raw.fetchval("SELECT count(*) FROM messages_unfinished") == 2
        assert await raw.fetchval("SELECT count(*) FROM messages_20270115") == 1

    async def test_slot_outlives_the_day_of_its_holder_and_is_free_after_its_callbacks(self, store, raw):
        first, second = queued(2, callback=make_callback())
        report = make_leased(callback_of=first.id)
        await store.add([first, second], NOW)
        await settle(store, first, follow_ups=[report])
        later = NOW + 3 * DAY_MS
        await store.purge(Retention(logs_before=later - DAY_MS, dead_letters_before=0, now=later), 10)
        assert await store.get_message(TENANT, first.id) is None
        assert await states(store, second) == [MessageState.HELD]
        assert await counts(store) == (1, 1)
        await check_gates(store)
        await settle(store, report, now=later)
        assert await deliver_in_turn(store, later) == [second.id]
        assert await counts(store) == (0, 0)
        assert await raw.fetchval("SELECT count(*) FROM gated") == 0


class TestOpening:
    async def test_message_is_read_after_opening_anew(self, url):
        message = make_message(body=b"x" * 50_000)
        first = await PostgresStore.open(url)
        await first.add_tenant(make_tenant(id=TENANT), make_keys())
        await first.add([message], NOW)
        await first.close()
        second = await PostgresStore.open(url)
        assert await get(second, message) == message
        await second.close()

    async def test_mode_is_that_of_the_database(self, url, mode):
        other = {"full": "portable", "portable": "full"}[mode]
        with pytest.raises(Misconfigured, match=f"'{other}'.*'{mode}'"):
            await PostgresStore.open(url, mode=other)

    async def test_database_that_is_not_there_is_named_without_the_password(self):
        url = server().url("nowhere").replace("outrider@", "outrider:s3cret@")
        with pytest.raises(Misconfigured, match="nowhere") as told:
            await PostgresStore.open(url)
        assert "s3cret" not in told.value.sentence
        assert "create the database" in told.value.hint

    async def test_server_that_is_not_there_may_come(self):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/x"):
            await PostgresStore.open("postgresql://a:s3cret@127.0.0.1:1/x")

    async def test_too_few_connections_are_refused(self, url):
        with pytest.raises(Misconfigured, match="database_connections is 2"):
            await PostgresStore.open(url, connections=2)

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("postgresql://u:p@h:5432/d", "postgresql://h:5432/d"),
            ("postgres://u:p%40@a:1,b:2/d?password=p", "postgresql://a:1,b:2/d"),
            ("postgresql:///d?host=/run/pg&password=p", "postgresql:///run/pg/d"),
        ],
    )
    def test_name_shows_no_secret(self, url, name):
        assert named(url) == name

    @pytest.mark.parametrize(
        ("setting", "value"),
        [("lock_timeout", "10s"), ("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "15s"),
         ("synchronous_commit", "on"), ("jit", "off")],
    )  # fmt: skip
    async def test_setting_is_in_force(self, store, setting, value):
        async def ask(connection):
            return await connection.raw.fetchval(f"SHOW {setting}")

        assert await store._read(ask) == value

    async def test_closed_store_has_no_connections_left(self, url, raw):
        store = await PostgresStore.open(url)
        await store.check(NOW)
        await store.list_tenants()
        await store.close()
        its = "datname = current_database() AND application_name ~ '^outrider'"
        async with asyncio.timeout(30):
            while await raw.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {its}"):
                pass

    async def test_same_state_is_told_of_messages_whatever_the_mode(self, store):
        message = make_message()
        await store.add([message], NOW)
        assert await store.claim_due("node_1", NOW, 5) == [
            structs.replace(message, state=MessageState.LEASED, lease="node_1")
        ]

"""The shared store while the way to its database, or the database, fails: nothing is lost, nothing is kept twice."""

import asyncio
import sys
from contextlib import asynccontextmanager

import pytest
from tests.factories import (
    NOW,
    TENANT,
    make_deduplicated,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
)
from tests.store.postgres_databases import fresh_database, server, waits_for_a_lock
from tests.store.steps import entries, get
from tests.tcp_proxy import TcpProxy

from outrider.domain.errors import StoreUnavailable
from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState
from outrider.ports import Applied, Stored
from outrider.store.postgres import PostgresStore, database, transactions
from outrider.store.postgres.session import Session

COMMIT = b"COMMIT\0"
"""As it is sent; a transaction may begin with the level READ COMMITTED."""


@pytest.fixture
def proxy():
    with TcpProxy(server().port) as between:
        yield between


@pytest.fixture
async def store(url, proxy):
    opened = await PostgresStore.open(server().url(url.rpartition("/")[2], port=proxy.port))
    await opened.add_tenant(make_tenant(id=TENANT), make_keys())
    await opened.add([make_message()], NOW)
    yield opened
    await opened.close()


async def kinds_of(store, message):
    return [entry.event.kind for entry in await entries(store, message)]


class TestCommit:
    async def test_commit_that_was_carried_out_stands_though_its_answer_is_lost(self, store, proxy):
        message = make_leased()
        cut = proxy.cut_after(COMMIT)
        assert await store.add([message], NOW) == [Stored(message)]
        assert cut.has_happened
        assert await kinds_of(store, message) == [E.CREATED]
        cut = proxy.cut_after(COMMIT)
        (verdict,) = await store.apply([make_settlement(message)], NOW)
        assert isinstance(verdict, Applied)
        assert cut.has_happened
        assert await kinds_of(store, message) == [E.CREATED, E.DELIVERED]

    async def test_commit_that_never_arrived_is_run_again(self, store, proxy):
        message = make_leased()
        cut = proxy.cut_before(COMMIT)
        assert await store.add([message], NOW) == [Stored(message)]
        assert cut.has_happened
        assert await kinds_of(store, message) == [E.CREATED]

    async def test_commit_that_is_still_on_its_way_is_kept_once(self, store, proxy, mode):
        message = make_leased()
        cut = proxy.cut_holding(COMMIT)
        adding = asyncio.ensure_future(store.add([message], NOW))
        await asyncio.to_thread(cut.wait)
        if mode == "portable":
            # Nobody ends the session there: whoever asks waits until it has ended by itself.
            await asyncio.to_thread(cut.release)
        assert await adding == [Stored(message)]
        if mode == "full":
            await asyncio.to_thread(cut.release)
        assert await kinds_of(store, message) == [E.CREATED]

    async def test_outcome_that_cannot_be_learned_says_so(self, store, proxy, monkeypatch):
        monkeypatch.setattr(transactions, "ASK_FOR_S", 0.0)
        message = make_message()
        cut = proxy.cut_after(COMMIT)
        adding = asyncio.ensure_future(store.add([message], NOW))
        proxy.refuse()
        with pytest.raises(StoreUnavailable) as told:
            await adding
        proxy.accept()
        assert cut.has_happened
        assert told.value.code == "store_outcome_unknown"
        assert await get(store, message) == message

    async def test_whole_group_is_kept_or_run_again_as_one(self, store, proxy):
        messages = [make_message() for _ in range(60)]
        cut = proxy.cut_after(COMMIT)
        receipts = await asyncio.gather(*(store.add([message], NOW) for message in messages))
        assert cut.has_happened
        assert [receipt for (receipt,) in receipts] == [Stored(message) for message in messages]
        assert len(await entries(store, *messages)) == 60


class TestConnections:
    async def test_connections_that_were_reset_are_replaced(self, store, proxy):
        for _ in range(3):
            proxy.cut()
            message = make_message()
            assert await store.add([message], NOW) == [Stored(message)]
            assert await get(store, message) == message
            await store.check(NOW)

    @pytest.mark.skipif(sys.platform != "linux", reason="nothing else has TCP_USER_TIMEOUT, nor a hole for the test")
    async def test_black_hole_is_left_soon(self, url, proxy, monkeypatch):
        monkeypatch.setattr(database, "SILENCE_S", 1)
        store = await PostgresStore.open(server().url(url.rpartition("/")[2], port=proxy.port))
        await store.add_tenant(make_tenant(id=TENANT), make_keys())
        await store.add([make_message()], NOW)
        proxy.swallow()
        message = make_message()
        async with asyncio.timeout(database.COMMAND_TIMEOUT_S / 2):
            assert await store.add([message], NOW) == [Stored(message)], "on a new connection"
        proxy.flow()
        await store.close()

    async def test_sessions_that_the_server_ended_are_replaced(self, store, raw):
        await asyncio.gather(*(store.get_message(TENANT, "msg_x") for _ in range(8)))
        for _ in range(3):
            await raw.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name ~ '^outrider'"
            )
            message = make_message()
            receipts, _, _ = await asyncio.gather(
                store.add([message], NOW), store.check(NOW), store.claim_due("node_1", NOW - 1, 5)
            )
            assert receipts == [Stored(message)]

    async def test_nothing_is_kept_while_nobody_can_be_reached(self, store, proxy):
        proxy.refuse()
        proxy.cut()
        message = make_message()
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{proxy.port}"):
            await store.add([message], NOW)
        with pytest.raises(StoreUnavailable):
            await store.check(NOW)
        with pytest.raises(StoreUnavailable):
            await store.get_message(TENANT, message.id)
        proxy.accept()
        assert await store.get_message(TENANT, message.id) is None
        assert await store.add([message], NOW) == [Stored(message)]

    async def test_sessions_with_a_server_that_takes_no_writes_any_more_are_left(self, store, raw, monkeypatch):
        # As of a primary that has become a standby, whose sessions stay open.
        monkeypatch.setattr(Session, "begin_write", _begin_as_the_session_says)
        for pool in (store._lane_pool, store._pool):
            async with pool.session() as session:
                await session.raw.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        message = make_message()
        assert await store.add([message], NOW) == [Stored(message)]
        assert await store.keep_fact("a", "b") == "b"


async def _begin_as_the_session_says(session):
    session._begin_write = session._begin_write.replace(" READ WRITE", "")
    return await BEGIN_WRITE(session)


BEGIN_WRITE = Session.begin_write


class TestConflicts:
    @pytest.fixture
    def url(self, mode):
        with fresh_database(mode) as made:
            yield made

    @pytest.mark.parametrize("code", ["40001", "40P01"])
    @pytest.mark.parametrize("when", ["INITIALLY IMMEDIATE", "INITIALLY DEFERRED"])
    async def test_what_was_rolled_back_for_others_is_run_again(self, store, raw, code, when):
        await raw.execute(
            f"""
            CREATE SEQUENCE tries;
            CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'sorry' USING ERRCODE = '{code}'; END IF;
              RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER failing AFTER INSERT ON deduplications
            DEFERRABLE {when} FOR EACH ROW EXECUTE FUNCTION fail_twice();
            """
        )
        message = make_deduplicated("k")
        assert await store.add([message], NOW) == [Stored(message)]
        assert await raw.fetchval("SELECT last_value FROM tries") >= 3
        assert await kinds_of(store, message) == [E.CREATED]

    async def test_conflict_that_does_not_end_is_told(self, store, raw, monkeypatch):
        monkeypatch.setattr(transactions, "MOST_CONFLICTS", 3)
        await raw.execute(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'sorry' USING ERRCODE = '40001'; END $$;
            CREATE TRIGGER failing BEFORE INSERT ON profiles FOR EACH ROW EXECUTE FUNCTION fail();
            """
        )
        with pytest.raises(StoreUnavailable, match="sorry"):
            await store.put_profile(TENANT, "a.example", b"x", NOW, most=5)

    async def test_settlement_waits_for_who_has_the_row(self, store, raw):
        messages = [make_leased() for _ in range(2)]
        await store.add(messages, NOW)
        async with locked(raw, messages[1].id):
            applying = asyncio.ensure_future(store.apply([make_settlement(m) for m in messages], NOW))
            await waits_for_a_lock(raw)
        verdicts = await applying
        assert all(isinstance(verdict, Applied) for verdict in verdicts)
        assert (await get(store, messages[1])).state is MessageState.DELIVERED


@asynccontextmanager
async def locked(raw, message_id):
    async with raw.transaction():
        await raw.execute("SELECT 1 FROM messages WHERE id = $1 FOR UPDATE", message_id)
        yield

"""What the embedded store promises beyond the contract: durability, one server, recovery."""

import asyncio
import re
import resource
import signal
import sqlite3
import sys
import threading
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from tests.factories import (
    NOW,
    TENANT,
    make_active,
    make_deduplicated,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
    make_token,
)
from tests.store.steps import get, lose_leases, on_raw

from outrider.domain.errors import Malformed, Misconfigured, Overloaded, StoreUnavailable
from outrider.domain.message import MessageState
from outrider.domain.query import MessageFilter
from outrider.ports import Applied, Stored
from outrider.store.sqlite import SqliteStore
from outrider.store.sqlite.migrations import MIGRATIONS
from outrider.store.sqlite.writer import TURN

PACKAGE = Path(sys.modules[SqliteStore.__module__].__file__).parent


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
async def store(path):
    opened = await SqliteStore.open(path, busy_timeout_ms=50)
    await opened.add_tenant(make_tenant(id=TENANT), make_keys())
    yield opened
    await opened.close()


@asynccontextmanager
async def writer_at_rest(store):
    """What is asked of the store meanwhile waits, and is then one group."""
    begun, gate = threading.Event(), threading.Event()

    def rest(_):
        begun.set()
        gate.wait(10)

    at_rest = on_raw(store, rest)
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        gate.set()
        await at_rest


async def all_at_once(store, *calls):
    """The calls' outcomes, all of them waiting before the first is begun."""
    async with writer_at_rest(store):
        running = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
    return await asyncio.gather(*running, return_exceptions=True)


async def statements_of(store, *calls):
    """What SQLite executes for calls that wait together."""
    seen = []
    await on_raw(store, lambda connection: connection.set_trace_callback(seen.append))
    outcomes = await all_at_once(store, *calls)
    await on_raw(store, lambda connection: connection.set_trace_callback(None))
    return outcomes, [re.split(r"[ (]", statement.strip(), maxsplit=1)[0] for statement in seen]


class TestDurability:
    @pytest.mark.parametrize(
        ("pragma", "value"),
        [
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("wal_autocheckpoint", 2000),
            ("journal_size_limit", 64 << 20),
            ("busy_timeout", 50),
        ],
    )
    async def test_setting_is_in_force_where_we_write(self, store, pragma, value):
        assert await on_raw(store, lambda c: c.execute(f"PRAGMA {pragma}").fetchone()[0]) == value

    async def test_readers_cannot_write(self, store):
        with pytest.raises(StoreUnavailable, match="readonly"):
            await store._readers.read(lambda c: c.execute("strike_off_all"))

    async def test_what_was_committed_is_read_after_opening_anew(self, path):
        message = make_message(body=b"x" * 5000)
        first = await SqliteStore.open(path)
        await first.add_tenant(make_tenant(id=TENANT), make_keys())
        await first.add([message], NOW)
        await first.close()
        second = await SqliteStore.open(path)
        assert await get(second, message) == message
        await second.close()

    @pytest.mark.parametrize(("size", "is_apart"), [(1024, False), (1025, True)])
    async def test_large_body_stands_apart_and_small_one_in_its_row(self, store, size, is_apart):
        await store.add([make_message(body=b"x" * size)], NOW)
        query = "SELECT body IS NULL, (SELECT count(*) FROM bodies) FROM messages"
        assert await on_raw(store, lambda c: c.execute(query).fetchone()) == (is_apart, is_apart)

    async def test_killed_process_loses_nothing_it_acknowledged(self, path):
        process = await asyncio.create_subprocess_exec(
            sys.executable, Path(__file__).with_name("acknowledging.py"), path,
            env={"PYTHONPATH": "."}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        acknowledged = [await process.stdout.readline() for _ in range(1500)]
        process.send_signal(signal.SIGKILL)
        acknowledged += (await process.stdout.read()).splitlines()
        await process.wait()
        store = await SqliteStore.open(path)
        whole = [line.split() for line in acknowledged if len(line.split()) == 2]
        for what, message_id in whole:
            message = await store.get_message(TENANT, message_id.decode())
            assert message is not None
            if what == b"delivered":
                assert message.state is MessageState.DELIVERED
        assert len(whole) >= 1500
        assert await on_raw(store, lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
        assert await lose_leases(store, NOW) <= 20
        await store.close()


class TestGroupCommit:
    async def test_what_waits_together_is_committed_together(self, store):
        calls = [store.add([make_message()], NOW) for _ in range(100)]
        outcomes, statements = await statements_of(store, *calls)
        assert all(isinstance(receipts[0], Stored) for receipts in outcomes)
        # Of the call that began to watch, of the one that kept the writer, and of the hundred.
        assert statements.count("COMMIT") == 3
        assert statements.count("INSERT") <= 4

    async def test_additions_and_settlements_share_statements_however_mixed(self, store):
        messages = [make_leased() for _ in range(64)]
        await store.add(messages, NOW)
        calls = [
            call
            for message in messages
            for call in (
                store.apply([make_settlement(message)], NOW),
                store.add([make_message()], NOW),
                store.record([make_active(message)]),
            )
        ]
        outcomes, statements = await statements_of(store, *calls)
        assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(statements) <= 14
        assert all(isinstance(verdict, Applied) for (verdict,) in outcomes[::3])

    async def test_other_calls_keep_their_place(self, store):
        first, second = make_message(), make_message()
        await all_at_once(
            store,
            store.add([first], NOW),
            store.cancel(TENANT, MessageFilter(), NOW, 9),
            store.add([second], NOW),
        )
        assert (await get(store, first)).state is MessageState.CANCELED
        assert (await get(store, second)).state is MessageState.DUE

    @pytest.mark.parametrize("place", [0, 7, 19])
    async def test_one_that_cannot_be_stored_harms_its_caller_alone(self, store, place):
        known = make_message()
        await store.add([known], NOW)
        messages = [make_message() for _ in range(20)]
        messages[place] = known
        outcomes = await all_at_once(store, *(store.add([message], NOW) for message in messages))
        assert isinstance(outcomes.pop(place), sqlite3.IntegrityError)
        assert outcomes == [[Stored(message)] for message in messages if message is not known]
        assert all([await get(store, message) == message for message in messages])

    async def test_number_too_large_for_a_column_harms_its_caller_alone(self, store):
        fine, absurd = make_message(), make_message(due_at=10**30)
        outcomes = await all_at_once(store, store.add([fine], NOW), store.add([absurd], NOW))
        assert outcomes[0] == [Stored(fine)]
        assert isinstance(outcomes[1], OverflowError)

    async def test_refusal_undoes_nobody_elses_work(self, store):
        tenant, message = make_tenant(), make_message()
        calls = (
            store.add_tenant(tenant, make_keys()),
            store.add_tenant(make_tenant(name=tenant.name), make_keys()),
            store.add([message], NOW),
        )
        outcomes, statements = await statements_of(store, *calls)
        assert outcomes[::2] == [None, [Stored(message)]]
        assert isinstance(outcomes[1], Malformed)
        assert "ROLLBACK" not in statements

    async def test_cancelled_caller_does_not_disturb_the_others(self, store):
        first, second = make_message(), make_message()
        async with writer_at_rest(store):
            gone = asyncio.ensure_future(store.add([first], NOW))
            stays = asyncio.ensure_future(store.add([second], NOW))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        assert await stays == [Stored(second)]


class TestTurns:
    """Who is told goes to work on the loop at once, so not all of a large group are told in one turn of it."""

    @pytest.fixture
    async def told(self, store):
        """The turn of the loop in which each of a group was told: those who delivered waited before who published."""
        delivered = [make_leased() for _ in range(3 * TURN)]
        await store.add(delivered, NOW)
        published = make_message()
        turns = {}
        turn = 0

        async def note(name, call):
            await call
            turns[name] = turn

        calls = [note(message.id, store.apply([make_settlement(message)], NOW)) for message in delivered]
        group = asyncio.ensure_future(all_at_once(store, *calls, note("published", store.add([published], NOW))))
        while not group.done():
            turn += 1
            await asyncio.sleep(0)
        return turns

    async def test_who_publishes_is_told_in_the_first_turn(self, told):
        assert told["published"] == min(told.values())

    async def test_so_many_are_told_in_each_turn(self, told):
        assert max(Counter(told.values()).values()) == TURN
        assert len(told) == 3 * TURN + 1


class TestPressure:
    @pytest.fixture
    async def store(self, path):
        opened = await SqliteStore.open(path, max_pending=10, max_pending_bytes=1000)
        await opened.add_tenant(make_tenant(id=TENANT), make_keys())
        yield opened
        await opened.close()

    @pytest.mark.parametrize("waiting", [[make_message() for _ in range(9)], [make_message(body=b"x" * 999)]])
    async def test_new_messages_are_refused_settlements_are_not(self, store, waiting):
        message = make_leased()
        await store.add([message], NOW)
        async with writer_at_rest(store):
            accepted = asyncio.ensure_future(store.add(waiting, NOW))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="wait to be stored"):
                await store.add([make_message(), make_message()], NOW)
            with pytest.raises(Overloaded):
                await store.retry_dead_letters(TENANT, [("1-1", make_message()), ("1-2", make_message())], NOW)
            settled = asyncio.ensure_future(store.apply([make_settlement(message)], NOW))
            recorded = asyncio.ensure_future(store.record([make_active(message)]))
            await asyncio.sleep(0)
        assert len(await accepted) == len(waiting)
        assert isinstance((await settled)[0], Applied)
        await recorded
        assert len(await store.add([make_message()], NOW)) == 1

    async def test_call_over_the_bound_is_taken_when_nothing_waits(self, store):
        await store.check(NOW)
        assert len(await store.add([make_message(body=b"x" * 2000) for _ in range(20)], NOW)) == 20


class TestDiskTrouble:
    async def test_full_disk_is_said_and_the_store_goes_on_once_there_is_room(self, store):
        known = make_leased()
        await store.add([known], NOW)
        await on_raw(store, lambda c: c.execute("PRAGMA max_page_count = 1"))
        big = [make_message(body=b"x" * 100_000) for _ in range(8)]
        outcomes = await all_at_once(store, *(store.add([message], NOW) for message in big))
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 8
        assert "full" in outcomes[0].sentence
        assert "free some space" in outcomes[0].hint
        await on_raw(store, lambda c: c.execute("PRAGMA max_page_count = 1000000"))
        for message in big:
            assert await store.get_message(TENANT, message.id) is None
        assert await store.add(big, NOW) == [Stored(message) for message in big]
        assert isinstance((await store.apply([make_settlement(known)], NOW))[0], Applied)

    async def test_small_writes_go_on_while_a_large_one_has_no_room(self, store):
        message = make_leased()
        await store.add([message], NOW)
        pages = await on_raw(store, lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await on_raw(store, lambda c: c.execute(f"PRAGMA max_page_count = {pages + 3}"))
        large = make_message(body=b"x" * 100_000)
        added, settled = await all_at_once(store, store.add([large], NOW), store.apply([make_settlement(message)], NOW))
        assert isinstance(added, StoreUnavailable)
        assert isinstance(settled[0], Applied)

    async def test_write_error_is_said_and_the_store_goes_on_after_it(self, store, path):
        message = make_message(body=b"x" * 200_000)
        with largest_file(path.with_name("store.db-wal").stat().st_size + 4096):
            with pytest.raises(StoreUnavailable, match=re.escape(str(path))):
                await store.add([message], NOW)
            with pytest.raises(StoreUnavailable):
                await store.check(NOW)
            assert await store.get_message(TENANT, message.id) is None
        assert await store.add([message], NOW) == [Stored(message)]
        assert await get(store, message) == message

    async def test_database_locked_for_long_is_said(self, store, path):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        calls = (store.add([make_message()], NOW) for _ in range(5))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 5
        other.close()
        assert len(await store.add([make_message()], NOW)) == 1

    async def test_doubtful_connection_is_replaced(self, store):
        before = await on_raw(store, id)

        def break_down(connection):
            failure = sqlite3.OperationalError("disk I/O error")
            failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise failure

        kept = await on_raw(store, lambda c: c)
        with pytest.raises(StoreUnavailable):
            await on_raw(store, break_down)
        assert await on_raw(store, id) != before
        with pytest.raises(sqlite3.ProgrammingError):
            kept.execute("SELECT 1")


@contextmanager
def largest_file(size: int):
    """No file of this process may grow beyond that, as on a device that fails to write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestOneServer:
    async def test_second_server_is_refused_with_path_and_remedy(self, store, path):
        with pytest.raises(Misconfigured, match=re.escape(str(path))) as refusal:
            await SqliteStore.open(path)
        assert "stop it" in refusal.value.hint
        await store.close()
        again = await SqliteStore.open(path)
        await again.close()

    async def test_administration_beside_a_server(self, store, path):
        admin = await SqliteStore.open(path, exclusive=False)
        token, message = make_token(), make_message()
        await asyncio.gather(
            *(admin.add_token(make_token()) for _ in range(20)),
            *(store.add([make_message()], NOW) for _ in range(20)),
            admin.add_token(token),
            store.add([message], NOW),
        )
        assert await store.find_token(token.hash) == token
        assert await get(admin, message) == message
        await admin.close()
        await store.check(NOW)

    async def test_administration_of_a_new_store_does_not_keep_a_server_out(self, path):
        admin = await SqliteStore.open(path, exclusive=False)
        server = await SqliteStore.open(path)
        await admin.add_tenant(make_tenant(id=TENANT), make_keys())
        assert [tenant.id for tenant in await server.list_tenants()] == [TENANT]
        await admin.close()
        await server.close()

    async def test_administration_leaves_the_schema_alone_while_a_server_runs(self, store, path):
        await on_raw(store, lambda c: c.execute("PRAGMA user_version = 0"))
        with pytest.raises(Misconfigured, match="older release") as refusal:
            await SqliteStore.open(path, exclusive=False)
        assert "restart" in refusal.value.hint

    @pytest.mark.parametrize("name", ["missing/store.db", "."])
    async def test_path_that_cannot_be_opened_is_named(self, tmp_path, name):
        with pytest.raises((Misconfigured, StoreUnavailable), match=re.escape(str(tmp_path))):
            await SqliteStore.open(tmp_path / name)

    async def test_file_that_is_no_database_is_named_and_left_alone(self, path):
        path.write_bytes(b"a letter to my aunt" * 300)
        with pytest.raises(StoreUnavailable, match=f"{re.escape(str(path))}.*not a database"):
            await SqliteStore.open(path)
        assert path.read_bytes() == b"a letter to my aunt" * 300

    async def test_database_of_a_newer_release_is_refused_unchanged(self, store, path):
        await on_raw(store, lambda c: c.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}"))
        await store.close()
        for exclusive in (True, False):
            with pytest.raises(Misconfigured, match=f"version {len(MIGRATIONS) + 1}"):
                await SqliteStore.open(path, exclusive=exclusive)


async def test_concurrent_duplicates_across_groups_are_one(store):
    messages = [make_deduplicated("k") for _ in range(50)]
    outcomes = await asyncio.gather(*(store.add([message], NOW) for message in messages))
    assert sum(isinstance(receipt, Stored) for (receipt,) in outcomes) == 1

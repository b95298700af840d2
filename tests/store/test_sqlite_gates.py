"""What the embedded store promises of its gates beyond the contract: after a restart, and however many wait."""

import re
import time

import pytest
from msgspec import structs
from tests.factories import (
    NODE,
    NOW,
    TENANT,
    make_callback,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
)
from tests.store.inspection import check_gates
from tests.store.steps import lose_leases, on_raw
from tests.store.turns import queued, states
from tests.store.turns import settle as settle_as_they_stand

from outrider.domain import flow_control
from outrider.domain.message import MessageState
from outrider.domain.options import FlowControl
from outrider.ports import Retention
from outrider.store.sqlite import SqliteStore
from outrider.store.sqlite.queries import SQL

MANY = 20_000


def make_queued():
    return make_leased(queue="q")


def make_keyed():
    return make_leased(flow_control=FlowControl("k", parallelism=1))


@pytest.fixture
async def store(tmp_path):
    opened = await SqliteStore.open(tmp_path / "store.db", max_pending=MANY)
    await opened.add_tenant(make_tenant(id=TENANT), make_keys())
    yield opened
    await opened.close()


async def settle(store, messages):
    await store.apply([make_settlement(message) for message in messages], NOW)


class TestRestart:
    async def test_order_slots_and_limits_are_kept(self, store, tmp_path):
        queued = [make_queued() for _ in range(4)]
        keyed = [make_keyed() for _ in range(4)]
        await store.add([*queued, *keyed], NOW)
        await settle(store, [queued[0], keyed[0]])
        await store.claim_due(NODE, NOW, 10)
        await store.close()
        again = await SqliteStore.open(tmp_path / "store.db")
        assert await lose_leases(again, NOW) == 2
        await check_gates(again)
        came = []
        while claimed := await again.claim_due(NODE, NOW, 10):
            assert len(claimed) <= 2
            came += [message.id for message in claimed]
            await settle(again, claimed)
        for messages in (queued, keyed):
            ids = [message.id for message in messages[1:]]
            assert [message_id for message_id in came if message_id in ids] == ids
        await check_gates(again)
        await again.close()


class TestPurge:
    async def test_finished_message_stays_while_its_slot_waits_for_its_callbacks(self, store):
        first, second = queued(2, callback=make_callback())
        report = make_leased(callback_of=first.id)
        await store.add([first, second], NOW)
        await settle_as_they_stand(store, first, follow_ups=[report])
        over = Retention(logs_before=NOW + 1, dead_letters_before=NOW + 1, now=NOW + 1)
        await store.purge(over, 100)
        assert await states(store, first, second) == [MessageState.DELIVERED, MessageState.HELD]
        await settle_as_they_stand(store, report)
        await store.purge(over, 100)
        assert await store.get_message(TENANT, first.id) is None
        assert await states(store, second) == [MessageState.DUE]


class TestManyWaiting:
    """Times are of the same run, and the processor's: what costs more the more there waits would be hundreds of times
    as much.
    """

    @pytest.mark.parametrize("make", [make_queued, make_keyed])
    async def test_they_slow_nobody_down_and_move_up_as_quickly_as_few(self, store, make):
        await self.park(store, 10, make)
        with_few = await self.moves(store)
        await self.park(store, MANY, make)
        assert await self.moves(store) < 10 * with_few
        await check_gates(store)

    async def park(self, store, count, make):
        for start in range(0, count, 1000):
            await store.add([make() for _ in range(min(1000, count - start))], NOW)

    async def moves(self, store) -> float:
        """Seconds of a few turns: one of those that wait, and somebody beside them."""
        await lose_leases(store, NOW)
        started = time.process_time()
        for _ in range(4):
            await store.add([make_message()], NOW)
            claimed = await store.claim_due(NODE, NOW, 10)
            assert len(claimed) == 2
            await settle(store, claimed)
            await store.next_due_at()
        return time.process_time() - started

    @pytest.mark.parametrize(
        ("query", "index"),
        [
            ("first_in_line", "gated USING COVERING INDEX gated_in_line (line=?)"),
            ("oldest_in_queues", "gated USING COVERING INDEX gated_in_line (line=?)"),
            ("oldest_in_queues", "g USING COVERING INDEX gated_in_slots (slot=?)"),
            ("first_on_list", "gated USING COVERING INDEX gated_on_list (wait_list=?)"),
            ("queues_opening", "queues USING COVERING INDEX queues_opening (opens_at<?)"),
            ("flow_keys_opening", "flow_keys USING COVERING INDEX flow_keys_opening (opens_at<?)"),
            ("next_queue_opening", "queues USING COVERING INDEX queues_opening"),
            ("next_key_opening", "flow_keys USING COVERING INDEX flow_keys_opening"),
            ("purge_flow_keys", "flow_keys USING INDEX flow_keys_idle (used_at<?)"),
            ("slots_to_free", "report USING COVERING INDEX gated_reporting (source=?)"),
            ("slot_holders", "m USING COVERING INDEX sqlite_autoindex_messages_1 (id=?)"),
            ("queues_by_name", "sqlite_autoindex_queues_1 (tenant=? AND name=?)"),
            ("flow_keys_by_name", "sqlite_autoindex_flow_keys_1 (tenant=? AND key=?)"),
            ("standings", "gated USING INTEGER PRIMARY KEY (rowid=?)"),
        ],
    )
    async def test_no_query_walks_past_those_that_wait(self, store, query, index):
        statement = SQL[query]
        values = dict.fromkeys(re.findall(r":(\w+)", statement), "1")
        rows = await on_raw(store, lambda c: c.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
        plan = " | ".join(row[3] for row in rows)
        assert index in plan
        assert "TEMP B-TREE" not in plan

    async def test_message_that_meets_no_gate_touches_none(self, store):
        await store.add([make_queued(), make_queued(), make_keyed(), make_keyed()], NOW)
        seen = []
        await on_raw(store, lambda c: c.set_trace_callback(seen.append))
        message = make_leased()
        await store.add([message], NOW)
        await settle(store, [message])
        await on_raw(store, lambda c: c.set_trace_callback(None))
        assert any("INSERT INTO messages" in statement for statement in seen)
        assert not [statement for statement in seen if re.search(r"gated|flow_keys|queues", statement)]


class TestReleasing:
    async def test_one_transaction_lets_a_bounded_number_through(self, store):
        await store.add([make_keyed() for _ in range(2000)], NOW)
        await store.change_flow_key(TENANT, "k", lambda state: structs.replace(state, parallelism=None), NOW)
        state = await store.get_flow_key(TENANT, "k")
        assert state.in_flight == 501
        assert await store.next_due_at() == NOW
        assert len(await store.claim_due(NODE, NOW, 10_000)) == 1000
        while await store.next_due_at() is not None:
            assert await store.claim_due(NODE, NOW, 10_000)
        state = await store.get_flow_key(TENANT, "k")
        assert (state.in_flight, state.waiting) == (2000, 0)
        await check_gates(store)

    async def test_keys_that_were_not_let_through_for_long_are_opened_in_turn(self, store):
        def make(number):
            return make_leased(flow_control=FlowControl(f"k{number}", rate=1, period_ms=1000))

        await store.add([make(number) for number in range(250) for _ in range(2)], NOW)
        came = []
        while (due_at := await store.next_due_at()) is not None and due_at <= NOW + 1000:
            claimed = await store.claim_due(NODE, NOW + 1000, 1000)
            assert claimed
            came += claimed
        assert {message.options.flow_control.key for message in came} == {f"k{number}" for number in range(250)}
        assert len(came) == 250

    async def test_paused_key_is_not_looked_at(self, store):
        await store.add([make_keyed(), make_keyed()], NOW)
        await store.change_flow_key(TENANT, "k", flow_control.pause, NOW)
        await lose_leases(store, NOW)
        assert await store.next_due_at() is None
        assert await store.claim_due(NODE, NOW + 10**9, 10) == []
        states = await on_raw(store, lambda c: c.execute("SELECT DISTINCT state FROM messages").fetchall())
        assert states == [(MessageState.HELD.value,)]

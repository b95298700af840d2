"""Several nodes on one database: what is promised of one holds for all of them together."""

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager

import asyncpg
import pytest
from msgspec import structs
from tests.factories import (
    NOW,
    TENANT,
    make_deduplicated,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
    refused,
)
from tests.store.inspection import check_gates
from tests.store.postgres_databases import fresh_database, waits_for_a_lock
from tests.store.steps import entries, get
from tests.store.turns import DUE, HELD, LEASED, keyed, queued, states

from outrider.domain.errors import LimitReached, NotFound, TooMany
from outrider.domain.instant import DAY_MS
from outrider.domain.queue import Queue
from outrider.ports import Applied, Duplicate, LeaseLost, Stored
from outrider.store.postgres import PostgresStore, notifier
from outrider.store.relational import settlements

OTHERS = ("ten_2", "ten_3")
PATIENCE_S = 30.0


@pytest.fixture
async def nodes(url):
    stores = [await PostgresStore.open(url) for _ in range(3)]
    for tenant in (TENANT, *OTHERS):
        await stores[0].add_tenant(make_tenant(id=tenant), make_keys())
    yield stores
    for store in stores:
        await store.close()


def named(number):
    return f"node_{number}"


async def claim_all(nodes, now=NOW, limit=20):
    """What each node got, all of them claiming at once until nothing is due."""

    async def claim(number, store):
        got = []
        while claimed := await store.claim_due(named(number), now, limit):
            got += claimed
        return got

    return await asyncio.gather(*(claim(number, store) for number, store in enumerate(nodes)))


async def test_due_messages_are_claimed_once(nodes):
    messages = [make_message() for _ in range(300)]
    await nodes[0].add(messages, NOW)
    shares = await claim_all(nodes)
    assert sorted(m.id for share in shares for m in share) == sorted(message.id for message in messages)
    assert all(m.lease == named(number) for number, share in enumerate(shares) for m in share)


async def test_what_another_is_claiming_keeps_nobody_waiting(nodes, mode):
    messages = [make_message() for _ in range(4)]
    await nodes[0].add(messages, NOW)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def claim_slowly(connection):
        found = await connection.read("find_due", int, now=NOW, hosts=[], are_all=False, limit=2, tenants=[])
        begun.set()
        await ended.wait()
        return found

    claiming = asyncio.ensure_future(nodes[0]._write(claim_slowly))
    await begun.wait()
    claimed = await nodes[1].claim_due("node_1", NOW, 10)
    assert [m.id for m in claimed] == [m.id for m in messages[2:]]
    ended.set()
    assert len(await claiming) == 2


async def test_key_is_remembered_across_nodes(nodes):
    offers = [[make_deduplicated(f"key_{n % 5}") for n in range(20)] for _ in nodes]
    receipts = await asyncio.gather(
        *(store.add([message], NOW) for own, store in zip(offers, nodes, strict=True) for message in own)
    )
    stored = [receipt.message.id for (receipt,) in receipts if isinstance(receipt, Stored)]
    assert len(stored) == 5
    assert {receipt.message_id for (receipt,) in receipts if isinstance(receipt, Duplicate)} == set(stored)


async def test_settlement_is_applied_once(nodes):
    messages = [make_leased() for _ in range(20)]
    await nodes[0].add(messages, NOW)
    offered = [make_settlement(message, refused()) for message in messages]
    verdicts = await asyncio.gather(*(store.apply([one], NOW) for one in offered for store in nodes))
    kinds = Counter(type(verdict) for (verdict,) in verdicts)
    assert kinds == {Applied: 20, LeaseLost: 40}
    logged = len(await entries(nodes[0], *messages))
    assert logged == len(messages) + sum(len(settlement.events) for settlement in offered)


async def test_second_settlement_waits_for_the_first_and_comes_too_late(nodes, raw):
    message = make_leased()
    await nodes[0].add([message], NOW)
    settlement = make_settlement(message, refused())
    async with held_open(nodes[0], lambda connection: settlements.apply(connection, [([settlement], NOW)])) as first:
        second = asyncio.ensure_future(nodes[1].apply([settlement], NOW))
        await waits_for_a_lock(raw)
    assert await first == [[Applied(settlement)]]
    assert await second == [LeaseLost(message.id)]
    assert (await get(nodes[2], message)).retried == 1
    assert len(await entries(nodes[2], message)) == 1 + len(settlement.events)


@asynccontextmanager
async def held_open(store, do):
    """The operation, whose transaction has done all of its work, and is committed when the block ends."""
    done, goes_on = asyncio.Event(), asyncio.Event()

    async def hold(connection):
        result = await do(connection)
        done.set()
        await goes_on.wait()
        return result

    held = asyncio.ensure_future(store._write(hold))
    await done.wait()
    try:
        yield held
    finally:
        goes_on.set()


async def test_queue_is_never_overtaken(nodes):
    """Each node delivers what it claims; arrivals go on meanwhile."""
    arrived, begun, running = [], [], set()

    async def arrive(store):
        for _ in range(15):
            (message,) = [structs.replace(m, state=DUE, lease=None) for m in queued(1)]
            await store.add([message], NOW)
            arrived.append(message)

    async def deliver(number, store):
        idle = 0
        while idle < 30:
            claimed = await store.claim_due(named(number), NOW, 5)
            idle = 0 if claimed else idle + 1
            for message in claimed:
                assert not running
                running.add(message.id)
                begun.append(message.id)
                await asyncio.sleep(0)
                running.discard(message.id)
                await store.apply([make_settlement(message)], NOW)

    await asyncio.gather(
        *(arrive(store) for store in nodes), *(deliver(number, store) for number, store in enumerate(nodes))
    )
    while any([await deliver_one(store, begun) for store in nodes]):
        pass
    assert sorted(begun) == sorted(message.id for message in arrived)
    seqs = await seqs_of(nodes[0], begun)
    assert seqs == sorted(seqs)
    await check_gates(nodes[0])


async def deliver_one(store, begun):
    claimed = await store.claim_due("node_0", NOW, 5)
    for message in claimed:
        begun.append(message.id)
        await store.apply([make_settlement(message)], NOW)
    return bool(claimed)


async def seqs_of(store, ids):
    async def ask(connection):
        places = {id_: seq for id_, _, seq in await connection.read("seqs_of_messages", list, ids=ids)}
        return [places[id_] for id_ in ids]

    return await store._read(ask)


async def test_parallelism_of_a_key_holds_across_nodes(nodes):
    running, most, done = set(), [0], []
    for store in nodes:
        await store.add([structs.replace(m, state=DUE, lease=None) for m in keyed(12, parallelism=2)], NOW)

    async def deliver(number, store):
        idle = 0
        while idle < 20:
            claimed = await store.claim_due(named(number), NOW, 5)
            idle = 0 if claimed else idle + 1
            running.update(m.id for m in claimed)
            most[0] = max(most[0], len(running))
            for message in claimed:
                running.discard(message.id)
                await store.apply([make_settlement(message)], NOW)
                done.append(message.id)

    while len(done) < 36:
        await asyncio.gather(*(deliver(number, store) for number, store in enumerate(nodes)))
    assert most[0] <= 2
    assert len(set(done)) == 36
    await check_gates(nodes[0])


async def test_rate_of_a_key_holds_across_nodes(nodes):
    for store in nodes:
        await store.add([structs.replace(m, state=DUE, lease=None) for m in keyed(10, rate=4, period_ms=1000)], NOW)
    for window in range(8):
        shares = await claim_all(nodes, NOW + window * 1000)
        assert sum(len(share) for share in shares) == min(4, 30 - 4 * window)
        await check_gates(nodes[0])


async def test_newcomers_at_every_node_take_turns(nodes):
    """One slot: whoever comes first holds it, the others stand in line in the order in which they were stored."""
    messages = [message for _ in nodes for message in queued(10)]
    chosen = [random.Random(7).choice(nodes) for _ in messages]
    receipts = await asyncio.gather(*(store.add([m], NOW) for store, m in zip(chosen, messages, strict=True)))
    kinds = Counter(receipt.message.state for (receipt,) in receipts)
    assert kinds == {LEASED: 1, HELD: 29}
    await check_gates(nodes[0])


async def test_tenants_do_not_wait_for_one_another(nodes):
    held, begun = asyncio.Event(), asyncio.Event()

    async def hold(connection):
        await connection.lock_tenants([TENANT])
        begun.set()
        await held.wait()

    holding = asyncio.ensure_future(nodes[0]._write(hold))
    await begun.wait()
    (message,) = queued(1, tenant="ten_2")
    assert await nodes[1].add([message], NOW) == [Stored(message)]
    plain = make_message()
    assert await nodes[1].add([plain], NOW) == [Stored(plain)]
    held.set()
    await holding


async def test_gates_of_many_tenants_are_entered_from_everywhere_without_a_deadlock(nodes):
    tenants = [TENANT, *OTHERS]
    chance = random.Random(3)

    async def publish(store):
        for _ in range(10):
            chosen = chance.sample(tenants, 2)
            batch = [queued(1, tenant=chosen[0])[0], keyed(1, parallelism=1, tenant=chosen[1])[0]]
            await store.add(batch, NOW)
            own = [m for m in batch if (await get(store, m)).state is LEASED]
            await store.apply([make_settlement(m) for m in own], NOW)

    await asyncio.gather(*(publish(store) for store in nodes for _ in range(3)))
    await check_gates(nodes[0])


async def test_last_place_is_given_once(nodes):
    def make(number):
        return lambda _: Queue(name=f"q{number}", created_at=NOW, updated_at=NOW)

    outcomes = await asyncio.gather(
        *(nodes[n % 3].change_queue(TENANT, f"q{n}", make(n), NOW, most=4) for n in range(12)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Queue) for outcome in outcomes) == 4
    assert sum(isinstance(outcome, TooMany) for outcome in outcomes) == 8


class TestDays:
    @pytest.fixture
    def url(self, mode):
        with fresh_database(mode) as made:
            yield made

    async def test_day_is_made_once_by_all(self, nodes):
        messages = [make_leased() for _ in nodes]
        receipts = await asyncio.gather(*(s.add([m], NOW) for s, m in zip(nodes, messages, strict=True)))
        assert [receipt for (receipt,) in receipts] == [Stored(message) for message in messages]


async def test_usage_is_the_sum_of_all_nodes(nodes):
    await asyncio.gather(*(store.add([make_message()], NOW, per_day=100) for store in nodes for _ in range(10)))
    assert await nodes[0].messages_on(TENANT, NOW // DAY_MS * DAY_MS) == 30
    with pytest.raises(LimitReached):
        await nodes[1].add([make_message()], NOW, per_day=30)


async def test_removed_tenant_takes_what_is_added_at_the_same_time_with_it(nodes):
    under_way = [asyncio.Event() for _ in nodes]

    async def publish(store, event):
        for _ in range(30):
            await store.add([make_message(tenant="ten_2") for _ in range(3)], NOW)
            event.set()

    publishing = [asyncio.ensure_future(publish(*one)) for one in zip(nodes, under_way, strict=True)]
    await asyncio.gather(*(event.wait() for event in under_way))
    await nodes[0].remove_tenant("ten_2")
    outcomes = await asyncio.gather(*publishing, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {NotFound, type(None)}
    assert sum(len(share) for share in await claim_all(nodes)) == 0


async def test_removed_tenant_takes_with_it_what_is_being_added_in_whatever_way(nodes, raw):
    """What is not counted, as callbacks are not, refers to its tenant by no foreign key."""
    message = make_message(tenant="ten_2")
    async with held_open(nodes[1], lambda connection: connection.insert_messages([message])) as adding:
        removing = asyncio.ensure_future(nodes[0].remove_tenant("ten_2"))
        await waits_for_a_lock(raw, unless=removing)
    await removing
    await asyncio.gather(adding, return_exceptions=True)
    assert await raw.fetchval("SELECT count(*) FROM messages") == 0


async def test_dead_nodes_leases_are_ended_once(nodes):
    messages = [make_leased("node_dead") for _ in range(50)]
    await nodes[0].add(messages, NOW)
    ended = await asyncio.gather(*(store.recover(NOW, 1000, dead_before=NOW) for store in nodes))
    assert sum(each.count for each in ended) == 50
    assert set(await states(nodes[0], *messages)) == {DUE}


async def test_clock_is_the_databases(nodes, mode):
    raw = await asyncpg.connect(nodes[0]._database._url)
    before = await raw.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    assert 0 <= await nodes[0].time() - before < 60_000
    await raw.close()


class TestTelling:
    @pytest.fixture
    def mode(self):
        return "full"

    async def test_others_hear_it_and_the_speaker_does_not(self, nodes):
        heard = [asyncio.Event() for _ in nodes]
        for store, event in zip(nodes, heard, strict=True):
            store.listen(event.set)
            await store.check(NOW)
        nodes[0].tell()
        async with asyncio.timeout(PATIENCE_S):
            await heard[1].wait()
            await heard[2].wait()
        assert not heard[0].is_set()
        assert nodes[0]._notifier.works is not False

    async def test_who_lost_its_connection_hears_again(self, nodes):
        heard = asyncio.Event()
        nodes[1].listen(heard.set)
        await nodes[1].check(NOW)
        raw = await asyncpg.connect(nodes[0]._database._url)
        await raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name ~ '^outrider'"
        )
        await raw.close()
        async with asyncio.timeout(PATIENCE_S):
            while not heard.is_set():
                nodes[0].tell()
                await nodes[0].check(NOW)

    async def test_much_to_tell_is_told_seldom(self, nodes):
        heard = []
        now = asyncio.get_running_loop().time
        nodes[1].listen(lambda: heard.append(now()))
        await nodes[1].check(NOW)
        began = now()
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 3:
                nodes[0].tell()
                await nodes[0].check(NOW)
        assert heard[2] - began >= 2 * notifier.SELDOM_S * 0.9

    async def test_words_that_do_not_arrive_are_noticed_and_tried_again(self, nodes, monkeypatch):
        monkeypatch.setattr(notifier, "ARRIVES_WITHIN_S", 0.2)
        monkeypatch.setattr(notifier, "TRY_EVERY_S", 0.5)
        store = nodes[0]
        async with store._control.session() as session:
            await session.raw.execute("UNLISTEN *")
        store.tell()
        await works(store, False)
        await works(store, True)


async def works(store, expected):
    async with asyncio.timeout(PATIENCE_S):
        while store._notifier.works is not expected:
            await store.check(NOW)

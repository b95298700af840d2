"""The contract of every Store: counts add up, and how things stand is told at a bounded cost."""

import asyncio
import itertools
import os
from collections import Counter

import pytest
from tests.backends import OF_MANY_NODES
from tests.factories import (
    NOW,
    TENANT,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
    refused,
)
from tests.store.conftest import OTHER_TENANT

from outrider.domain.activity import RESOLUTIONS, Row, rows_of, series_of, span_of
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from outrider.domain.message import MessageState, Progress, progress_of
from outrider.domain.query import MessageQuery
from outrider.domain.queue import Queue
from outrider.domain.status import Due


def row(time=NOW, tenant=TENANT, step_ms=SECOND_MS, **counts):
    return Row(tenant, step_ms, time, {_WRITTEN.get(name, name): n for name, n in counts.items()})


_WRITTEN = {name: name.replace("_", " ") for name in ("timeout_7", "dns_9", "delivered_7")}


async def read(store, begin, end, points=1000, *, tenant=TENANT, now=NOW + MINUTE_MS):
    span = span_of(begin, end, points, now)
    return series_of(span, await store.read_activity(tenant, span))


async def test_what_is_added_to_a_step_adds_up(store):
    await store.add_activity([row(accepted=2, timeout_7=1), row(NOW + 1000, delivered_7=1)])
    await store.add_activity([row(accepted=3, timeout_7=2, dns_9=4)])
    series = await read(store, NOW, NOW + 2000)
    first, second = (point.figures for point in series.points)
    assert (first.accepted, first.errors) == (5, {"timeout": 3, "dns": 4})
    assert (second.accepted, second.latency.p50) == (0, 7)
    assert series.totals.accepted == 5


async def test_step_of_many_seconds_is_their_sum(store):
    await store.add_activity(rows_of({(TENANT, NOW + n * SECOND_MS): {"accepted": 1} for n in range(90)}))
    for length, points in ((90 * SECOND_MS, 90), (90 * SECOND_MS, 9), (2 * MINUTE_MS, 2), (HOUR_MS, 1)):
        series = await read(store, NOW, NOW + length, points)
        assert series.totals.accepted == 90
        assert len(series.points) == points


async def test_tenants_do_not_see_each_other(store):
    await store.add_activity([row(accepted=1), row(tenant=OTHER_TENANT, accepted=10)])
    assert (await read(store, NOW, NOW + 1000)).totals.accepted == 1


async def test_counts_of_a_tenant_that_is_gone_are_dropped_and_those_of_others_kept(store):
    await store.add_activity([row(accepted=1), row(tenant="ten_gone", accepted=1)])
    assert (await read(store, NOW, NOW + 1000)).totals.accepted == 1


async def test_counts_go_with_their_tenant(store):
    await store.add_activity([row(accepted=1)])
    await store.remove_tenant(TENANT)
    await store.add_tenant(make_tenant(id=TENANT), make_keys())
    assert (await read(store, NOW, NOW + 1000)).totals.accepted == 0


async def test_each_resolution_is_kept_for_its_time(store):
    await store.add_activity(rows_of({(TENANT, NOW): {"accepted": 1}}))
    for kept, next_ in itertools.pairwise(RESOLUTIONS):
        now = NOW + kept.kept_ms
        assert (await read(store, NOW, NOW + kept.step_ms, now=now)).span.step_ms == kept.step_ms
        assert await store.purge_activity(now, 100) == 0
        later = now + 2 * kept.step_ms
        assert await store.purge_activity(later, 100) == 1
        assert (await read(store, NOW, NOW + next_.step_ms, now=later)).totals.accepted == 1


async def test_at_most_so_many_are_removed_at_once(store):
    await store.add_activity([row(NOW + n * SECOND_MS, accepted=1) for n in range(5)])
    later = NOW + DAY_MS
    assert [await store.purge_activity(later, 3) for _ in range(3)] == [3, 2, 0]


@pytest.mark.parametrize("name", OF_MANY_NODES)
async def test_many_nodes_add_to_the_same_steps(name, tmp_path):
    backend = OF_MANY_NODES[name]
    first = await backend.open(tmp_path)
    stores = [first, *[await backend.another(tmp_path, first) for _ in range(2)]]
    try:
        for tenant in (TENANT, OTHER_TENANT):
            await first.add_tenant(make_tenant(id=tenant), make_keys())
        counted = {(tenant, NOW + n * 1000): {"accepted": 1} for tenant in (OTHER_TENANT, TENANT) for n in range(5)}
        await asyncio.gather(*[store.add_activity(rows_of(counted)) for store in stores for _ in range(10)])
        for tenant in (TENANT, OTHER_TENANT):
            for points in (5, 1):
                series = await read(first, NOW, NOW + 5000, points, tenant=tenant)
                assert series.totals.accepted == 5 * 3 * 10
    finally:
        for store in stores:
            await store.close()
        backend.discard(tmp_path)


async def test_standing_counts_what_is_on_its_way(store):
    now = NOW + 1000
    leased, retrying, failed = make_leased(), make_leased(), make_leased(retries=0)
    delayed = make_message(not_before=now + 1, due_at=now + 1)
    due = [make_message(due_at=NOW - 7, not_before=NOW - 7), make_message()]
    other = make_message(tenant=OTHER_TENANT, due_at=NOW - 99)
    await store.add([leased, retrying, failed, delayed, *due, other, make_message(state=MessageState.HELD)], NOW)
    await store.apply([make_settlement(retrying, refused()), make_settlement(failed, refused())], NOW)
    await store.change_queue(TENANT, "q", lambda _: Queue(name="q", created_at=NOW, updated_at=NOW), NOW, most=9)
    standing = await store.standing(TENANT, now, 100)
    counted = {Progress.ACTIVE: 1, Progress.RETRYING: 1, Progress.DELAYED: 1, Progress.WAITING: 3}
    assert standing.in_flight == counted
    assert (standing.dead_letters, standing.queues, standing.schedules) == (1, 1, 0)
    assert standing.oldest_due == Due(due[0].id, NOW - 7)
    assert (standing.next_fire_at, standing.capped) == (None, False)


@pytest.mark.parametrize("now", [NOW - 1, NOW, NOW + 1, NOW + MINUTE_MS])
async def test_a_message_stands_alike_whoever_tells(store, now):
    """Counted by `standing`, found and counted by a filter, and told one by one."""
    retrying = [make_leased(created_at=NOW - 1), make_leased(retries=5)]
    waiting = [make_message(due_at=NOW + n, not_before=NOW + n) for n in (0, 1, MINUTE_MS)]
    held = make_message(state=MessageState.HELD, due_at=NOW + 1)
    await store.add([make_leased(), *retrying, *waiting, held], NOW)
    await store.apply([make_settlement(message, refused()) for message in retrying], NOW)
    everything = (await store.list_messages(TENANT, MessageQuery(), now)).items
    told = Counter(
        progress_of(one.message.state, one.message.retried, is_due=one.message.due_at <= now) for one in everything
    )
    standing = await store.standing(TENANT, now, 100)
    for progress in Progress:
        asked = MessageQuery(progress=(progress,))
        found = (await store.list_messages(TENANT, asked, now)).items
        counted = (await store.count_messages(TENANT, asked, now)).number
        assert {len(found), counted, standing.in_flight[progress]} == {told[progress]}, progress
    assert told.total() == 7


async def test_counting_ends_at_the_cap(store):
    await store.add([make_message() for _ in range(5)], NOW)
    standing = await store.standing(TENANT, NOW, 4)
    assert standing.capped
    assert standing.in_flight[Progress.WAITING] == 4
    assert not (await store.standing(TENANT, NOW, 6)).capped


async def test_dead_letters_are_counted_up_to_the_cap(store):
    failed = [make_leased(retries=0) for _ in range(4)]
    await store.add(failed, NOW)
    await store.apply([make_settlement(message, refused()) for message in failed], NOW)
    standing = await store.standing(TENANT, NOW, 3)
    assert (standing.dead_letters, standing.capped) == (3, True)


async def test_size_grows_with_what_is_stored(store):
    before = await store.size()
    await store.add([make_message(body=os.urandom(200_000)) for _ in range(10)], NOW)
    after = await store.size()
    assert after.kind == before.kind
    assert after.size_bytes >= before.size_bytes + 1_000_000

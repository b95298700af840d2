"""SIGTERM: what runs is finished, what waits is kept."""

from __future__ import annotations

import asyncio

from tests.e2e.load import Account, Load
from tests.e2e.server_process import outrider

MESSAGES = 600
TIMEOUT_S = 110.0


async def test_stopped_server_loses_and_repeats_nothing(start_server, ledger, place):
    ledger.forget()  # other tests repeat attempts on purpose
    server = start_server("serve")
    ledger.answer(f"{place}/plain/*", delay_s=0.1)
    load = Load(server, ledger, place, MESSAGES)
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        publishing = group.create_task(load.publish())
        load.at_acceptance(MESSAGES // 3, server.signal_stop)
        assert await asyncio.to_thread(server.wait_for_end) == 0
        assert len(load.accepted) < MESSAGES
        await asyncio.to_thread(server.start)
        await load.go_on()
        await publishing
        await load.drain()
    account = Account(load, ledger.requests())
    assert account.repeated == {}
    assert account.over_attempted == []
    assert account.over_reported == []


def test_delivery_that_outlasts_the_drain_time_is_repeated_after_the_next_start(start_server, connect, ledger, place):
    url = ledger.answer(place, delay_s=15, times=1)
    server = start_server("dev", "--drain-timeout", "1s")
    qstash = connect(server.url, server.variables["QSTASH_TOKEN"])
    message_id = qstash.message.publish(url=url, body="slow").message_id
    ledger.wait_for(place)
    assert server.terminate(12) == 0
    server.start()
    first, second = ledger.wait_for(place, 2)
    assert (first.message_id, second.message_id) == (message_id, message_id)
    assert (first.retried, second.retried) == (0, 0)


def test_second_signal_does_not_wait_for_deliveries(start_server, connect, ledger, place):
    url = ledger.answer(place, delay_s=30, times=1)
    server = start_server("dev")
    connect(server.url, server.variables["QSTASH_TOKEN"]).message.publish(url=url, body="slow")
    ledger.wait_for(place)
    server.signal_stop()
    server.wait_for_log("stopping")
    assert server.terminate(10) == 0
    server.start()
    ledger.wait_for(place, 2)


def test_messages_that_wait_survive_a_stop(start_server, clock, connect, ledger, place):
    server = start_server("dev", prefix=clock.prefix)
    qstash = connect(server.url, server.variables["QSTASH_TOKEN"])
    message_id = qstash.message.publish(url=ledger.url(place), body="kept", delay=3600).message_id
    assert server.terminate() == 0
    assert ledger.requests(place) == []
    clock.skip(3600)
    server.start()
    (received,) = ledger.wait_for(place)
    assert (received.message_id, received.body) == (message_id, b"kept")


def test_second_server_on_the_same_data_is_refused(start_server):
    server = start_server("dev")
    other = outrider("dev", "--port", "0", "--data", str(server.data))
    _, stderr = other.communicate(timeout=20)
    assert other.returncode != 0
    assert str(server.data) in stderr
    assert server.get("/readyz") == 200

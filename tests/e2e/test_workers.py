"""Several workers of one server: killed, orphaned and stopped under load, and held to account."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from tests.e2e.ledger import PATIENCE_S
from tests.e2e.load import Account, Load
from tests.e2e.server_process import outrider

MESSAGES = 600
LEASE_S = 60
"""So long that a worker which a busy machine stops is not taken for dead."""

TAKEN_OVER_WITHIN_S = LEASE_S / 2
TIMEOUT_S = 110.0


@pytest.fixture
def start_workers(start_server):
    """Starts a server of two workers."""

    def start(*flags, **options):
        return start_server("serve", "--workers", "2", "--node-lease", f"{LEASE_S}s", *flags, **options)

    return start


def workers_of(server):
    return [int(child) for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


def notes(server, event):
    return [note for note in map(json.loads, log_lines(server)) if note["event"] == event]


def wait_for(happened, pause_s=0.02):
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(pause_s)


def log_lines(server):
    return [line for line in server.log.splitlines() if line.startswith("{")]


def metric(server, name):
    with urllib.request.urlopen(server.url + "/metrics") as answer:
        return float(re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)[1])


def created(server):
    return metric(server, 'outrider_message_events_total{state="CREATED"}')


async def at_request(ledger, count):
    await asyncio.to_thread(ledger.wait_until, lambda: len(ledger) >= count, f"{count} requests")


async def test_killed_worker_is_replaced_and_loses_nothing(start_workers, ledger, place):
    ledger.forget()
    server = start_workers()
    ledger.answer(f"{place}/plain/*", delay_s=0.1)
    load = Load(server, ledger, place, MESSAGES)
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        publishing = group.create_task(load.publish())
        for kill in (1, 2):
            await at_request(ledger, kill * MESSAGES // 4)
            victim = workers_of(server)[0]
            killed_at = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(server.wait_for_log, "worker_lost")
            await load.go_on()
            await asyncio.to_thread(wait_for, lambda wanted=2 + kill: len(notes(server, "engine_started")) == wanted)
            assert time.monotonic() - killed_at < TAKEN_OVER_WITHIN_S
            assert victim not in workers_of(server)
        await load.go_on()
        await publishing
        await load.drain()
    account = Account(load, ledger.requests())
    ended = sum(note["leases"] for note in notes(server, "leases_ended"))
    assert 0 < account.repeated.total() <= ended
    assert account.over_attempted == []
    assert account.over_reported == []
    assert [note["ending"] for note in notes(server, "worker_lost")] == ["SIGKILL"] * 2
    # What a dead worker has counted is counted still; what it stored unanswered comes to it, and callbacks do.
    assert created(server) >= len(load.accepted)
    assert not notes(server, "store_failed")
    assert server.terminate() == 0


async def test_stopped_workers_lose_and_repeat_nothing(start_workers, ledger, place):
    ledger.forget()
    server = start_workers()
    ledger.answer(f"{place}/plain/*", delay_s=0.1)
    load = Load(server, ledger, place, MESSAGES)
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        publishing = group.create_task(load.publish())
        load.at_acceptance(MESSAGES // 3, server.signal_stop)
        assert await asyncio.to_thread(server.wait_for_end) == 0
        assert len(load.accepted) < MESSAGES
        assert len({note["message_id"] for note in notes(server, "delivered")}) > 0, "lines are whole"
        await asyncio.to_thread(server.start)
        await load.go_on()
        await publishing
        await load.drain()
    account = Account(load, ledger.requests())
    assert account.repeated == {}
    assert account.over_attempted == []
    assert account.over_reported == []
    # Each worker counts; any of them says what all have counted.
    assert len({created(server) for _ in range(10)}) == 1
    wait_for(lambda: metric(server, "outrider_in_flight") == 0)


async def test_workers_end_with_their_parent_and_another_start_goes_on(start_workers, ledger, place):
    ledger.forget()
    server = start_workers()
    load = Load(server, ledger, place, MESSAGES)
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        publishing = group.create_task(load.publish())
        await at_request(ledger, MESSAGES // 3)
        orphans = workers_of(server)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(wait_for, lambda: not any(Path(f"/proc/{orphan}").exists() for orphan in orphans))
        await asyncio.to_thread(server.start)
        await load.go_on()
        await publishing
        await load.drain()
    account = Account(load, ledger.requests())
    assert account.repeated == {}, "orphans drain"
    assert account.over_attempted == []
    assert account.over_reported == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_the_whole_group_stops_it_in_order(start_workers, connect, ledger, place, number):
    url = ledger.answer(place, delay_s=1, times=1)
    server = start_workers(prefix=("setsid",))
    connect(server.url, server.variables["QSTASH_TOKEN"]).message.publish(url=url, body="slow")
    ledger.wait_for(place)
    os.killpg(server.pid, number)
    assert server.wait_for_end() == 0
    assert len(notes(server, "delivered")) == 1


def test_second_signal_does_not_wait_for_deliveries(start_workers, connect, ledger, place):
    url = ledger.answer(place, delay_s=30, times=1)
    server = start_workers()
    connect(server.url, server.variables["QSTASH_TOKEN"]).message.publish(url=url, body="slow")
    ledger.wait_for(place)
    server.signal_stop()
    server.wait_for_log("stopping")
    assert server.terminate(10) == 0
    server.start()
    ledger.wait_for(place, 2)


def test_worker_that_is_stopped_alone_drains_and_is_replaced(start_workers, connect, ledger, place):
    server = start_workers()
    victim = workers_of(server)[0]
    os.kill(victim, signal.SIGTERM)
    note = json.loads(server.wait_for_log("worker_lost"))
    assert (note["process"], note["ending"]) == (victim, "exit code 0")
    server.wait_for_status("/readyz", 200)
    wait_for(lambda: len(notes(server, "engine_started")) == 3)
    assert server.terminate() == 0


def test_port_in_use_is_said_once(start_workers, tmp_path):
    server = start_workers()
    port = int(server.url.rpartition(":")[2])
    for workers in ("1", "2"):
        other = outrider("serve", "--port", str(port), "--workers", workers, "--data", str(tmp_path / workers))
        stdout, stderr = other.communicate(timeout=20)
        assert (other.returncode, stdout) == (2, "")
        assert stderr.count("error:") == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = outrider("serve", "--port", str(port), "--workers", "2", "--data", str(tmp_path / "3"))
        _, stderr = other.communicate(timeout=20)
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in stderr


def test_second_server_on_the_same_data_is_refused(start_workers):
    server = start_workers()
    other = outrider("serve", "--port", "0", "--workers", "2", "--data", str(server.data))
    _, stderr = other.communicate(timeout=20)
    assert other.returncode == 2
    assert f"another process (pid {server.pid}) serves" in stderr


def test_workers_share_a_database_server(start_workers, postgres, connect, ledger, place):
    server = start_workers(environ={"OUTRIDER_DATABASE": postgres.create_database("workers")})
    qstash = connect(server.url, server.variables["QSTASH_TOKEN"])
    for _ in range(5):
        qstash.message.publish(url=ledger.url(place), body="x")
    assert len(ledger.wait_for(place, 5)) == 5
    assert server.terminate() == 0

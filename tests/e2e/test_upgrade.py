"""A server on a store of an earlier release: the upgrade is killed, and messages come in as soon as it listens.

Every older schema is gone through by `make torture`; that each step resumes where it was interrupted, with every
test run, in `tests/store/test_*_schema.py`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading

import pytest
from tests.e2e.calls import call
from tests.e2e.load import Account, Load
from tests.e2e.older_schema import (
    leased_in_database,
    make_older_database,
    make_older_file,
    version_of_database,
    version_of_file,
)
from tests.e2e.server_process import ServerProcess, run_outrider
from tests.e2e.stored import stored_in
from tests.postgres_server import start_server as start_postgres

from outrider.store.postgres.migrations import MIGRATIONS as POSTGRES
from outrider.store.sqlite.migrations import MIGRATIONS as SQLITE

WAITING, MESSAGES = 500, 200

JSON = (("Content-Type", "application/json"),)

KILLED_AT = (0, 64 * 1024)
"""Bytes in the write-ahead log after which an upgrade is killed."""


def older(migrations, *, small):
    """The versions of older schemas; those of every run, and the others for the long one."""
    return [
        pytest.param(version, marks=() if version in small else pytest.mark.torture)
        for version in range(1, len(migrations))
    ]


def fill(server, ledger, place):
    """Publish messages for later; their ids."""
    item = {"destination": ledger.url(f"{place}/waiting"), "headers": {"Upstash-Delay": "1h", "Upstash-Retries": "0"}}
    batch = json.dumps([item] * 100).encode()
    answers = [json.loads(call(server, "POST", "/v2/batch", batch, JSON)) for _ in range(WAITING // 100)]
    return {one["messageId"] for answer in answers for one in answer}


def keys_of(server):
    keys = json.loads(call(server, "GET", "/v2/keys"))
    return keys["current"], keys["next"]


async def assert_nothing_is_lost(ledger, place, waiting, loads, in_flight):
    """Each message that was there is delivered, and each that was accepted since; again only what was `in_flight`."""
    for load in loads:
        await load.drain()
        assert set(Account(load, ledger.requests()).repeated) <= in_flight
    await asyncio.to_thread(
        ledger.wait_until,
        lambda: len({one.message_id for one in ledger.requests(f"{place}/waiting")}) == WAITING,
        "every message that was there",
    )
    assert {one.message_id for one in ledger.requests(f"{place}/waiting")} == waiting


@pytest.mark.parametrize("version", older(SQLITE, small={1, 6}))
async def test_killed_upgrade_of_a_file_resumes_and_loses_nothing_under_load(start_server, ledger, place, version):
    ledger.forget()
    server = await asyncio.to_thread(start_server, "serve")
    waiting, keys = fill(server, ledger, place), keys_of(server)
    assert server.terminate() == 0
    make_older_file(server.database, version, keys)
    log = server.database.with_name(server.database.name + "-wal")
    load = Load(server, ledger, f"{place}/load", MESSAGES)
    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(load.publish())  # nobody listens yet
        in_flight = set()
        for size in KILLED_AT:
            await asyncio.to_thread(server.start_and_kill, lambda size=size: log.exists() and log.stat().st_size > size)
            in_flight |= stored_in(server)[1]  # the upgrade may have been over by then
        await asyncio.to_thread(server.start)
        await load.go_on()
        await publishing
    await assert_nothing_is_lost(ledger, place, waiting, [load], in_flight)
    assert keys_of(server) == keys
    assert server.terminate() == 0
    assert version_of_file(server.database) == len(SQLITE)
    assert json.loads(run_outrider("db", "check", "--json", "--data", str(server.data)))["sound"]


@pytest.mark.parametrize("version", older(POSTGRES, small={1}))
async def test_nodes_that_upgrade_at_once_lose_nothing_under_load_though_one_is_killed(
    tmp_path, ledger, place, version
):
    ledger.forget()
    postgres = start_postgres(durable=True)
    nodes = []
    try:
        newest, url = (postgres.create_database(name) for name in ("newest", "older"))
        key = secrets.token_hex(32)

        def node(database):
            environ = {"OUTRIDER_DATABASE": database, "OUTRIDER_SECRET_KEY": key}
            nodes.append(ServerProcess(tmp_path / f"node{len(nodes)}", "serve", environ=environ))
            nodes[-1].variables |= nodes[0].variables
            return nodes[-1]

        first = await asyncio.to_thread(node(newest).start)
        waiting, keys = fill(first, ledger, place), keys_of(first)
        assert first.terminate() == 0
        await make_older_database(newest, url, version, keys)
        killed, other = node(url), node(url)
        has_moved = threading.Event()
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(asyncio.to_thread(killed.start_and_kill, has_moved.is_set))
            upgrading = group.create_task(asyncio.to_thread(other.start))
            while await version_of_database(url) == version:
                pass
            has_moved.set()
            await killing
            in_flight = await leased_in_database(url)
            await upgrading
        await asyncio.to_thread(killed.start)
        loads = [Load(one, ledger, f"{place}/load{number}", MESSAGES) for number, one in enumerate((killed, other))]
        async with asyncio.TaskGroup() as group:
            for load in loads:
                group.create_task(load.publish())
        await assert_nothing_is_lost(ledger, place, waiting, loads, in_flight)
        assert keys_of(other) == keys
        assert [one.terminate() for one in (killed, other)] == [0, 0]
        assert await version_of_database(url) == len(POSTGRES)
        assert json.loads(run_outrider("db", "check", "--json", environ={"OUTRIDER_DATABASE": url}))["sound"]
    finally:
        for one in nodes:
            one.stop()
        postgres.throw_away()

"""`kill -9` at random points under load, a start on the same data, and the account of every message.

`TORTURE_KILLS` and `TORTURE_MESSAGES` change the size of the large run.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from dataclasses import dataclass

import pytest
from tests.e2e.load import REQUESTS_EACH, Account, Load
from tests.e2e.stored import stored_in

SEED = 20_250_101
QUEUES = 8
DELIVERING_WITHIN_S = 10.0
TIMEOUT_S = 120.0


@dataclass
class Cycle:
    """One kill: how many messages were leased then, how many attempts were repeated, how many requests queues had
    in order, how soon it delivered again.
    """

    leased: int
    repeated: int
    in_order: int
    delivering_after_s: float


async def test_killed_server_loses_nothing_repeats_only_what_was_in_flight_and_keeps_the_order_of_queues(
    start_server, ledger, place
):
    await crash(start_server, ledger, place, kills=10, messages=400)


@pytest.mark.torture
async def test_many_kills(start_server, ledger, place, capsys):
    kills = int(os.environ.get("TORTURE_KILLS", "200"))
    messages = int(os.environ.get("TORTURE_MESSAGES", "2000"))
    cycles = await crash(start_server, ledger, place, kills=kills, messages=messages)
    starts = sorted(cycle.delivering_after_s for cycle in cycles)
    with capsys.disabled():
        os.write(
            1,
            f"\n{kills} kills x {messages} messages: 0 accepted lost, "
            f"{sum(cycle.repeated for cycle in cycles)} attempts repeated of "
            f"{sum(cycle.leased for cycle in cycles)} in flight at a kill; "
            f"{sum(cycle.in_order for cycle in cycles)} requests of queues, all in order; delivering after "
            f"{starts[len(starts) // 2]:.2f} s (median), {starts[-1]:.2f} s (worst)\n".encode(),
        )


async def crash(start_server, ledger, place, *, kills, messages):
    """Kill a server so many times, each time while it works on so many new messages."""
    moments = random.Random(SEED)
    server = start_server("serve")
    cycles = []
    for _ in range(kills):
        ledger.forget()
        load = Load(server, ledger, place, messages, queues=QUEUES)
        if moments.random() < 0.5:
            moment = at_acceptance(load, moments.randint(1, messages))
        else:
            moment = at_request(ledger, moments.randint(1, int(messages * REQUESTS_EACH * 0.9)))
        cycles.append(await crash_once(server, ledger, load, moment))
    assert server.terminate() == 0
    with sqlite3.connect(server.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    return cycles


def at_acceptance(load, count):
    """A moment to kill: the producer reads its so-manieth 2xx, the earliest at which that must be durable."""

    async def kill(act):
        done = asyncio.Event()
        load.at_acceptance(count, lambda: (act(), done.set()))
        await done.wait()

    return kill


def at_request(ledger, count):
    """A moment to kill: the destination has had so many requests, callbacks and retries among them."""

    async def kill(act):
        await asyncio.to_thread(ledger.wait_until, lambda: len(ledger) >= count, f"{count} requests")
        act()

    return kill


async def crash_once(server, ledger, load, moment):
    """Kill it at a moment, start it, let it finish, and hold it to account."""
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        publishing = group.create_task(load.publish())
        await moment(server.kill)
        stored, leased = stored_in(server)
        assert set(load.accepted) <= stored, "a message was answered with 2xx before it was stored"
        before = len(ledger)
        await asyncio.to_thread(server.start)
        await load.go_on()
        await asyncio.to_thread(ledger.wait_until, lambda: len(ledger) > before, "a request after the start")
        resumed_at = ledger.requests()[before].at
        await publishing
        await load.drain()
    account = Account(load, ledger.requests())
    assert set(account.repeated) <= leased, "an attempt was repeated that was not in flight"
    assert account.repeated.total() <= len(leased)
    assert account.over_attempted == []
    assert account.over_reported == []
    assert account.overtaken == []
    assert len(account.turns) == QUEUES
    cycle = Cycle(len(leased), account.repeated.total(), sum(account.turns.values()), resumed_at - server.started_at)
    assert cycle.delivering_after_s <= DELIVERING_WITHIN_S
    return cycle

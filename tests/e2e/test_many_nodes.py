"""Nodes on one PostgreSQL under load, through what happens to nodes and to databases, held to account.

`TORTURE_KILLS` and `TORTURE_MESSAGES` change the size of the large runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import time
from types import SimpleNamespace

import asyncpg
import pytest
from tests.e2e.load import REQUESTS_EACH, Account, Load
from tests.e2e.server_process import ServerProcess, run_outrider
from tests.postgres_server import start_server
from tests.tcp_proxy import TcpProxy

SEED = 20_250_102
LEASE = ("--node-lease", "2s")
"""So short that the dead are missed soon. Where nobody dies it would be too short: a busy machine may stop any node
for two seconds, and then another rightly does its work again.
"""
LONG_LEASE = ("--node-lease", "60s")
"""Where nobody dies: longer than a busy machine stops a node, or the database is away."""

TIMEOUT_S = 110.0
RESUMED_WITHIN_S = 5.0


@pytest.fixture
def postgres_of_its_own():
    """A server that keeps what it acknowledged, and may be stopped."""
    server = start_server(durable=True)
    yield server
    server.throw_away()


@pytest.fixture
def start_nodes(tmp_path):
    """Starts so many nodes on a database: `start_nodes(3, url, *flags)`."""
    nodes: list[ServerProcess] = []
    key = secrets.token_hex(32)

    def start(count, url, *flags):
        for _ in range(count):
            node = ServerProcess(
                tmp_path / f"node{len(nodes)}",
                "serve",
                *flags,
                environ={"OUTRIDER_DATABASE": url, "OUTRIDER_SECRET_KEY": key},
            )
            node.variables |= nodes[0].variables if nodes else {}
            nodes.append(node)
            node.start()
        return nodes

    yield start
    for node in nodes:
        node.stop()


class Fleet:
    """A load on every node, and one account of all."""

    def __init__(self, nodes, ledger, place, messages):
        ledger.forget()
        self._ledger = ledger
        self._loads = [Load(node, ledger, f"{place}/{number}", messages) for number, node in enumerate(nodes)]
        self._caused = len(nodes) * messages * REQUESTS_EACH

    async def publish(self):
        async with asyncio.TaskGroup() as group:
            for load in self._loads:
                group.create_task(load.publish())

    async def go_on(self):
        for load in self._loads:
            await load.go_on()

    async def at_request(self, share):
        """Return when so large a share of what they cause has reached the destination."""
        count = int(self._caused * share)
        await asyncio.to_thread(self._ledger.wait_until, lambda: len(self._ledger) >= count, f"{count} requests", 60.0)

    async def drain(self):
        """The account, once every accepted message has had its attempts and reports."""
        await asyncio.to_thread(self._ledger.wait_until, self._is_drained, "every accepted message", 60.0)
        return self.account()

    def account(self):
        accepted = {message_id: kind for load in self._loads for message_id, kind in load.accepted.items()}
        return Account(SimpleNamespace(accepted=accepted), self._ledger.requests())

    async def try_each(self):
        """Whether each node accepts another message now."""
        return [await load.publish_one() for load in self._loads]

    def answered_within(self, since, until):
        """The messages that were sent after one instant and accepted before another, by `time.monotonic`."""
        return [
            message_id
            for load in self._loads
            for message_id, (sent, answered) in load.times.items()
            if since <= sent and answered <= until
        ]

    def _is_drained(self):
        # Counting is cheap, the account is not, and this is asked at every request.
        return len(self._ledger) >= sum(load.expected for load in self._loads) and not self.account().lost


def check(url):
    """Commits, and the invariants of what is stored."""
    found = json.loads(run_outrider("db", "check", "--json", environ={"OUTRIDER_DATABASE": url}))
    assert found["sound"], found


async def restart(node):
    await asyncio.to_thread(node.start)


async def kill_and_pause(start_nodes, ledger, place, postgres, *, rounds, messages):
    """In each round one node is killed, and started again, another paused for longer than its lease."""
    moments = random.Random(SEED)
    url = postgres.create_database("nodes")
    nodes = start_nodes(3, url, *LEASE)
    repeated = 0
    for _ in range(rounds):
        fleet = Fleet(nodes, ledger, place, messages)
        killed, paused = moments.sample(nodes, 2)
        async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
            publishing = group.create_task(fleet.publish())
            await fleet.at_request(moments.uniform(0.05, 0.3))
            killed.kill()
            await fleet.at_request(0.35)
            os.kill(paused.pid, signal.SIGSTOP)
            await wait_until_struck_off(url, entered=1)
            os.kill(paused.pid, signal.SIGCONT)
            await restart(killed)
            await fleet.go_on()
            await publishing
            account = await fleet.drain()
        assert account.over_attempted == []
        assert account.over_reported == [], "an attempt was settled twice: a late node was not fenced"
        repeated += account.repeated.total()
    for node in nodes:
        assert node.terminate() == 0
    check(url)
    return repeated


async def wait_until_struck_off(url, *, entered):
    """Return when only so many nodes are entered."""
    connection = await asyncpg.connect(url)
    while await connection.fetchval("SELECT count(*) FROM nodes") > entered:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.05)
    await connection.close()


async def test_killed_and_paused_nodes_lose_nothing_and_late_ones_are_fenced(
    start_nodes, ledger, place, postgres_of_its_own
):
    await kill_and_pause(start_nodes, ledger, place, postgres_of_its_own, rounds=1, messages=300)


async def test_database_that_crashes_costs_no_message_and_no_attempt(start_nodes, ledger, place, postgres_of_its_own):
    url = postgres_of_its_own.create_database("crash")
    nodes = start_nodes(2, url, *LONG_LEASE)
    fleet = Fleet(nodes, ledger, place, 400)
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
        publishing = group.create_task(fleet.publish())
        await fleet.at_request(0.2)
        postgres_of_its_own.stop("immediate")
        stopped = time.monotonic()
        for node in nodes:
            await asyncio.to_thread(node.wait_for_status, "/readyz", 503)
        await fleet.go_on()  # to be refused: nobody can commit
        assert await fleet.try_each() == [False, False]
        # What was committed before may be answered now.
        assert fleet.answered_within(stopped, time.monotonic()) == []
        await asyncio.to_thread(postgres_of_its_own.start)
        took = [await asyncio.to_thread(node.wait_for_status, "/readyz", 200) for node in nodes]
        assert max(took) < RESUMED_WITHIN_S
        await fleet.go_on()
        await publishing
        account = await fleet.drain()
    assert account.over_attempted == []
    assert account.over_reported == []
    assert not account.repeated, "nobody died: no attempt needs to be made again"
    assert [node.terminate() for node in nodes] == [0, 0]
    check(url)


async def test_cut_connections_cost_no_message_and_no_attempt(start_nodes, ledger, place, postgres_of_its_own):
    postgres_of_its_own.create_database("cuts")
    with TcpProxy(postgres_of_its_own.port) as proxy:
        nodes = start_nodes(2, postgres_of_its_own.url("cuts", port=proxy.port), *LONG_LEASE)
        fleet = Fleet(nodes, ledger, place, 400)
        async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as group:
            publishing = group.create_task(fleet.publish())
            for share in (0.1, 0.2, 0.3, 0.4, 0.5):
                await fleet.at_request(share)
                proxy.cut()
                await fleet.go_on()
            while not publishing.done():
                await fleet.go_on()
                await asyncio.wait([publishing], timeout=0.5)
            account = await fleet.drain()
        assert account.over_attempted == []
        assert account.over_reported == []
        assert not account.repeated, "nobody died: no attempt needs to be made again"
        assert [node.terminate() for node in nodes] == [0, 0]
    check(postgres_of_its_own.url("cuts"))


@pytest.mark.torture
async def test_many_kills_and_pauses(start_nodes, ledger, place, postgres_of_its_own, capsys):
    rounds = int(os.environ.get("TORTURE_KILLS", "20"))
    messages = int(os.environ.get("TORTURE_MESSAGES", "2000"))
    repeated = await kill_and_pause(
        start_nodes, ledger, place, postgres_of_its_own, rounds=rounds, messages=messages // 3
    )
    with capsys.disabled():
        os.write(
            1,
            f"\n{rounds} kills and {rounds} pauses of nodes on PostgreSQL x {messages} messages: 0 accepted lost, "
            f"{repeated} attempts repeated, none settled twice\n".encode(),
        )

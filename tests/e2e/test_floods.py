"""Floods of connections at a real server: what they cost it, and whom they keep out.

`TORTURE_CONNECTIONS` changes the size of the large run.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import select
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

SLOW = b"POST /v2/publish/https://example.com HTTP/1.1\r\nHost: a\r\nX"
ASKING = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

PUBLISHES = 300
SLOWEST_S = 0.5
"""What the slowest of 100 publishes may take beside a flood: it takes some milliseconds, on a machine that is free."""

BUSIER = 5
"""On one that is not, how many times what it took before."""

TOLD_EVERY_S = 60
"""How often at most it is told that all places are taken."""

SPARE = 200
"""File descriptors of this process that a flood leaves."""

KIB_A_SLOW_CONNECTION = 16
KIB_A_DEAF_CONNECTION = 512

BUSY_S = 2.0
"""What a publish may take beside clients that have thousands of requests answered meanwhile."""

QUIET_S = 0.5
"""A server that has used next to no processor time for so long, nor waited for any, has done all that it can."""


@pytest.fixture(autouse=True)
def descriptors():
    """As many file descriptors as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def crowd():
    """Opens connections that each send the same, and stay."""
    with contextlib.ExitStack() as opened:

        def come(server, count, sent=b""):
            address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
            came = []
            for _ in range(count):
                one = opened.enter_context(socket.socket())
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.connect(address)
                one.sendall(sent)
                one.setblocking(False)
                came.append(one)
            return came

        yield come


class Publisher:
    """A client as it should be: one connection, kept."""

    def __init__(self, server, destination):
        self._client = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        self._path = f"/v2/publish/{destination}"
        self._headers = {"Authorization": f"Bearer {server.variables['QSTASH_TOKEN']}"}

    def publish(self, **options):
        """The message's id."""
        headers = self._headers | {name.replace("_", "-"): value for name, value in options.items()}
        self._client.request("POST", self._path, body=b"x", headers=headers)
        answer = self._client.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)["messageId"]

    def slowest_s(self):
        """The 99th percentile of a number of publishes."""
        taken = []
        for _ in range(PUBLISHES):
            began = time.perf_counter()
            self.publish()
            taken.append(time.perf_counter() - began)
        return sorted(taken)[int(PUBLISHES * 0.99)]

    def close(self):
        self._client.close()


@pytest.fixture
def publisher():
    """Makes publishers: `publisher(server, destination)`."""
    with contextlib.ExitStack() as made:
        yield lambda server, destination: made.enter_context(contextlib.closing(Publisher(server, destination)))


def memory_kib(server):
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def cpu_s(server):
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s(server):
    """How long its threads ran or were to run, for a machine that has others to run lets it wait."""
    statistics = (task.joinpath("schedstat").read_text().split() for task in Path(f"/proc/{server.pid}/task").iterdir())
    return sum(int(ran) + int(waited) for ran, waited, _ in statistics) / 1e9


def open_files(server):
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


def is_open(one):
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def tells(server, event):
    return [line for line in server.log.splitlines() if f'"event":"{event}"' in line]


@pytest.fixture
def flood(start_server, ledger, place, crowd, publisher):
    """Slow connections, each with a place: the p99 of a publish before and beside them, KiB of each."""

    def measure(connections):
        server = start_server("serve", "--max-connections", str(connections + 100))
        client = publisher(server, ledger.url(place))
        before_s, before_kib = client.slowest_s(), memory_kib(server)
        crowd(server, connections, SLOW)
        beside_s = client.slowest_s()
        each_kib = (memory_kib(server) - before_kib) / connections
        assert open_files(server) >= connections
        assert beside_s <= max(SLOWEST_S, BUSIER * before_s)
        assert each_kib <= KIB_A_SLOW_CONNECTION
        assert tells(server, "connections_full") == []
        return before_s, beside_s, each_kib

    return measure


def test_slow_connections_cost_little_and_delay_nobody(flood, descriptors):
    flood(min(2000, descriptors - SPARE))


@pytest.mark.torture
def test_very_many_slow_connections(flood, descriptors, capsys):
    connections = min(int(os.environ.get("TORTURE_CONNECTIONS", "15000")), descriptors - 2000)
    before_s, beside_s, each_kib = flood(connections)
    with capsys.disabled():
        os.write(
            1,
            f"\n{connections} slow connections: publish p99 {beside_s * 1000:.1f} ms, {before_s * 1000:.1f} ms before; "
            f"{each_kib:.1f} KiB each\n".encode(),
        )


def test_more_slow_connections_than_places_keep_nobody_out(start_server, ledger, place, crowd, publisher):
    server = start_server("serve", "--max-connections", "100")
    before_s = publisher(server, ledger.url(f"{place}/before")).slowest_s()
    own = open_files(server)
    began = time.monotonic()
    came = crowd(server, 1000, SLOW)
    for _ in range(20):
        publisher(server, ledger.url(place)).publish()
        came += crowd(server, 50)
    ledger.wait_for(place, 20)
    client = publisher(server, ledger.url(place))
    assert client.slowest_s() <= max(SLOWEST_S, BUSIER * before_s)
    assert sum(map(is_open, came)) <= 100
    assert open_files(server) <= own + 100 + 20
    assert 1 <= len(tells(server, "connections_full")) <= 1 + (time.monotonic() - began) // TOLD_EVERY_S


def test_clients_that_never_read_cost_a_bounded_amount(start_server, ledger, place, crowd, publisher):
    server = start_server("serve")
    client = publisher(server, ledger.url(place))
    before_s = client.slowest_s()
    before_kib = memory_kib(server)
    deaf, much = crowd(server, 10), ASKING * 2000
    sent = dict.fromkeys(deaf, 0)
    slowest_s = 0.0
    # They send until the server takes no more, and has no more to do.
    while True:
        used = busy_s(server)
        _, free, _ = select.select([], deaf, [], QUIET_S)
        if not free and busy_s(server) - used <= QUIET_S / 5:
            break
        for one in free:
            with contextlib.suppress(BlockingIOError):
                sent[one] += one.send(much[sent[one] % len(ASKING) :])
        began = time.perf_counter()
        client.publish()
        slowest_s = max(slowest_s, time.perf_counter() - began)
    assert slowest_s <= max(BUSY_S, BUSIER * before_s)
    assert (memory_kib(server) - before_kib) / len(deaf) <= KIB_A_DEAF_CONNECTION


def few_descriptors(count):
    """What a server is started by that may have so few."""
    return ("sh", "-c", f'ulimit -n {count}; exec "$@"', "sh")


def test_few_descriptors_are_shared_between_clients_and_deliveries(start_server, ledger, place, crowd, publisher):
    server = start_server("serve", prefix=few_descriptors(256))
    (scarce,) = map(json.loads, tells(server, "descriptors_scarce"))
    assert scarce["limit"] == 256
    url = ledger.answer(place, delay_s=0.5)
    began = time.monotonic()
    came = crowd(server, 600, SLOW)
    client = publisher(server, url)
    for _ in range(200):
        client.publish()
    ledger.wait_for(place, 200)
    came += crowd(server, 600)
    client.publish(Upstash_Delay="2s")
    used = cpu_s(server)
    ledger.wait_for(place, 201)
    assert cpu_s(server) - used <= 0.5
    assert open_files(server) < 256
    assert {one.retried for one in ledger.requests(place)} == {0}
    assert 1 <= len(tells(server, "connections_full")) <= 1 + (time.monotonic() - began) // TOLD_EVERY_S


def test_server_that_runs_out_of_descriptors_goes_on_when_there_are_some(start_server, ledger, place, crowd, publisher):
    server = start_server("serve")
    client = publisher(server, ledger.url(place))
    client.publish()
    ledger.wait_for(place, 1)
    before, (soft, hard) = len(server.log), resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (open_files(server) + 10, hard))
    came = crowd(server, 500, SLOW)
    accepted = [client.publish(Upstash_Delay="2s") for _ in range(20)]
    used = cpu_s(server)
    server.wait_for_status("/readyz", 0)
    ledger.wait_until(
        lambda: any(one.message_id in accepted for one in ledger.requests(place)), "a delivery on a kept connection"
    )
    assert cpu_s(server) - used <= 0.5
    assert sum(map(is_open, came)) <= 10
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    server.wait_for_status("/readyz", 200)
    ledger.wait_until(
        lambda: {one.message_id for one in ledger.requests(place)} >= set(accepted), "every accepted message", 60
    )
    assert len(server.log) - before < 40_000

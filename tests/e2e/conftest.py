from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from qstash import AsyncQStash, QStash
from tests.e2e.account import Account, open_account
from tests.e2e.ledger import Ledger
from tests.e2e.server_process import ServerProcess
from tests.e2e.settable_clock import SettableClock


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """A destination that this process's tests share; each uses paths of its own."""
    ledger = Ledger().start()
    yield ledger
    ledger.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[ServerProcess]:
    """A server that this process's tests share; each uses an account of its own."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), "serve").start()
    yield server
    server.stop()


@pytest.fixture
def place(request) -> str:
    """A path at the ledger that nobody else uses."""
    return "/" + re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def account(server) -> Account:
    """A tenant of the shared server that nobody else uses."""
    return open_account(server)


@pytest.fixture
def connect() -> Iterator[Callable[[str, str], QStash]]:
    """Makes SDK clients: `connect(url, token)`."""
    clients = []

    def make(url: str, token: str) -> QStash:
        clients.append(QStash(token, base_url=url, retry=False))
        return clients[-1]

    yield make
    for client in clients:
        client.http._client.close()  # the SDK leaves it open


@pytest.fixture
def qstash(account, connect) -> QStash:
    return connect(account.url, account.token)


@pytest.fixture
async def async_qstash(account) -> AsyncIterator[AsyncQStash]:
    client = AsyncQStash(account.token, base_url=account.url, retry=False)
    yield client
    await client.http._client.aclose()


@pytest.fixture
def clock(tmp_path) -> SettableClock:
    """A wall clock for servers that are started with `prefix=clock.prefix`."""
    return SettableClock(tmp_path / "clock")


@pytest.fixture
def start_server(tmp_path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers of the test's own: `start_server("dev", "--flag")`."""
    servers = []

    def start(mode: str = "dev", *flags: str, **options) -> ServerProcess:
        server = ServerProcess(tmp_path / f"data{len(servers)}", mode, *flags, **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()

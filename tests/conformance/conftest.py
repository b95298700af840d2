from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.blocking import Clients
from tests.conformance.surface import PYTHON
from tests.e2e.account import Account, open_account
from tests.e2e.conftest import account, ledger, place, start_server
from tests.e2e.server_process import ServerProcess

__all__ = ["account", "ledger", "place", "start_server"]


NO_BURST = {"OUTRIDER_LIMIT_BURST_PER_SECOND": "100000"}


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[ServerProcess]:
    """A server that this process's tests share, which no burst of theirs exceeds."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), "serve", environ=NO_BURST).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_account(server) -> Account:
    """A tenant for tests that look at what they made alone."""
    return open_account(server)


@pytest.fixture(scope="session", params=PYTHON)
def clients(request) -> Iterator[Clients]:
    """Both kinds of client, in turn."""
    clients = Clients(request.param)
    yield clients
    clients.close()


@pytest.fixture
def qstash(account, clients):
    """A client of the official SDK for the test's own account."""
    return clients.connect(account.url, account.token)


@pytest.fixture(scope="session")
def shared_qstash(shared_account, clients):
    """A client of the official SDK for the shared account."""
    return clients.connect(shared_account.url, shared_account.token)


@pytest.fixture
def name(place) -> str:
    """A name for a queue, group or schedule."""
    return place.strip("/-")


@pytest.fixture
def fail_for_good(qstash, ledger):
    """Publishes something that its destination refuses: `fail_for_good("/path", label="x")`; its dead letter's id."""

    def make(path: str, *, status: int = 500, **options) -> str:
        if "url_group" not in options:
            options["url"] = ledger.url(path)
        ledger.answer(path, status=status, body=b"no", times=1)
        call = qstash.message.enqueue if "queue" in options else qstash.message.publish
        sent = call(body="try", retries=0, failure_callback=ledger.url(path + "/failed"), **options)
        ledger.wait_for(path + "/failed")
        message_id = (sent[0] if isinstance(sent, list) else sent).message_id
        (letter,) = qstash.dlq.list(filter={"message_id": message_id}).messages
        return letter.dlq_id

    return make

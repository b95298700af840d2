"""Limits raise the SDKs' own exceptions; keys rotate; the transport beneath works by hand."""

from __future__ import annotations

import time

import pytest
from qstash.errors import DailyMessageLimitExceededError, RateLimitExceededError
from tests.conformance.coverage import covers
from tests.e2e.account import open_account
from tests.e2e.server_process import ServerProcess


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server that takes three messages a day and two other calls a second."""
    limits = {"OUTRIDER_LIMIT_MESSAGES_PER_DAY": "3", "OUTRIDER_LIMIT_BURST_PER_SECOND": "2"}
    server = ServerProcess(tmp_path_factory.mktemp("narrow"), "serve", environ=limits).start()
    yield server
    server.stop()


@pytest.fixture
def limited(narrow, clients):
    account = open_account(narrow)
    return clients.connect(account.url, account.token)


@covers("message.publish", "message.publish_json", "message.enqueue", "message.batch")
def test_message_over_the_daily_limit_is_refused(limited, ledger, place):
    url = ledger.url(place)
    for _ in range(2):
        limited.message.publish(url=url)
    with pytest.raises(DailyMessageLimitExceededError):
        limited.message.batch([{"url": url}, {"url": url}])
    limited.message.publish_json(url=url, body=1)
    with pytest.raises(DailyMessageLimitExceededError) as refusal:
        limited.message.publish(url=url)
    with pytest.raises(DailyMessageLimitExceededError):
        limited.message.enqueue(queue="q", url=url)
    assert (refusal.value.limit, refusal.value.remaining) == ("3", "0")
    assert time.time() < int(refusal.value.reset) <= time.time() + 86400
    assert int(refusal.value.reset) % 86400 == 0
    assert len(ledger.wait_for(place, 3)) == 3


@covers("queue.list")
def test_burst_of_other_calls_is_refused(limited, ledger, place):
    def burst():
        for _ in range(20):
            limited.queue.list()

    began = time.time()
    with pytest.raises(RateLimitExceededError) as refusal:
        burst()
    assert (refusal.value.limit, refusal.value.remaining) == ("2", "0")
    assert began < int(refusal.value.reset) <= time.time() + 1
    assert limited.message.publish(url=ledger.url(place)).message_id, "publishing is not of the burst"


@covers("signing_key.get", "signing_key.rotate")
def test_keys_are_told_and_rotated(qstash, account):
    keys = qstash.signing_key.get()
    assert (keys.current, keys.next) == (account.current, account.next)
    rotated = qstash.signing_key.rotate()
    assert rotated.current == account.next
    assert rotated.next not in {account.current, account.next}
    assert qstash.signing_key.get() == rotated


@covers("http.request")
def test_transport_reads_json_and_text(qstash, account):
    keys = qstash.http.request(path="/v2/keys", method="GET")
    assert (keys["current"], keys["next"]) == (account.current, account.next)
    assert account.current in qstash.http.request(path="/v2/keys", method="GET", parse_response=False)


@covers("http.stream")
def test_transport_streams(qstash, account, clients):
    response = qstash.http.stream(path="/v2/keys", method="GET")
    assert account.current in clients.read(response).decode()

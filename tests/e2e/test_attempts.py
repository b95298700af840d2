"""Attempts that fail, and what follows: retries, callbacks, dead letters."""

from __future__ import annotations

import base64
import itertools
import json
import time

import pytest
from qstash.log import LogState
from tests.e2e.ledger import PATIENCE_S


def gaps(received):
    return [later.at - earlier.at for earlier, later in itertools.pairwise(received)]


def wait_for_state(qstash, message_id, state):
    deadline = time.monotonic() + PATIENCE_S
    while not qstash.log.list(filter={"message_id": message_id, "state": state}).logs:
        assert time.monotonic() < deadline, f"{message_id} is not {state}"


def test_refused_message_is_retried_by_its_expression(qstash, ledger, place):
    url = ledger.answer(place, status=500, times=2)
    sent = qstash.message.publish(url=url, body="again", retries=3, retry_delay="300 * (1 + retried)")
    received = ledger.wait_for(place, 3)
    assert [one.retried for one in received] == [0, 1, 2]
    assert {one.message_id for one in received} == {sent.message_id}
    assert {one.body for one in received} == {b"again"}
    first, second = gaps(received)
    assert 0.28 <= first < 5
    assert 0.58 <= second < 5


def test_retry_after_is_heeded(qstash, ledger, place):
    url = ledger.answer(place, status=429, headers={"Retry-After": "1"}, times=1)
    qstash.message.publish(url=url, retries=1, retry_delay="3600000")
    (gap,) = gaps(ledger.wait_for(place, 2))
    assert 0.95 <= gap < 5


def test_log_tells_when_the_retry_is_due(qstash, ledger, place):
    url = ledger.answer(place, status=503, body=b"busy")
    sent = qstash.message.publish(url=url, retries=2, callback=ledger.url(place + "/told"))
    ledger.wait_for(place + "/told")
    entries = {entry.state: entry for entry in qstash.log.list(filter={"message_id": sent.message_id}).logs}
    assert set(entries) == {LogState.CREATED, LogState.ACTIVE, LogState.ERROR, LogState.RETRY}
    assert entries[LogState.ERROR].response_status == 503
    assert entries[LogState.ERROR].response_body == "busy"
    retry = entries[LogState.RETRY]
    assert 11_000 < retry.next_delivery_time - retry.time < 14_000


def test_exhausted_retries_end_in_the_dead_letters(qstash, ledger, place):
    url = ledger.answer(place, status=500)
    sent = qstash.message.publish(
        url=url, body="x", retries=2, retry_delay="50", failure_callback=ledger.url(place + "/failed")
    )
    (failed,) = ledger.wait_for(place + "/failed")
    assert [one.retried for one in ledger.requests(place)] == [0, 1, 2]
    (letter,) = qstash.dlq.list().messages
    assert letter.message_id == sent.message_id
    told = json.loads(failed.body)
    assert (told["dlqId"], told["sourceMessageId"], told["status"]) == (letter.dlq_id, sent.message_id, 500)
    assert (told["retried"], told["maxRetries"]) == (2, 2)


def test_non_retryable_error_goes_to_the_dead_letters_at_once(qstash, ledger, place):
    url = ledger.answer(place, status=489, headers={"Upstash-NonRetryable-Error": "true"})
    qstash.message.publish(url=url, retries=5, retry_delay="10", failure_callback=ledger.url(place + "/failed"))
    ledger.wait_for(place + "/failed")
    assert len(ledger.requests(place)) == 1
    (letter,) = qstash.dlq.list().messages
    assert letter.response_status == 489


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_a_failure_and_not_followed(qstash, ledger, place, status):
    url = ledger.answer(place, status=status, headers={"Location": ledger.url(place + "/elsewhere")})
    qstash.message.publish(url=url, retries=0, failure_callback=ledger.url(place + "/failed"))
    ledger.wait_for(place + "/failed")
    assert ledger.requests(place + "/elsewhere") == []
    assert qstash.dlq.list().messages[0].response_status == status


def test_slow_destination_times_out(qstash, ledger, place):
    url = ledger.answer(place, delay_s=5)
    qstash.message.publish(url=url, retries=0, timeout="1s", failure_callback=ledger.url(place + "/failed"))
    (failed,) = ledger.wait_for(place + "/failed")
    told = json.loads(failed.body)
    assert told["status"] == 0
    assert "did not answer within 1 s" in told["error"]
    (received,) = ledger.requests(place)
    assert failed.at - received.at < 4


def test_callback_reports_a_delivery_in_full(qstash, ledger, place):
    url = ledger.answer(place, status=201, body=b"\xff\x00made", headers={"X-Made": "yes"})
    sent = qstash.message.publish(
        url=url,
        body=b"\x00\xfe",
        method="PUT",
        headers={"X-App": "1"},
        callback=ledger.url(place + "/callback?keep=1"),
        callback_headers={"X-Cb": "cb", "Method": "PATCH"},
        label="reported",
        retries=4,
    )
    (received,) = ledger.wait_for(place + "/callback")
    assert received.path == place + "/callback?keep=1"
    assert (received.method, received.header("X-Cb")) == ("PATCH", "cb")
    assert received.header("Content-Type") == "application/json"
    assert received.message_id != sent.message_id
    told = json.loads(received.body)
    message = qstash.message.get(sent.message_id)
    assert base64.b64decode(told.pop("body")) == b"\xff\x00made"
    assert base64.b64decode(told.pop("sourceBody")) == b"\x00\xfe"
    assert told.pop("header")["X-Made"] == ["yes"]
    assert told.pop("sourceHeader")["X-App"] == ["1"]
    assert told == {
        "status": 201,
        "retried": 0,
        "maxRetries": 4,
        "sourceMessageId": sent.message_id,
        "url": url,
        "method": "PUT",
        "notBefore": message.not_before,
        "createdAt": message.created_at,
        "callerIP": "127.0.0.1",
        "label": "reported",
    }


def test_every_attempt_is_reported(qstash, ledger, place):
    url = ledger.answer(place, status=500, times=2)
    qstash.message.publish(url=url, retries=3, retry_delay="20", callback=ledger.url(place + "/callback"))
    told = [json.loads(one.body) for one in ledger.wait_for(place + "/callback", 3)]
    assert sorted((one["retried"], one["status"]) for one in told) == [(0, 500), (1, 500), (2, 200)]


def test_failing_callback_is_retried_with_its_sources_retries(qstash, ledger, place):
    callback = ledger.answer(place + "/callback", status=500, headers={"Retry-After": "0"})
    qstash.message.publish(
        url=ledger.url(place),
        retries=1,
        callback=callback,
        callback_headers={"Failure-Callback": ledger.url(place + "/none")},
    )
    received = ledger.wait_for(place + "/callback", 2)
    assert [one.retried for one in received] == [0, 1]
    wait_for_state(qstash, received[0].message_id, LogState.FAILED)
    ledger.wait_for(message_id=qstash.message.publish(url=ledger.url(place + "/later")).message_id)
    assert ledger.requests(place + "/none") == []


def test_message_that_is_cancelled_between_attempts_is_not_attempted_again(qstash, ledger, place):
    url = ledger.answer(place, status=500)
    sent = qstash.message.publish(url=url, retries=3, retry_delay="4000", callback=ledger.url(place + "/told"))
    ledger.wait_for(place + "/told")
    qstash.message.cancel(sent.message_id)
    later = qstash.message.publish(url=ledger.url(place + "/later"), delay=5)
    ledger.wait_for(message_id=later.message_id)
    assert len(ledger.requests(place)) == 1

"""The official Python SDK, unmodified, publishes; a real destination receives."""

from __future__ import annotations

import base64
import json
import time

import pytest
from qstash.errors import QStashError

EVERY_BYTE = bytes(range(256))


def test_published_body_arrives_byte_for_byte(qstash, ledger, place):
    sent = qstash.message.publish(url=ledger.url(place), body=EVERY_BYTE, content_type="application/x-thing")
    (received,) = ledger.wait_for(place)
    assert received.body == EVERY_BYTE
    assert received.header("Content-Type") == "application/x-thing"
    assert received.message_id == sent.message_id
    assert not sent.deduplicated


def test_destination_is_called_as_published_down_to_its_escapes(qstash, ledger, place):
    query = "?b=2&a=1&a=%2F%20&upstash-label=ours&empty=&plus=a+b"
    qstash.message.publish(url=ledger.url(place + "/a//b%2Fc" + query), body="x")
    ledger.wait_until(lambda: any(one.path.startswith(place) for one in ledger.requests()), place)
    (received,) = [one for one in ledger.requests() if one.path.startswith(place)]
    assert received.path == place + "/a//b%2Fc?b=2&a=1&a=%2F%20&empty=&plus=a+b"
    assert received.header("Upstash-Label") == "ours"
    assert received.header("Host") == ledger.origin.removeprefix("http://")


def test_delivery_says_what_it_is(qstash, ledger, place):
    qstash.message.publish_json(url=ledger.url(place), body={"a": 1}, label="first", headers={"X-App": "seven"})
    (received,) = ledger.wait_for(place)
    assert received.method == "POST"
    assert json.loads(received.body) == {"a": 1}
    names = [name for name, _ in received.headers]
    for name in ("User-Agent", "Upstash-Signature", "Upstash-Message-Id", "Upstash-Retried", "Upstash-Caller-Ip"):
        assert names.count(name) == 1, f"{name} in {names}"
    assert received.header("User-Agent") == "Upstash-QStash"
    assert received.header("Content-Type") == "application/json"
    assert received.header("Upstash-Label") == "first"
    assert received.header("X-App") == "seven"
    assert received.header("Accept-Encoding") in {None, "identity"}
    assert received.header("Upstash-Region") is None


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_destination_is_called_with_the_method_asked_for(qstash, ledger, place, method):
    qstash.message.publish(url=ledger.url(place), body="x", method=method)
    (received,) = ledger.wait_for(place)
    assert (received.method, received.body) == (method, b"x")


def test_every_option_is_kept_and_shown(qstash, ledger, place):
    before = time.time() * 1000
    sent = qstash.message.publish_json(
        url=ledger.url(place),
        body={"n": 1},
        method="PUT",
        headers={"X-App": "1"},
        callback_headers={"X-Cb": "2"},
        failure_callback_headers={"X-Fail": "3"},
        retries=2,
        retry_delay="1000 * (1 + retried)",
        callback=ledger.url(place + "/callback"),
        failure_callback=ledger.url(place + "/failure"),
        delay="1h30m",
        deduplication_id=f"all{place}",
        content_based_deduplication=False,
        timeout="20s",
        flow_control={"key": "K/1", "parallelism": 3, "rate": 5, "period": 60},
        label="shown",
        redact={"header": ["X-Secret"]},
    )
    message = qstash.message.get(sent.message_id)
    assert message.message_id == sent.message_id
    assert message.url == ledger.url(place)
    assert message.method == "PUT"
    assert message.body == '{"n": 1}'
    assert message.headers == {"Content-Type": ["application/json"], "X-App": ["1"]}
    assert message.callback_headers["X-Cb"] == ["2"]
    assert message.failure_callback_headers["X-Fail"] == ["3"]
    assert message.max_retries == 2
    assert message.retry_delay_expression == "1000 * (1 + retried)"
    assert message.callback == ledger.url(place + "/callback")
    assert message.failure_callback == ledger.url(place + "/failure")
    assert message.not_before - message.created_at == 90 * 60 * 1000
    assert before - 1000 <= message.created_at <= time.time() * 1000
    assert message.label == "shown"
    assert message.caller_ip == "127.0.0.1"
    control = message.flow_control
    assert (control.key, control.parallelism, control.rate, control.period) == ("K/1", 3, 5, 60)
    assert ledger.requests(place) == []


def test_binary_body_is_shown_as_base64(qstash, ledger, place):
    sent = qstash.message.publish(url=ledger.url(place), body=EVERY_BYTE, delay=3600)
    message = qstash.message.get(sent.message_id)
    assert message.body is None
    assert base64.b64decode(message.body_base64) == EVERY_BYTE


def test_batch_answers_in_order(qstash, ledger, place):
    sent = qstash.message.batch(
        [
            {"url": ledger.url(f"{place}/{n}"), "body": f"body {n}", "headers": {"X-N": str(n)}, "method": "PUT"}
            for n in range(5)
        ]
    )
    for n, one in enumerate(sent):
        (received,) = ledger.wait_for(f"{place}/{n}")
        assert (received.message_id, received.body) == (one.message_id, f"body {n}".encode())
        assert (received.method, received.header("X-N")) == ("PUT", str(n))


def test_batch_of_json_takes_every_option(qstash, ledger, place):
    sent = qstash.message.batch_json(
        [
            {
                "url": ledger.url(place),
                "body": {"n": 1},
                "headers": {"X-App": "1"},
                "callback": ledger.url(place + "/callback"),
                "failure_callback": ledger.url(place + "/failure"),
                "callback_headers": {"X-Cb": "2"},
                "failure_callback_headers": {"X-Fail": "3"},
                "retries": 0,
                "delay": 3600,
                "deduplication_id": f"batch{place}",
                "content_based_deduplication": False,
                "timeout": 7,
                "flow_control": {"key": "K", "rate": 1},
                "label": "batched",
                "redact": {"body": True},
            },
            {"url": ledger.url(place + "/soon"), "body": [1, 2]},
        ]
    )
    message = qstash.message.get(sent[0].message_id)
    assert message.body.startswith("REDACTED:")
    assert message.max_retries == 0
    assert message.label == "batched"
    assert message.callback_headers["X-Cb"] == ["2"]
    (received,) = ledger.wait_for(place + "/soon")
    assert (received.message_id, json.loads(received.body)) == (sent[1].message_id, [1, 2])
    assert received.header("Content-Type") == "application/json"


def test_delay_holds_a_message_back(qstash, ledger, place):
    published_at = time.monotonic()
    qstash.message.publish(url=ledger.url(place), body="later", delay=1)
    (received,) = ledger.wait_for(place)
    assert 0.95 <= received.at - published_at < 5


def test_not_before_holds_a_message_back_and_beats_the_delay(qstash, ledger, place):
    not_before = int(time.time()) + 2
    qstash.message.publish(url=ledger.url(place), body="later", not_before=not_before, delay="1h")
    ledger.wait_for(place)
    assert not_before <= time.time() < not_before + 5


def test_second_message_of_a_deduplication_id_is_not_sent(qstash, ledger, place):
    first = qstash.message.publish(url=ledger.url(place), body="1", deduplication_id="once")
    second = qstash.message.publish(url=ledger.url(place), body="2", deduplication_id="once")
    other = qstash.message.publish(url=ledger.url(place), body="3", deduplication_id="other")
    assert not first.deduplicated
    assert (second.deduplicated, second.message_id) == (True, first.message_id)
    assert not other.deduplicated
    assert sorted(one.body for one in ledger.wait_for(place, 2)) == [b"1", b"3"]


def test_content_is_the_deduplication_id_where_asked(qstash, ledger, place):
    def publish(**changes):
        options = {"url": ledger.url(place), "body": "same", "content_based_deduplication": True}
        return qstash.message.publish(**(options | changes))

    first, second = publish(), publish()
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert second.message_id == first.message_id
    assert not publish(body="other").deduplicated
    assert not publish(headers={"X-App": "1"}).deduplicated
    assert not publish(url=ledger.url(place + "/elsewhere")).deduplicated


def test_batch_knows_the_deduplication_of_its_own_items(qstash, ledger, place):
    first, second = qstash.message.batch(
        [{"url": ledger.url(place), "body": "x", "deduplication_id": "twice"} for _ in range(2)]
    )
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert second.message_id == first.message_id


def test_refusal_tells_header_value_and_rule(qstash, ledger, place):
    with pytest.raises(QStashError, match=r"status: 400.*Upstash-Delay '5x'"):
        qstash.message.publish(url=ledger.url(place), delay="5x")
    with pytest.raises(QStashError, match="DeduplicationId cannot contain ':'"):
        qstash.message.publish(url=ledger.url(place), deduplication_id="a:b")
    with pytest.raises(QStashError, match="endpoint has invalid scheme, add http:// or https://"):
        qstash.message.publish(url="example.com/hook")
    with pytest.raises(QStashError, match=r"status: 404.*no-such-group"):
        qstash.message.publish(url_group="no-such-group")


def test_one_bad_item_refuses_a_batch_and_names_its_index(qstash, ledger, place):
    with pytest.raises(QStashError, match=r"status: 400.*item 1"):
        qstash.message.batch([{"url": ledger.url(place), "body": "x"}, {"url": ledger.url(place), "delay": "5x"}])
    assert qstash.log.list().logs == []


async def test_asyncio_client_publishes(async_qstash, ledger, place):
    sent = [
        await async_qstash.message.publish(url=ledger.url(place), body=EVERY_BYTE),
        await async_qstash.message.publish_json(url=ledger.url(place), body={"a": 1}, headers={"X-App": "1"}),
        *await async_qstash.message.batch([{"url": ledger.url(place), "body": "b"}]),
        *await async_qstash.message.batch_json([{"url": ledger.url(place), "body": {"b": 1}}]),
    ]
    received = {one.message_id: one for one in ledger.wait_for(place, 4)}
    assert [received[one.message_id].body for one in sent] == [EVERY_BYTE, b'{"a": 1}', b"b", b'{"b": 1}']

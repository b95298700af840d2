"""Headers that the SDKs have no named option for: those of callbacks, and those of this server alone."""

from __future__ import annotations

import json
import time
from operator import itemgetter

import pytest
from qstash.errors import QStashError
from tests.conformance.coverage import covers
from tests.e2e.ledger import PATIENCE_S

CALLBACK_OPTIONS = {
    "Method": ("PUT", "method", "PUT"),
    "Timeout": ("25s", "timeout", 25),
    "Retries": ("6", "maxRetries", 6),
    "Retry-Delay": ("1000 + retried", "retryDelayExpression", "1000 + retried"),
    "Label": ("of-callback", "label", "of-callback"),
    "Forward-X-Cb": ("1", "header", ["1"]),
    "X-Cb": ("1", "header", ["1"]),
}
"""By name after the prefix: the value, and the field of the callback's message that shows it."""


def publish(qstash, url, **headers):
    """Publish with headers as they stand: `Upstash_Delay="5s"`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return qstash.http.request(path=f"/v2/publish/{url}", method="POST", headers=named, body="x")


def message_to(qstash, url):
    """The id of the message to a URL, asked for until there is one: it is made when another ends."""
    deadline = time.monotonic() + PATIENCE_S
    while not (entries := qstash.log.list(filter={"url": url}).logs):
        assert time.monotonic() < deadline, f"no message to {url}"
    return entries[0].message_id


@covers("message.publish")
@pytest.mark.parametrize("option", CALLBACK_OPTIONS)
@pytest.mark.parametrize("kind", ["callback", "failure_callback"])
def test_callback_has_the_option_said_for_it(qstash, ledger, place, option, kind):
    value, field, shown = CALLBACK_OPTIONS[option]
    prefix = "Upstash-Callback-" if kind == "callback" else "Upstash-Failure-Callback-"
    qstash.message.publish(
        url=ledger.answer(place, status=200 if kind == "callback" else 500),
        retries=0,
        label="of-source",
        **{kind: ledger.url(place + "/told"), f"{kind}_headers": {prefix + option: value}},
    )
    (told,) = ledger.wait_for(place + "/told")
    message = qstash.http.request(path=f"/v2/messages/{told.message_id}", method="GET")
    assert (message[field]["X-Cb"] if field == "header" else message[field]) == shown
    assert told.header("X-Cb") == ("1" if "X-Cb" in option else None)


@covers("message.publish")
def test_callback_waits_for_the_delay_and_the_key_said_for_it(qstash, ledger, place):
    qstash.message.publish(
        url=ledger.url(place),
        callback="https://example.com/told",
        callback_headers={
            "Upstash-Callback-Delay": "2h",
            "Upstash-Callback-Flow-Control-Key": "told",
            "Upstash-Callback-Flow-Control-Value": "rate=3, period=1m",
        },
    )
    ledger.wait_for(place)
    message = qstash.message.get(message_to(qstash, "https://example.com/told"))
    assert message.not_before - message.created_at == 7200 * 1000
    assert (message.flow_control.key, message.flow_control.rate, message.flow_control.period) == ("told", 3, 60)


@covers("message.enqueue")
def test_delayed_callback_of_a_queued_message_is_refused(qstash, name):
    with pytest.raises(QStashError, match=r"status: 400"):
        qstash.message.enqueue(
            queue=name,
            url="https://example.com",
            callback="https://example.com/told",
            callback_headers={"Upstash-Callback-Delay": "2h"},
        )


@covers("message.publish")
def test_callback_tells_of_every_attempt(qstash, ledger, place):
    url = ledger.answer(place, status=503, body=b"busy", headers={"X-Why": "busy"}, times=1)
    sent = qstash.message.publish(
        url=url, body="x", headers={"X-App": "1"}, retry_delay="100", callback=ledger.url(place + "/told")
    )
    told = [json.loads(one.body) for one in ledger.wait_for(place + "/told", 2)]
    first, second = sorted(told, key=itemgetter("retried"))
    assert [(one["status"], one["retried"]) for one in (first, second)] == [(503, 0), (200, 1)]
    for one in (first, second):
        assert (one["sourceMessageId"], one["url"], one["method"], one["maxRetries"]) == (
            sent.message_id,
            url,
            "POST",
            3,
        )
        assert (one["sourceHeader"]["X-App"], one["sourceBody"]) == (["1"], "eA==")
    assert (first["header"]["X-Why"], first["body"]) == (["busy"], "YnVzeQ==")


@covers("http.request")
def test_every_header_is_forwarded_where_asked(qstash, ledger, place):
    publish(qstash, ledger.url(place), Upstash_Header_Forward="true", X_Inbound="seen", Upstash_Other="ours")
    (received,) = ledger.wait_for(place)
    assert received.header("X-Inbound") == "seen"
    assert received.header("Upstash-Other") is None
    assert received.header("Authorization") is None


@covers("http.request")
def test_deduplication_window_is_that_of_the_message(qstash, ledger, place):
    window = {"Upstash_Deduplication_Id": "once", "Upstash_Deduplication_Window": "3s"}
    first = publish(qstash, ledger.url(place), **window)
    assert publish(qstash, ledger.url(place), **window) == first | {"deduplicated": True}
    publish(qstash, ledger.url(place + "/later"), Upstash_Delay="3s")
    ledger.wait_for(place + "/later")
    assert publish(qstash, ledger.url(place), **window)["messageId"] != first["messageId"]


@covers("http.request")
def test_publish_with_cron_is_a_schedule(qstash):
    made = publish(qstash, "https://example.com/a", Upstash_Cron="@daily", Upstash_Cron_Jitter="5m")
    schedule = qstash.schedule.get(made["scheduleId"])
    assert (schedule.destination, schedule.cron, schedule.body) == ("https://example.com/a", "@daily", "x")


@covers("http.request")
def test_options_stand_in_the_query_too_and_headers_win(qstash, ledger, place):
    query = "?a=1&upstash-label=query&upstash-retries=4&upstash-delay=1h"
    sent = publish(qstash, ledger.url(place + query), Upstash_Label="header")
    message = qstash.message.get(sent["messageId"])
    assert (message.url, message.label, message.max_retries) == (ledger.url(place + "?a=1"), "header", 4)
    assert message.not_before - message.created_at == 3600 * 1000


@covers("http.request")
@pytest.mark.parametrize("path", ["/v2/publish/api/llm", "/llm/v1/chat/completions"])
def test_language_model_without_a_provider_is_refused(qstash, path):
    with pytest.raises(QStashError, match=r"status: 400.*provider"):
        qstash.http.request(path=path, method="POST", body="{}")

"""What the official Python SDK sends must land where it was meant to."""

import json

from msgspec import UNSET
from qstash.message import convert_to_batch_messages, prepare_batch_message_body, prepare_headers
from qstash.schedule import prepare_schedule_headers

from outrider.domain.destination import GroupName, Url
from outrider.domain.limits import Limits
from outrider.domain.options import CallbackPatch, Deduplication, FlowControl, OptionPatch, Redaction
from outrider.wire.bodies import parse_batch
from outrider.wire.options import parse_options

EVERYTHING = {
    "content_type": "application/json",
    "method": "PUT",
    "headers": {"X-Mine": "1", "Upstash-Forward-X-Prefixed": "2", "authorization": "Bearer t"},
    "callback_headers": {"X-Cb": "3", "Upstash-Callback-Retries": "4", "Forward-X-Fwd": "5"},
    "failure_callback_headers": {"X-Fail": "6", "Timeout": "7s"},
    "retries": 8,
    "retry_delay": "1000 * (1 + retried)",
    "callback": "https://example.com/callback",
    "failure_callback": "https://example.com/failed",
    "delay": 9,
    "not_before": 1_767_225_600,
    "deduplication_id": "dedup",
    "content_based_deduplication": True,
    "timeout": 10,
    "flow_control": {"key": "a key/with: marks", "parallelism": 11, "rate": 12, "period": 13},
    "label": "label",
    "redact": {"body": True, "header": ["Authorization"]},
}

EXPECTED = OptionPatch(
    method="PUT",
    headers=(
        ("Content-Type", "application/json"),
        ("X-Mine", "1"),
        ("X-Prefixed", "2"),
        ("Authorization", "Bearer t"),
    ),
    retries=8,
    retry_delay="1000 * (1 + retried)",
    timeout_ms=10_000,
    delay_ms=9_000,
    not_before=1_767_225_600_000,
    callback=CallbackPatch(
        url="https://example.com/callback", options=OptionPatch(retries=4, headers=(("X-Cb", "3"), ("X-Fwd", "5")))
    ),
    failure_callback=CallbackPatch(
        url="https://example.com/failed", options=OptionPatch(timeout_ms=7_000, headers=(("X-Fail", "6"),))
    ),
    flow_control=FlowControl(key="a key/with: marks", parallelism=11, rate=12, period_ms=13_000),
    labels=("label",),
    redaction=Redaction(body=True, headers=("authorization",)),
    deduplication=Deduplication(id="dedup", by_content=True),
)


def test_every_publish_option_lands_in_its_field():
    sent = prepare_headers(**EVERYTHING)
    assert parse_options(list(sent.items()), (), Limits()) == EXPECTED


def test_nothing_said_sends_nothing():
    sent = prepare_headers(**dict.fromkeys(EVERYTHING))
    assert parse_options(list(sent.items()), (), Limits()) == OptionPatch()


def test_batch_says_the_same_as_a_publish():
    message = {**EVERYTHING, "url": "https://example.com/a?b=1", "body": '{"a": 1}', "queue": "q"}
    [item] = parse_batch(prepare_batch_message_body([message]).encode(), Limits())
    assert item.patch == EXPECTED
    assert item.destination == Url("https://example.com/a?b=1")
    assert item.body == b'{"a": 1}'
    assert item.queue == "q"


def test_json_batch_carries_json_bodies():
    messages = convert_to_batch_messages([{"url_group": "group", "body": {"ä": [1, None]}}, {"url": "https://a.com"}])
    first, second = parse_batch(prepare_batch_message_body(messages).encode(), Limits())
    assert first.destination == GroupName("group")
    assert json.loads(first.body) == {"ä": [1, None]}
    assert first.patch.headers == (("Content-Type", "application/json"),)
    assert first.queue is None
    assert second.body == b"null"


def test_every_schedule_option_lands_in_its_field():
    left_out = ("not_before", "deduplication_id", "content_based_deduplication")
    options = {name: value for name, value in EVERYTHING.items() if name not in left_out}
    sent = prepare_schedule_headers(cron="*/5 * * * *", schedule_id="scd-1", queue="q", **options)
    patch = parse_options(list(sent.items()), (), Limits())
    assert (patch.cron, patch.schedule_id, patch.queue) == ("*/5 * * * *", "scd-1", "q")
    assert patch.not_before is UNSET
    for name in ("method", "headers", "retries", "callback", "failure_callback", "flow_control", "labels", "redaction"):
        assert getattr(patch, name) == getattr(EXPECTED, name)

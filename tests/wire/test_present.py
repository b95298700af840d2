import base64
import hashlib
import json

import msgspec
import pytest
from msgspec import structs
from qstash.dlq import parse_dlq_message_response
from qstash.log import LogState, parse_logs_response
from qstash.message import FlowControlProperties, parse_message_response

from outrider.domain.attempt import Response
from outrider.domain.event import Event, EventKind
from outrider.domain.message import DeadLetter, Message, MessageState
from outrider.domain.options import Callback, DeliveryOptions, FlowControl, Redaction
from outrider.ports import LogEntry
from outrider.wire.present import (
    present_dead_letter,
    present_entry,
    present_message,
    seconds,
    state_of,
)

BARE = Message(
    id="msg_1",
    tenant="t",
    url="https://a.com",
    options=DeliveryOptions(),
    created_at=1000,
    not_before=2000,
    due_at=2000,
)
FULL = structs.replace(
    BARE,
    body=b'{"a":1}',
    queue="q",
    group="g",
    endpoint="e",
    schedule_id="s",
    caller_ip="10.0.0.1",
    callback_of="msg_0",
    options=DeliveryOptions(
        method="PUT",
        headers=(("Content-Type", "application/json"), ("X-A", "1"), ("X-A", "2"), ("Authorization", "secret")),
        retries=5,
        retry_delay="1000",
        timeout_ms=1500,
        callback=Callback("https://cb.com", DeliveryOptions(headers=(("X-Cb", "1"), ("Authorization", "secret")))),
        failure_callback=Callback("https://fail.com", DeliveryOptions(headers=(("X-F", "1"),))),
        flow_control=FlowControl("key", parallelism=2, rate=3, period_ms=60_000),
        labels=("one", "two"),
    ),
)


def entry(message=FULL, **event):
    event = {"kind": EventKind.ERROR, "time": 3000, **event}
    return LogEntry(Event(tenant="t", message_id=message.id, **event), message)


def shown(presented):
    return json.loads(msgspec.json.encode(presented))


def redacting(message, **redaction):
    return structs.replace(message, options=structs.replace(message.options, redaction=Redaction(**redaction)))


def hidden(text):
    return "REDACTED:" + hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()


def test_bare_message_has_what_clients_require_and_no_more():
    assert shown(present_message(BARE)) == {
        "messageId": "msg_1",
        "url": "https://a.com",
        "method": "POST",
        "maxRetries": 3,
        "notBefore": 2000,
        "createdAt": 1000,
        "state": "CREATED",
        "timeout": 30,
    }


def test_official_sdk_reads_a_full_message():
    message = parse_message_response(shown(present_message(FULL)))
    assert message.headers == {
        "Content-Type": ["application/json"],
        "X-A": ["1", "2"],
        "Authorization": ["secret"],
    }
    assert message.callback_headers == {"X-Cb": ["1"], "Authorization": ["secret"]}
    assert message.failure_callback_headers == {"X-F": ["1"]}
    assert (message.body, message.body_base64) == ('{"a":1}', None)
    assert (message.url_group, message.endpoint, message.queue, message.schedule_id) == ("g", "e", "q", "s")
    assert (message.callback, message.failure_callback) == ("https://cb.com", "https://fail.com")
    assert (message.max_retries, message.retry_delay_expression, message.method) == (5, "1000", "PUT")
    assert (message.caller_ip, message.label) == ("10.0.0.1", "one")
    assert message.flow_control == FlowControlProperties("key", 2, 3, 60)


def test_fields_of_ours_and_of_other_clients_are_there():
    told = shown(present_message(FULL))
    assert (told["callerIp"], told["labels"], told["timeout"], told["sourceMessageId"]) == (
        "10.0.0.1",
        ["one", "two"],
        1.5,
        "msg_0",
    )


def test_unset_limits_of_a_key_are_left_out_and_its_period_is_not():
    told = shown(present_message(structs.replace(BARE, options=DeliveryOptions(flow_control=FlowControl("k", rate=1)))))
    assert (told["flowControlKey"], told["rate"], told["period"]) == ("k", 1, 1)
    assert "parallelism" not in told


def test_body_that_is_no_text_is_base64():
    told = shown(present_message(structs.replace(BARE, body=b"\xff\x00")))
    assert told["bodyBase64"] == base64.b64encode(b"\xff\x00").decode()
    assert "body" not in told


def test_header_beyond_ascii_is_readable():
    message = structs.replace(BARE, options=DeliveryOptions(headers=(("X", "\xc3\xa9"), ("Y", "\xe9"))))
    assert shown(present_message(message))["header"] == {"X": ["é"], "Y": ["é"]}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "CREATED"),
        ({"retried": 1}, "RETRY"),
        ({"state": MessageState.HELD}, "CREATED"),
        ({"state": MessageState.LEASED, "retried": 1}, "ACTIVE"),
        ({"state": MessageState.LEASED, "cancel_requested": True}, "CANCEL_REQUESTED"),
        ({"state": MessageState.DELIVERED}, "DELIVERED"),
        ({"state": MessageState.FAILED}, "FAILED"),
        ({"state": MessageState.CANCELED, "cancel_requested": True}, "CANCELED"),
    ],
)
def test_state_is_told_in_the_words_of_the_log(changes, state):
    assert state_of(structs.replace(BARE, **changes)) == state
    assert LogState(state)


def test_redacted_body_is_hidden_everywhere():
    message = redacting(FULL, body=True)
    assert shown(present_message(message))["body"] == hidden(FULL.body)
    assert shown(present_entry(entry(message)))["body"] == base64.b64encode(hidden(FULL.body).encode()).decode()
    letter = DeadLetter(id="1-0", message=message, failed_at=1, response=None, error="x")
    assert shown(present_dead_letter(letter))["body"] == hidden(FULL.body)


def test_redacted_headers_are_hidden_by_name_or_all():
    one = shown(present_message(redacting(FULL, headers=("authorization",))))
    assert one["header"]["Authorization"] == [hidden("secret")]
    assert one["header"]["X-A"] == ["1", "2"]
    assert one["callbackHeader"] == {"X-Cb": ["1"], "Authorization": [hidden("secret")]}
    every = shown(present_entry(entry(redacting(FULL, all_headers=True))))
    assert every["header"]["X-A"] == [hidden("1"), hidden("2")]
    assert every["callbackHeaders"]["X-Cb"] == [hidden("1")]


def test_callbacks_own_redaction_hides_its_headers():
    callback = Callback(
        "https://cb.com", DeliveryOptions(headers=(("X-Cb", "1"),), redaction=Redaction(all_headers=True))
    )
    told = shown(present_message(structs.replace(BARE, options=DeliveryOptions(callback=callback))))
    assert told["callbackHeader"] == {"X-Cb": [hidden("1")]}


def test_no_secret_is_left_in_any_view():
    message = redacting(structs.replace(FULL, body=b"secret"), body=True, headers=("authorization",))
    letter = DeadLetter(id="1-0", message=message, failed_at=1, response=None, error="x")
    for view in (present_message(message), present_entry(entry(message)), present_dead_letter(letter)):
        text = msgspec.json.encode(view)
        assert b"secret" not in text
        assert base64.b64encode(b"secret") not in text


def test_official_sdk_reads_an_entry():
    response = Response(500, (("content-type", "text/plain"), ("x-a", "1")), b"oops")
    [log] = parse_logs_response([shown(present_entry(entry(error="destination answered 500", response=response)))])
    assert (log.time, log.message_id, log.state, log.error) == (
        3000,
        "msg_1",
        LogState.ERROR,
        "destination answered 500",
    )
    assert base64.b64decode(log.body_base64) == FULL.body
    assert (log.response_status, log.response_body) == (500, "oops")
    assert log.response_headers == {"Content-Type": ["text/plain"], "X-A": ["1"]}
    assert (log.timeout, log.max_retries, log.retry_delay_expression) == (1500, 5, "1000")
    assert log.callback_headers == {"X-Cb": ["1"], "Authorization": ["secret"]}
    assert log.failure_callback_headers == {"X-F": ["1"]}
    assert (log.url_group, log.endpoint, log.queue, log.schedule_id, log.label) == ("g", "e", "q", "s", "one")
    assert log.flow_control == FlowControlProperties("key", 2, 3, 60)


def test_entry_has_both_spellings_and_the_source():
    told = shown(present_entry(entry(response=Response(500, (("x", "1"),)), next_delivery_at=9000)))
    assert told["responseHeader"] == told["responseHeaders"] == {"X": ["1"]}
    assert told["retryDelayExpr"] == told["retryDelayExpression"] == "1000"
    assert (told["nextDeliveryTime"], told["labels"], told["sourceMessageId"]) == (9000, ["one", "two"], "msg_0")


def test_what_is_unknown_is_left_out_of_an_entry():
    told = shown(present_entry(entry(BARE, kind=EventKind.CREATED)))
    assert set(told) == {"time", "messageId", "state", "url", "method", "timeout", "maxRetries"}


def test_trimmed_entry_leaves_out_bodies():
    told = shown(present_entry(entry(response=Response(200, (), b"x")), trim_body=True))
    assert "body" not in told
    assert "responseBody" not in told
    assert told["responseStatus"] == 200


def test_official_sdk_reads_a_dead_letter():
    response = Response(503, (("retry-after", "5"),), b"\xff")
    letter = DeadLetter(
        id="1725-7",
        message=structs.replace(FULL, state=MessageState.LEASED),
        failed_at=9000,
        response=response,
        error="destination answered 503",
    )
    told = shown(present_dead_letter(letter))
    message = parse_dlq_message_response(dict(told))
    assert (message.dlq_id, message.message_id, message.response_status) == ("1725-7", "msg_1", 503)
    assert message.response_headers == {"Retry-After": ["5"]}
    assert (message.response_body, message.response_body_base64) == (None, base64.b64encode(b"\xff").decode())
    assert (told["state"], told["error"]) == ("FAILED", "destination answered 503")


def test_dead_letter_without_a_response_has_status_0():
    told = shown(present_dead_letter(DeadLetter(id="1-0", message=BARE, failed_at=1, response=None, error="no route")))
    assert told["responseStatus"] == 0
    assert "responseHeader" not in told
    assert "responseBody" not in told


def test_spans_are_whole_seconds_where_they_can_be():
    assert (seconds(1000), seconds(1500)) == (1, 1.5)
    assert isinstance(seconds(1000), int)

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.attempt import Attempt, Delivered, Refused, Response, TimedOut
from outrider.domain.destination import GroupName, Url
from outrider.domain.errors import Malformed, Refusal, TooLarge
from outrider.domain.limits import Limits
from outrider.domain.message import Message
from outrider.domain.options import DeliveryOptions, OptionPatch, Redaction
from outrider.wire.bodies import callback_body, check_body_size, parse_batch, parse_ids

LIMITS = Limits()


def batch(*items, limits=LIMITS):
    return parse_batch(json.dumps(items).encode(), limits)


def test_items_keep_their_order_and_are_told_apart():
    first, second = batch(
        {"destination": "https://a.com", "headers": {"Upstash-Delay": "5s"}, "body": "hi", "queue": "q"},
        {"destination": "group"},
    )
    assert (first.destination, first.patch, first.body, first.queue) == (
        Url("https://a.com"),
        OptionPatch(delay_ms=5000),
        b"hi",
        "q",
    )
    assert (second.destination, second.patch, second.body, second.queue) == (
        GroupName("group"),
        OptionPatch(),
        b"",
        None,
    )


def test_lone_object_is_one_item():
    [item] = parse_batch(b'  {"destination": "https://a.com"}\n', LIMITS)
    assert item.destination == Url("https://a.com")


def test_empty_batch_has_no_items():
    assert parse_batch(b" [ ] ", LIMITS) == []


def test_nulls_are_absent():
    [item] = batch({"destination": "https://a.com", "headers": None, "body": None, "queue": None})
    assert (item.patch, item.body, item.queue) == (OptionPatch(), b"", None)
    [item] = batch({"destination": "https://a.com", "headers": {"Upstash-Retries": None}})
    assert item.patch == OptionPatch()


def test_items_with_the_same_headers_have_the_same_options():
    headers = {"Upstash-Delay": "5s", "Upstash-Forward-X": ["1", "2"]}
    items = batch(GOOD, {**GOOD, "headers": headers}, {**GOOD, "headers": headers}, {**GOOD, "headers": {}}, GOOD)
    patch = OptionPatch(delay_ms=5000, headers=(("X", "1"), ("X", "2")))
    assert [item.patch for item in items] == [OptionPatch(), patch, patch, OptionPatch(), OptionPatch()]


def test_json_body_is_sent_as_its_text():
    for text in ('{"b": 1.0,  "a": [1,2]}', "[1, 2]", "7", "true"):
        [item] = parse_batch(f'[{{"destination":"https://a.com","body" : {text} }}]'.encode(), LIMITS)
        assert item.body == text.encode()


def test_headers_may_be_lists_and_beyond_ascii():
    [item] = batch(
        {"destination": "https://a.com", "headers": {"upstash-forward-x": ["1", "2"], "Upstash-Forward-y": "é"}}
    )
    assert item.patch.headers == (("X", "1"), ("X", "2"), ("Y", "\xc3\xa9"))


GOOD = {"destination": "https://a.com"}


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        ({}, "no destination"),
        ({"destination": None}, "no destination"),
        ({"destination": ""}, "no destination"),
        ({"destination": 7}, "destination"),
        ({"destination": "ftp://a.com"}, "invalid scheme"),
        ({**GOOD, "headers": {"Upstash-Retries": "x"}}, "Upstash-Retries 'x'"),
        ({**GOOD, "headers": {"Upstash-Retries": 3}}, "headers"),
        ({**GOOD, "headers": []}, "headers"),
        ({**GOOD, "headers": {"Upstash-Forward-A": "a\r\nb"}}, "control character"),
        ({**GOOD, "headers": {"Upstash-Forward-A": "a" * 70_000}}, "over the limit"),
        ({**GOOD, "headers": {"Upstash-Forward-A": ["a"] * 201}}, "over the limit"),
        ({**GOOD, "queue": "a b"}, "queue 'a b'"),
        ({**GOOD, "queue": 1}, "queue"),
        ("text", "object"),
        (None, "object"),
    ],
)
def test_malformed_item_is_refused_by_its_index(item, rule):
    with pytest.raises(Malformed, match=rule) as refusal:
        batch(GOOD, item)
    assert str(refusal.value).startswith("item 1 of the batch: ")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"7",
        b'"x"',
        b"null",
        b"[{]",
        b"[1",
        b"\xff",
        b"[" * 100_000,
        b"{" * 10,
        b'[{"destination":"\\ud800"}]',
    ],
)
def test_what_is_no_batch_is_refused(body):
    with pytest.raises(Malformed):
        parse_batch(body, LIMITS)


def test_sizes_are_limited():
    limits = Limits(batch_items=2, batch_bytes=200, body_bytes=10)
    with pytest.raises(Malformed, match="3 items, over the limit of 2"):
        batch(GOOD, GOOD, GOOD, limits=limits)
    with pytest.raises(TooLarge, match="over the limit of 200"):
        parse_batch(b"[" + b" " * 200 + b"]", limits)
    with pytest.raises(TooLarge, match="item 1 of the batch: the body has 11 bytes, over the limit of 10") as refusal:
        batch(GOOD, {**GOOD, "body": "x" * 11}, limits=limits)
    assert "reference" in refusal.value.hint
    [item] = batch({**GOOD, "body": "é" * 5}, limits=limits)
    assert len(item.body) == 10
    check_body_size(10, limits)


@given(st.text(max_size=30))
def test_text_body_is_kept_whatever_it_holds(text):
    text = text.encode("utf-8", "ignore").decode()
    [item] = batch({**GOOD, "body": text})
    assert item.body == text.encode()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["destination", "headers", "body", "queue", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.binary(max_size=60) | _json.map(lambda value: json.dumps(value).encode()))
def test_anything_is_a_batch_or_refused(body):
    for parse in (parse_batch, lambda body, _: parse_ids(body, "x")):
        with contextlib.suppress(Refusal):
            parse(body, LIMITS)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b"", None),
        (b"  ", None),
        (b"{}", None),
        (b'{"messageIds": null}', None),
        (b'{"dlqIds": ["a"]}', None),
        (b'{"messageIds": []}', ()),
        (b'{"messageIds": ["a", "b", "a"]}', ("a", "b")),
    ],
)
def test_ids_are_read_once_each_and_none_given_is_not_an_empty_list(body, ids):
    assert parse_ids(body, "messageIds") == ids


@pytest.mark.parametrize(
    "body", [b"nonsense", b"[]", b'["a"]', b'{"messageIds": "a"}', b'{"messageIds": [1]}', b"\xff", b"[" * 100_000]
)
def test_other_ids_are_refused(body):
    with pytest.raises(Malformed):
        parse_ids(body, "messageIds")


MESSAGE = Message(
    id="msg_1",
    tenant="t",
    url="https://a.com/x?y=1",
    options=DeliveryOptions(
        method="PUT",
        headers=(("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")),
        retries=5,
        redaction=Redaction(body=True, all_headers=True),
    ),
    body=b"\xffbody",
    created_at=1000,
    not_before=2000,
    due_at=2000,
)


def report(outcome, message=MESSAGE, dead_letter_id=None):
    return json.loads(callback_body(message, Attempt("msg_1", 2, 3000, 4000, outcome), dead_letter_id))


def test_callback_reports_the_attempt_with_real_values():
    response = Response(201, (("content-type", "a/b"), ("set-cookie", "1"), ("Set-Cookie", "2")), b"\xfe!")
    assert report(Delivered(response)) == {
        "status": 201,
        "header": {"Content-Type": ["a/b"], "Set-Cookie": ["1", "2"]},
        "body": base64.b64encode(b"\xfe!").decode(),
        "retried": 2,
        "maxRetries": 5,
        "sourceMessageId": "msg_1",
        "url": "https://a.com/x?y=1",
        "method": "PUT",
        "sourceHeader": {"Content-Type": ["text/plain"], "X-A": ["1", "2"]},
        "sourceBody": base64.b64encode(b"\xffbody").decode(),
        "notBefore": 2000,
        "createdAt": 1000,
        "callerIP": "",
    }


def test_attempt_without_a_response_has_status_0_and_its_error():
    told = report(TimedOut(30_000, "no answer within 30s"))
    assert (told["status"], told["error"], told["header"], told["body"]) == (0, "no answer within 30s", {}, "")


def test_callback_names_where_its_message_came_from():
    message = Message(
        id="msg_1",
        tenant="t",
        url="https://a.com",
        options=DeliveryOptions(labels=("one", "two")),
        created_at=1,
        not_before=1,
        due_at=1,
        group="g",
        endpoint="e",
        schedule_id="s",
        queue="q",
        caller_ip="10.0.0.1",
    )
    told = report(Refused(Response(500), "destination answered 500"), message, "1725-0")
    assert {
        "topicName": "g",
        "endpointName": "e",
        "scheduleId": "s",
        "queueName": "q",
        "label": "one",
    }.items() <= told.items()
    assert (told["callerIP"], told["dlqId"], told["status"]) == ("10.0.0.1", "1725-0", 500)
    assert "error" not in told

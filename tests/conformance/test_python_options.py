"""Every option of every method of the Python SDKs that sends a message: said by the SDK, kept and shown by us.

The options are read off the SDK, so that one without a case fails.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from qstash.message import MessageApi
from qstash.schedule import ScheduleApi
from tests.conformance.coverage import covers
from tests.conformance.surface import options_of

CB = "https://example.com/callback"
FAILED = "https://example.com/failed"
SOON = int(time.time()) + 7200


@dataclass(frozen=True)
class Case:
    """A value of an option, what a reader is shown of it, and what must be said beside it."""

    value: object
    shown: dict[str, object]
    beside: dict[str, object] = field(default_factory=dict)


FORWARDED = {"X-App": "1"}
CONTROL = {"key": "K/1 x", "parallelism": 3, "rate": 5, "period": 60}
CASES = {
    "body": Case("plain text", {"body": "plain text"}),
    "content_type": Case("application/x-thing", {"header": {"Content-Type": ["application/x-thing"]}}),
    "method": Case("PATCH", {"method": "PATCH"}),
    "headers": Case(FORWARDED, {"header": {"X-App": ["1"]}}),
    "callback_headers": Case({"X-Cb": "2"}, {"callbackHeader": {"X-Cb": ["2"]}}, {"callback": CB}),
    "failure_callback_headers": Case(
        {"X-Fail": "3"}, {"failureCallbackHeader": {"X-Fail": ["3"]}}, {"failure_callback": FAILED}
    ),
    "retries": Case(7, {"maxRetries": 7}),
    "retry_delay": Case("1000 * (1 + retried)", {"retryDelayExpression": "1000 * (1 + retried)"}),
    "callback": Case(CB, {"callback": CB}),
    "failure_callback": Case(FAILED, {"failureCallback": FAILED}),
    "timeout": Case("1m30s", {"timeout": 90}),
    "flow_control": Case(CONTROL, {"flowControlKey": "K/1 x", "parallelism": 3, "rate": 5, "period": 60}),
    "label": Case("billing", {"label": "billing", "labels": ["billing"]}),
    "queue": Case("parked", {"queueName": "parked"}),
    "not_before": Case(SOON, {"notBefore": SOON * 1000}),
}
JSON_BODY = Case({"n": [1, "é"]}, {"body": '{"n": [1, "\\u00e9"]}', "header": {"Content-Type": ["application/json"]}})
SCHEDULE_CASES = {
    "cron": Case("CRON_TZ=Europe/Berlin 0 3 * * MON", {"cron": "CRON_TZ=Europe/Berlin 0 3 * * MON"}),
    "destination": Case("https://example.com/a%2Fb?x=1", {"destination": "https://example.com/a%2Fb?x=1"}),
    "retries": Case(7, {"retries": 7}),
    "delay": Case("2h", {"delay": 7200}),
    "schedule_id": Case("nightly.1_a-b", {"scheduleId": "nightly.1_a-b"}),
}
SENDING = ("publish", "publish_json", "enqueue", "enqueue_json", "batch", "batch_json")
SPECIAL = {"url", "url_group", "delay", "deduplication_id", "content_based_deduplication", "redact"}
"""Options with tests of their own."""

FAR = {"delay": 3600}


def every(api: type, name: str, methods: tuple[str, ...], *, but: frozenset[str] | set[str] = frozenset()) -> list:
    """Each option of each method, marked with the method."""
    return [
        pytest.param(method, option, id=f"{method}-{option}", marks=covers(f"{name}.{method}"))
        for method in methods
        for option in options_of(api, method)
        if option not in but
    ]


def those_with(option: str, api: type = MessageApi, name: str = "message", methods: tuple[str, ...] = SENDING) -> list:
    """The methods that have the option, marked with themselves."""
    return [pytest.param(one, marks=covers(f"{name}.{one}")) for one in methods if option in options_of(api, one)]


@pytest.fixture(scope="session")
def send(shared_qstash):
    """Sends a message that waits, by any method: `send("batch", label="x")`; the answer to it."""
    shared_qstash.queue.upsert("parked", paused=True)

    def make(method: str, /, **options):
        call = getattr(shared_qstash.message, method)
        destination = {} if "url_group" in options else {"url": "https://example.com/a"}
        if method.startswith("enqueue"):
            return call(**destination | {"queue": "parked"} | options)
        options = destination | (FAR if "not_before" not in options else {}) | options
        return call([options])[0] if method.startswith("batch") else call(**options)

    return make


@pytest.fixture(scope="session")
def shown(shared_qstash):
    """What a reader is shown of a message: the fields of the answer itself, beside what the SDK makes of it."""

    def read(sent) -> dict:
        assert shared_qstash.message.get(sent.message_id).message_id == sent.message_id
        return shared_qstash.http.request(path=f"/v2/messages/{sent.message_id}", method="GET")

    return read


def assert_shows(answer: dict, expected: dict) -> None:
    """Fields are as expected; of headers, at least the expected ones."""
    for name, value in expected.items():
        if isinstance(value, dict):
            assert answer[name].items() >= value.items(), name
        else:
            assert answer[name] == value, name


@pytest.mark.parametrize(("method", "option"), every(MessageApi, "message", SENDING, but=SPECIAL))
def test_message_shows_its_option(send, shown, method, option):
    case = JSON_BODY if option == "body" and method.endswith("_json") else CASES[option]
    assert_shows(shown(send(method, **case.beside, **{option: case.value})), case.shown)


@pytest.mark.parametrize("method", those_with("delay"))
@pytest.mark.parametrize("delay", ["2h", 7200, "1h59m60s"])
def test_delay_sets_the_first_attempt(send, shown, method, delay):
    message = shown(send(method, delay=delay))
    assert message["notBefore"] - message["createdAt"] == 7200 * 1000


@pytest.mark.parametrize("method", those_with("deduplication_id"))
def test_deduplication_id_answers_with_the_first(send, place, method):
    first, second = (send(method, deduplication_id=place) for _ in range(2))
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert second.message_id == first.message_id


@pytest.mark.parametrize("method", those_with("content_based_deduplication"))
def test_same_content_answers_with_the_first(send, place, method):
    sent = [send(method, content_based_deduplication=True, body=body + place) for body in ("a", "a", "b")]
    assert [one.deduplicated for one in sent] == [False, True, False]
    assert sent[1].message_id == sent[0].message_id


@pytest.mark.parametrize("method", those_with("redact"))
@pytest.mark.parametrize(
    ("redact", "hidden"), [({"body": True}, {"body"}), ({"header": True}, {"A", "B"}), ({"header": ["A"]}, {"A"})]
)
def test_redacted_fields_are_shown_hashed(send, shown, method, redact, hidden):
    message = shown(send(method, body="x", headers={"A": "1", "B": "2"}, redact=redact))
    values = {"body": message["body"], "A": message["header"]["A"][0], "B": message["header"]["B"][0]}
    assert {name for name, value in values.items() if value.startswith("REDACTED:")} == hidden


@pytest.mark.parametrize("method", those_with("url"))
def test_url_is_kept_byte_for_byte(send, shown, method):
    url = "https://example.com/a//b%2Fc?b=2&a=%20&a=1&plus=a+b"
    assert shown(send(method, url=url))["url"] == url


@pytest.mark.parametrize("method", those_with("url_group"))
def test_url_group_sends_to_each_endpoint(shared_qstash, send, shown, place, method):
    group = place.strip("/")
    urls = {"https://example.com/1": None, "https://example.com/2": "second"}
    shared_qstash.url_group.upsert_endpoints(
        group, [{"url": url} | ({"name": name} if name else {}) for url, name in urls.items()]
    )
    sent = send(method, url_group=group)
    assert {one.url for one in sent} == set(urls)
    for one in sent:
        message = shown(one)
        assert (message["url"], message["topicName"], message.get("endpointName")) == (one.url, group, urls[one.url])


CREATING = ("create", "create_json")


@pytest.mark.parametrize(("method", "option"), every(ScheduleApi, "schedule", CREATING, but={"redact"}))
def test_schedule_shows_its_option(shared_qstash, method, option):
    case = SCHEDULE_CASES.get(option) or (JSON_BODY if (method, option) == ("create_json", "body") else CASES[option])
    assert_shows(created(shared_qstash, method, **case.beside, **{option: case.value}), case.shown)


@pytest.mark.parametrize("method", those_with("redact", ScheduleApi, "schedule", CREATING))
def test_schedule_hides_what_is_redacted(shared_qstash, method):
    schedule = created(shared_qstash, method, body="x", headers=FORWARDED, redact={"body": True, "header": ["X-App"]})
    assert schedule["body"].startswith("REDACTED:")
    assert schedule["header"]["X-App"][0].startswith("REDACTED:")


def created(qstash, method: str, /, **options) -> dict:
    """Create a schedule; the fields that a reader is shown of it."""
    options = {"destination": "https://example.com/a", "cron": "0 0 1 1 *"} | options
    schedule_id = getattr(qstash.schedule, method)(**options)
    try:
        assert qstash.schedule.get(schedule_id).destination == options["destination"]
        return qstash.http.request(path=f"/v2/schedules/{schedule_id}", method="GET")
    finally:
        qstash.schedule.delete(schedule_id)

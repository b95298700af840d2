"""Every filter: of the Python SDKs, read off them, and of each bulk call of the API.

Of two things that differ in everything a filter can ask, each filter finds one.
"""

from __future__ import annotations

import time

import pytest
from qstash.dlq import DlqFilter
from qstash.errors import QStashError
from qstash.log import LogFilter, LogState
from tests.conformance.coverage import covers

ELSEWHERE = "203.0.113.7"


@pytest.fixture
def letters(qstash, ledger, place, name, fail_for_good):
    """A dead letter with everything that can be asked for, and one without; the first, as the API shows it."""
    wanted = _schedule_letter(qstash, ledger, place + "/wanted", name)
    other = fail_for_good(place + "/other", status=404, label="other")
    shown = qstash.http.request(path=f"/v2/dlq/{wanted}", method="GET")
    assert shown["createdAt"] < qstash.dlq.get(other).created_at
    return shown


def _schedule_letter(qstash, ledger, path, name):
    """A dead letter of a schedule that enqueues to a group; its id."""
    qstash.url_group.upsert_endpoints(name, [{"url": ledger.answer(path, status=503)}])
    schedule_id = qstash.schedule.create(
        destination=name,
        cron="@yearly",
        queue=name,
        label="wanted",
        retries=0,
        flow_control={"key": "K,1/2", "parallelism": 1},
        failure_callback=ledger.url(path + "/failed"),
    )
    qstash.http.request(path=f"/v2/schedules/{schedule_id}/run", method="POST")
    ledger.wait_for(path + "/failed")
    (letter,) = qstash.dlq.list().messages
    return letter.dlq_id


def asked_for(shown: dict) -> dict[str, str]:
    """Each filter of the API for dead letters, with the value that finds this one of the two alone."""
    return {
        "messageId": shown["messageId"],
        "dlqIds": shown["dlqId"],
        "url": shown["url"],
        "topicName": shown["topicName"],
        "scheduleId": shown["scheduleId"],
        "queueName": shown["queueName"],
        "label": "wanted",
        "flowControlKey": "K,1/2",
        "responseStatus": "503",
        "toDate": _between(shown),
    }


def _between(shown: dict) -> str:
    """A moment after the first dead letter and before the second."""
    return shown["dlqId"].partition("-")[0]


DLQ_FILTERS = (
    "messageId", "dlqIds", "url", "topicName", "scheduleId", "queueName", "label", "flowControlKey", "responseStatus",
    "toDate",
)  # fmt: skip
PYTHON_NAMES = {
    "message_id": "messageId",
    "url_group": "topicName",
    "queue": "queueName",
    "schedule_id": "scheduleId",
    "response_status": "responseStatus",
    "to_time": "toDate",
}


@covers("dlq.list", "dlq.get")
def test_every_filter_of_the_sdk_finds_its_dead_letter(qstash, letters):
    values = asked_for(letters)
    everything = len(qstash.dlq.list().messages)
    for option in DlqFilter.__annotations__:
        if option in {"from_time", "caller_ip"}:
            continue
        found = qstash.dlq.list(filter={option: values[PYTHON_NAMES.get(option, option)]}).messages
        assert [one.dlq_id for one in found] == [letters["dlqId"]], option
    assert everything == 2
    after = int(_between(letters)) + 1
    assert letters["dlqId"] not in {one.dlq_id for one in qstash.dlq.list(filter={"from_time": after}).messages}
    assert len(qstash.dlq.list(filter={"from_time": after}).messages) == 1
    assert len(qstash.dlq.list(filter={"caller_ip": "127.0.0.1"}).messages) == 2
    assert qstash.dlq.list(filter={"caller_ip": ELSEWHERE}).messages == []


@covers("dlq.delete", "dlq.delete_many")
def test_dead_letters_are_deleted_one_and_many(qstash, place, fail_for_good):
    first, second, third = (fail_for_good(f"{place}/{n}") for n in range(3))
    qstash.dlq.delete(first)
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.dlq.delete(first)
    assert qstash.dlq.delete_many([first, second]) == 1
    assert qstash.dlq.delete_many([]) == 0
    assert [one.dlq_id for one in qstash.dlq.list().messages] == [third]


@covers("http.request")
@pytest.mark.parametrize("name_of_filter", DLQ_FILTERS)
@pytest.mark.parametrize("call", ["DELETE /v2/dlq", "POST /v2/dlq/retry"])
def test_bulk_call_takes_the_filtered_dead_letter_alone(qstash, ledger, letters, name_of_filter, call):
    method, _, path = call.partition(" ")
    params = {name_of_filter: asked_for(letters)[name_of_filter]}
    answer = qstash.http.request(path=path, method=method, params=params)
    assert (answer["deleted"] if method == "DELETE" else len(answer["responses"])) == 1
    left = {one.dlq_id for one in qstash.dlq.list().messages}
    assert letters["dlqId"] not in left
    if method == "POST":
        ledger.wait_for(message_id=answer["responses"][0]["messageId"])


@covers("http.request")
def test_retried_dead_letter_takes_what_the_request_says_anew(qstash, ledger, place, fail_for_good):
    dead = fail_for_good(place, label="old", headers={"X-App": "old", "X-Kept": "kept"})
    sent = qstash.http.request(
        path=f"/v2/dlq/retry/{dead}",
        method="POST",
        headers={
            "Upstash-Method": "PUT",
            "Upstash-Label": "new",
            "Upstash-Forward-X-App": "new",
            "Upstash-Retries": "2",
        },
    )
    (received,) = ledger.wait_for(message_id=sent["messageId"])
    assert (received.method, received.body, received.header("Upstash-Label")) == ("PUT", b"try", "new")
    assert (received.header("X-App"), received.header("X-Kept")) == ("new", "kept")
    message = qstash.message.get(sent["messageId"])
    assert (message.max_retries, message.label) == (2, "new")
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.dlq.get(dead)


@pytest.fixture
def parked(qstash, name):
    """Two messages that wait, unlike in everything; the first, as the API shows it."""
    qstash.queue.upsert(name, paused=True)
    qstash.url_group.upsert_endpoints(name, [{"url": "https://wanted.example/path"}])
    schedule_id = qstash.schedule.create(
        destination=name, cron="@yearly", queue=name, label="wanted", flow_control={"key": "K,1/2", "rate": 1}
    )
    (sent,) = qstash.http.request(path=f"/v2/schedules/{schedule_id}/run", method="POST")
    shown = qstash.http.request(path=f"/v2/messages/{sent['messageId']}", method="GET")
    while time.time() * 1000 <= shown["createdAt"] + 1:
        pass  # the other one is younger by a millisecond at least
    qstash.message.publish(url="https://other.example/else", delay=3600, label="other")
    return shown


def wanted_by(shown: dict) -> dict[str, str]:
    """Each filter of the API for messages, with the value that finds this one alone."""
    return {
        "messageIds": shown["messageId"],
        "topicName": shown["topicName"],
        "queueName": shown["queueName"],
        "url": shown["url"],
        "host": "wanted.example",
        "path": "/path",
        "label": "wanted",
        "flowControlKey": "K,1/2",
        "toDate": str(shown["createdAt"]),
        "scheduleId": shown["scheduleId"],
    }


@covers("http.request")
@pytest.mark.parametrize(
    "name_of_filter",
    ["messageIds", "topicName", "queueName", "url", "host", "path", "label", "flowControlKey", "toDate", "scheduleId"],
)
def test_bulk_cancel_takes_the_filtered_message_alone(qstash, parked, name_of_filter):
    params = {name_of_filter: wanted_by(parked)[name_of_filter]}
    assert qstash.http.request(path="/v2/messages", method="DELETE", params=params) == {"cancelled": 1}
    (canceled,) = qstash.log.list(filter={"state": LogState.CANCELED}).logs
    assert canceled.message_id == parked["messageId"]
    assert qstash.http.request(path="/v2/messages", method="DELETE", params=params) == {"cancelled": 0}


@covers("http.request")
@pytest.mark.parametrize("name_of_filter", ["callerIp", "callerIP"])
def test_bulk_cancel_by_publisher_and_by_count(qstash, parked, name_of_filter):
    def cancel(**params):
        return qstash.http.request(path="/v2/messages", method="DELETE", params=params)["cancelled"]

    assert cancel(**{name_of_filter: ELSEWHERE}) == 0
    assert cancel(fromDate=str(parked["createdAt"] + 3_600_000)) == 0
    assert cancel(**{name_of_filter: "127.0.0.1"}, count="1") == 1
    assert cancel(count="500") == 1


@covers("message.cancel", "message.cancel_many", "message.cancel_all")
def test_messages_are_canceled_one_many_and_all(qstash):
    ids = [qstash.message.publish(url="https://a.example", delay=3600).message_id for _ in range(5)]
    qstash.message.cancel(ids[0])
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.message.cancel(ids[0])
    assert qstash.message.cancel_many([ids[0], ids[1], ids[1]]) == 1
    assert qstash.message.cancel_many([]) == 0
    assert qstash.message.cancel_all() == 3
    assert qstash.message.cancel_all() == 0


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("DELETE", "/v2/messages", {"lable": "x"}),
        ("DELETE", "/v2/dlq", {"host": "a.example"}),
        ("POST", "/v2/dlq/retry", {"path": "/a"}),
        ("GET", "/v2/logs", {"lable": "x"}),
        ("DELETE", "/v2/messages", {"count": "0"}),
        ("DELETE", "/v2/messages", {"label": ""}),
    ],
)
@covers("http.request")
def test_filter_that_is_none_is_refused(qstash, parked, method, path, params):
    with pytest.raises(QStashError, match=r"status: 400"):
        qstash.http.request(path=path, method=method, params=params)
    assert qstash.message.cancel_all() == 2


@covers("log.list", "message.get")
def test_every_filter_of_the_sdk_finds_its_entries(qstash, parked):
    values = wanted_by(parked) | {"messageId": parked["messageId"]}
    for option in LogFilter.__annotations__:
        if option in {"from_time", "state"}:
            continue
        value = [parked["messageId"]] if option == "message_ids" else values[PYTHON_NAMES.get(option, option)]
        found = {one.message_id for one in qstash.log.list(filter={option: value}).logs}
        assert found == {parked["messageId"]}, option
    younger = {one.message_id for one in qstash.log.list(filter={"from_time": parked["createdAt"] + 1}).logs}
    assert len(younger) == 1
    assert parked["messageId"] not in younger
    qstash.message.cancel(parked["messageId"])
    found = qstash.log.list(filter={"state": LogState.CANCELED}).logs
    assert [one.message_id for one in found] == [parked["messageId"]]
    assert qstash.log.list(filter={"state": LogState.IN_PROGRESS}).logs == []

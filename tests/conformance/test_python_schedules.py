"""Schedules, driven by the official Python SDKs. They are run by hand: nothing waits for a minute to turn."""

from __future__ import annotations

import sqlite3
import time

import pytest
from qstash.errors import QStashError
from qstash.schedule import ScheduleState
from tests.conformance.coverage import covers

NEVER_SOON = "0 0 1 1 *"


def run_now(qstash, schedule_id):
    """Publish what the schedule publishes; its message's id."""
    return qstash.http.request(path=f"/v2/schedules/{schedule_id}/run", method="POST")["messageId"]


@covers("schedule.create", "schedule.get", "schedule.list", "schedule.delete")
def test_schedule_is_made_overwritten_shown_and_deleted(qstash, name):
    made = qstash.schedule.create(destination="https://a.example", cron="@hourly", body="x", schedule_id=name)
    assert made == name
    schedule = qstash.schedule.get(name)
    assert (schedule.destination, schedule.cron, schedule.body) == ("https://a.example", "@hourly", "x")
    assert (schedule.method, schedule.retries, schedule.paused) == ("POST", 3, False)
    assert schedule.caller_ip == "127.0.0.1"
    assert qstash.schedule.create(destination="https://b.example", cron="0 5 * * *", schedule_id=name) == name
    overwritten = qstash.schedule.get(name)
    assert (overwritten.destination, overwritten.cron) == ("https://b.example", "0 5 * * *")
    assert (overwritten.body, overwritten.body_base64) == (None, None)
    assert qstash.schedule.list() == [overwritten]
    qstash.schedule.delete(name)
    assert qstash.schedule.list() == []
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.schedule.get(name)


@covers("schedule.create")
@pytest.mark.parametrize(
    ("cron", "period_s"), [("* * * * *", 60), ("@hourly", 3600), ("TZ=Asia/Kathmandu @daily", 86400)]
)
def test_next_fire_is_the_next_turn_of_the_clock(qstash, cron, period_s):
    before = time.time() * 1000
    schedule = qstash.schedule.get(qstash.schedule.create(destination="https://a.example", cron=cron))
    ahead_ms = schedule.next_schedule_time - before
    assert -1000 < ahead_ms <= period_s * 1000
    offset_s = (5 * 60 + 45) * 60 if "Kathmandu" in cron else 0
    assert (schedule.next_schedule_time // 1000 + offset_s) % period_s == 0


@covers("schedule.create")
@pytest.mark.parametrize("cron", ["* * * *", "0 0 * * * *", "60 * * * *", "CRON_TZ=Mars/Base 0 0 * * *", ""])
def test_cron_that_is_none_is_refused(qstash, cron):
    with pytest.raises(QStashError, match=r"status: 400.*Upstash-Cron"):
        qstash.schedule.create(destination="https://a.example", cron=cron)


@covers("schedule.create_json")
def test_run_schedule_delivers_what_it_holds(qstash, ledger, place):
    schedule_id = qstash.schedule.create_json(
        destination=ledger.url(place), cron=NEVER_SOON, body={"n": 1}, headers={"X-App": "1"}, method="PUT", label="l"
    )
    message_id = run_now(qstash, schedule_id)
    (received,) = ledger.wait_for(place)
    assert (received.message_id, received.method, received.body) == (message_id, "PUT", b'{"n": 1}')
    assert received.header("Upstash-Schedule-Id") == schedule_id
    assert (received.header("X-App"), received.header("Upstash-Label")) == ("1", "l")
    assert {entry.message_id for entry in qstash.log.list(filter={"schedule_id": schedule_id}).logs} == {message_id}
    assert qstash.message.get(message_id).schedule_id == schedule_id


@covers("schedule.get")
def test_schedule_fires_late_after_downtime_and_tells_how_its_message_fared(start_server, clients, ledger, place):
    server = start_server("dev")
    qstash = clients.connect(server.url, server.variables["QSTASH_TOKEN"])
    schedule_id = qstash.schedule.create(
        destination=ledger.answer(place, status=500),
        cron="@yearly",
        retries=0,
        failure_callback=ledger.url(place + "/failed"),
    )
    server.terminate()
    _turn_back_next_fire(server.database)
    server.start()
    (received,) = ledger.wait_for(place)
    ledger.wait_for(place + "/failed")
    qstash = clients.connect(server.url, server.variables["QSTASH_TOKEN"])
    schedule = qstash.schedule.get(schedule_id)
    assert schedule.last_schedule_states == {received.message_id: ScheduleState.FAIL}
    assert abs(schedule.last_schedule_time - time.time() * 1000) < 60_000
    assert schedule.next_schedule_time > time.time() * 1000


def _turn_back_next_fire(database):
    """Let the stored next fire be a second ago, as if the server had been down since before it."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            "UPDATE schedules SET next_fire_at = :at, schedule = json_set(schedule, '$.next_fire_at', :at)",
            {"at": int(time.time() * 1000) - 1000},
        )
    connection.close()


@covers("schedule.create")
def test_schedule_enqueues(qstash, name):
    qstash.queue.upsert(name, parallelism=4, paused=True)
    schedule_id = qstash.schedule.create(destination="https://a.example", cron=NEVER_SOON, queue=name)
    message = qstash.message.get(run_now(qstash, schedule_id))
    assert message.queue == name
    assert (qstash.queue.get(name).lag, qstash.queue.get(name).parallelism) == (1, 4)


@covers("schedule.create")
def test_schedule_delays_each_message(qstash):
    schedule_id = qstash.schedule.create(destination="https://a.example", cron=NEVER_SOON, delay="1h")
    message = qstash.message.get(run_now(qstash, schedule_id))
    assert message.not_before - message.created_at == 3600 * 1000


@covers("schedule.pause", "schedule.resume")
def test_schedule_is_paused_and_resumed(qstash):
    schedule_id = qstash.schedule.create(destination="https://a.example", cron="@yearly")
    qstash.schedule.pause(schedule_id)
    assert qstash.schedule.get(schedule_id).paused
    qstash.schedule.resume(schedule_id)
    schedule = qstash.schedule.get(schedule_id)
    assert not schedule.paused
    assert schedule.next_schedule_time > time.time() * 1000


@covers("schedule.create")
def test_schedule_of_a_group_publishes_to_each_endpoint(qstash, ledger, place, name):
    qstash.url_group.upsert_endpoints(name, [{"url": ledger.url(f"{place}/{n}")} for n in range(2)])
    schedule_id = qstash.schedule.create(destination=name, cron=NEVER_SOON, body="x")
    assert qstash.schedule.get(schedule_id).destination == name
    sent = qstash.http.request(path=f"/v2/schedules/{schedule_id}/run", method="POST")
    assert len(sent) == 2
    for one in sent:
        (received,) = ledger.wait_for(message_id=one["messageId"])
        assert ledger.url(received.path) == one["url"]

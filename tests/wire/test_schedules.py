from __future__ import annotations

import pytest

from outrider.domain.destination import GroupName, Url
from outrider.domain.errors import Malformed
from outrider.domain.limits import Limits
from outrider.domain.schedule import Schedule
from outrider.wire.options import default_options, parse_options
from outrider.wire.redaction import redacted
from outrider.wire.schedules import present_created, present_schedule

NOW = 1_800_000_000_000  # 2027-01-15 08:00:00 UTC
DEFAULTS = default_options(Limits())


def patch_of(**headers):
    return parse_options([(name.replace("_", "-"), value) for name, value in headers.items()], (), Limits())


def make_schedule(cron="*/5 * * * *", **said):
    return Schedule(
        id="scd_1",
        tenant="ten_1",
        cron=cron,
        destination=said.pop("destination", Url("https://a.example/x?y=1")),
        created_at=NOW,
        updated_at=NOW,
        **said,
    )


def shown(states=(), **said):
    return present_schedule(make_schedule(**said), dict(states), DEFAULTS)


def test_a_schedule_of_which_little_was_said_is_shown_with_what_is_always_there():
    assert shown() == {
        "scheduleId": "scd_1",
        "cron": "*/5 * * * *",
        "createdAt": NOW,
        "destination": "https://a.example/x?y=1",
        "method": "POST",
        "retries": 3,
        "isPaused": False,
        "header": {},
    }


def test_everything_that_was_said_of_a_schedule_is_shown():
    patch = patch_of(
        Upstash_Method="PUT",
        Upstash_Retries="5",
        Upstash_Delay="90s",
        Upstash_Timeout="7s",
        Upstash_Retry_Delay="1000 * retried",
        Upstash_Callback="https://a.example/cb",
        Upstash_Callback_Forward_X_Cb="1",
        Upstash_Failure_Callback="https://a.example/failed",
        Upstash_Failure_Callback_Forward_X_F="2",
        Upstash_Flow_Control_Key="k",
        Upstash_Flow_Control_Value="parallelism=3, rate=5, period=1m",
        Upstash_Label="a,b",
        Upstash_Forward_X_Trace="t",
        Content_Type="text/plain",
        Upstash_Cron="*/5 * * * *",
    )
    assert shown(
        [("msg_1", "SUCCESS"), ("msg_2", "IN_PROGRESS")],
        patch=patch,
        destination=GroupName("g"),
        body=b"hi",
        queue="q",
        caller_ip="203.0.113.9",
        paused=True,
        jitter_ms=1500,
        last_fired_at=NOW - 1,
        next_fire_at=NOW + 1,
        error="no such group",
    ) == {
        "scheduleId": "scd_1",
        "cron": "*/5 * * * *",
        "createdAt": NOW,
        "destination": "g",
        "method": "PUT",
        "retries": 5,
        "isPaused": True,
        "header": {"Content-Type": ["text/plain"], "X-Trace": ["t"]},
        "body": "hi",
        "delay": 90,
        "timeout": 7,
        "callback": "https://a.example/cb",
        "failureCallback": "https://a.example/failed",
        "callbackHeader": {"X-Cb": ["1"]},
        "failureCallbackHeader": {"X-F": ["2"]},
        "queueName": "q",
        "callerIP": "203.0.113.9",
        "flowControlKey": "k",
        "parallelism": 3,
        "rate": 5,
        "period": 60,
        "retryDelayExpression": "1000 * retried",
        "label": "a",
        "labels": ["a", "b"],
        "lastScheduleTime": NOW - 1,
        "nextScheduleTime": NOW + 1,
        "lastScheduleStates": {"msg_1": "SUCCESS", "msg_2": "IN_PROGRESS"},
        "error": "no such group",
        "jitter": 1.5,
    }


def test_a_body_that_is_no_text_is_shown_in_base64():
    assert shown(body=b"\xff\x00")["bodyBase64"] == "/wA="


def test_what_its_messages_hide_a_schedule_hides_too():
    patch = patch_of(
        Upstash_Redact_Fields="body, header[x-key]",
        Upstash_Forward_X_Key="secret",
        Upstash_Forward_X_Open="open",
        Upstash_Callback="https://a.example/cb",
        Upstash_Callback_Forward_X_Key="secret",
    )
    presented = shown(patch=patch, body=b"secret")
    assert presented["body"] == redacted(b"secret")
    assert presented["header"] == {"X-Key": [redacted(b"secret")], "X-Open": ["open"]}
    assert presented["callbackHeader"] == {"X-Key": [redacted(b"secret")]}
    assert "secret" not in str(presented)


def test_its_creator_is_told_the_next_five_times_in_the_schedules_zone():
    assert present_created(make_schedule("CRON_TZ=Europe/Berlin 30 9 * * *"), NOW) == {
        "scheduleId": "scd_1",
        "nextScheduleTimes": [f"2027-01-{day}T09:30:00+01:00" for day in (15, 16, 17, 18, 19)],
        "timeZone": "Europe/Berlin",
    }


def test_without_a_zone_the_times_are_utc():
    told = present_created(make_schedule("@hourly"), NOW)
    assert told["nextScheduleTimes"][0] == "2027-01-15T09:00:00+00:00"
    assert told["timeZone"] == "UTC"


def test_the_times_follow_the_clock_where_it_changes():
    before_spring = make_schedule("CRON_TZ=Europe/Berlin 30 2 * * *")
    late_march = 1_806_019_200_000  # 2027-03-26 00:00 UTC
    times = present_created(before_spring, late_march)["nextScheduleTimes"]
    assert "2027-03-27T02:30:00+01:00" in times
    assert not any(time.startswith("2027-03-28") for time in times)
    assert "2027-03-29T02:30:00+02:00" in times


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("", "is empty"),
        ("* * * *", "has 4 of the five fields"),
        ("* * * * * *", "six fields"),
        ("60 * * * *", "has '60' as its minute; write 0 to 59"),
        ("CRON_TZ=Mars/Base * * * * *", "time zone 'Mars/Base', which is unknown"),
        ("@noon", "names '@noon'; known are @hourly"),
        ("0 0 30 2 *", "never fires"),
        ("é * * * *", "has a character"),
    ],
)
def test_a_cron_expression_is_read_at_the_door(value, named):
    with pytest.raises(Malformed, match=f"^Upstash-Cron .*{named}") as caught:
        patch_of(Upstash_Cron=value)
    assert caught.value.code == "invalid_option"


def test_an_expression_is_kept_without_the_space_around_it():
    assert patch_of(Upstash_Cron="  TZ=Europe/Berlin 0 9 * * MON\t").cron == "TZ=Europe/Berlin 0 9 * * MON"

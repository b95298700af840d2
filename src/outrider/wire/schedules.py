"""Schedules as clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET

from outrider.domain.cron import Cron
from outrider.domain.destination import Destination, GroupName, Url
from outrider.domain.instant import SECOND_MS, Instant
from outrider.domain.options import DeliveryOptions
from outrider.domain.schedule import Schedule
from outrider.wire.present import (
    Presented,
    flow_control_of,
    labels_of,
    seconds,
    without_none,
)
from outrider.wire.redaction import shown_body, shown_callback_headers, shown_headers
from outrider.wire.schema import (
    FLOW_CONTROL,
    HEADERS,
    LABELS,
    SECONDS,
    TIME_MS,
    integer,
    list_of,
    map_of,
    one_of,
    text,
    thing,
    truth,
)

NEXT_TIMES = 5

RUN_STATES = ("IN_PROGRESS", "SUCCESS", "FAIL")
"""How a message of the last run stands."""


def present_schedule(schedule: Schedule, states: Mapping[str, str], defaults: DeliveryOptions) -> Presented:
    """A schedule as clients know it, redacted as its messages are.

    `states` are those of the messages of the last run, by id; `defaults` are the server's, for what
    the schedule does not say.
    """
    patch = schedule.patch
    options = patch.resolve(defaults)
    return without_none(
        {
            "scheduleId": schedule.id,
            "cron": schedule.cron,
            "createdAt": schedule.created_at,
            "destination": destination_text(schedule.destination),
            "method": options.method,
            "retries": options.retries,
            "isPaused": schedule.paused,
            "header": shown_headers(options.headers, options) or {},
            **shown_body(schedule.body, options),
            "delay": None if patch.delay_ms is UNSET else seconds(patch.delay_ms),
            "timeout": None if patch.timeout_ms is UNSET else seconds(patch.timeout_ms),
            "callback": None if options.callback is None else options.callback.url,
            "failureCallback": None if options.failure_callback is None else options.failure_callback.url,
            "callbackHeader": shown_callback_headers(options.callback, options),
            "failureCallbackHeader": shown_callback_headers(options.failure_callback, options),
            "queueName": schedule.queue,
            "callerIP": schedule.caller_ip,
            **flow_control_of(options),
            "retryDelayExpression": options.retry_delay,
            **labels_of(options),
            "lastScheduleTime": schedule.last_fired_at,
            "nextScheduleTime": schedule.next_fire_at,
            "lastScheduleStates": dict(states) or None,
            "error": schedule.error,
            "jitter": seconds(schedule.jitter_ms) if schedule.jitter_ms else None,
        }
    )


def present_created(schedule: Schedule, now: Instant) -> Presented:
    """What the creator of a schedule reads: its id, and when it fires next, so that a slip shows at once."""
    cron = Cron.parse(schedule.cron)
    zone = ZoneInfo(cron.zone)
    return {
        "scheduleId": schedule.id,
        "nextScheduleTimes": [
            datetime.fromtimestamp(fire // SECOND_MS, zone).isoformat() for fire in cron.upcoming(now, NEXT_TIMES)
        ],
        "timeZone": cron.zone,
    }


def destination_text(destination: Destination) -> str:
    """A destination as it was written: a URL or the name of a group."""
    match destination:
        case Url(text=written) | GroupName(name=written):
            return written


SCHEDULE = thing(
    "Schedule",
    {
        "scheduleId": text(),
        "cron": text("As it was given, without surrounding space."),
        "createdAt": TIME_MS,
        "destination": text("A URL, or the name of a URL group."),
        "method": text(),
        "retries": integer(),
        "isPaused": truth(),
        "header": HEADERS,
    },
    {
        "body": text(),
        "bodyBase64": text("The body if it is not UTF-8."),
        "delay": SECONDS,
        "timeout": SECONDS,
        "callback": text(),
        "failureCallback": text(),
        "callbackHeader": HEADERS,
        "failureCallbackHeader": HEADERS,
        "queueName": text(),
        "callerIP": text(),
        **FLOW_CONTROL,
        "retryDelayExpression": text(),
        **LABELS,
        "lastScheduleTime": TIME_MS,
        "nextScheduleTime": TIME_MS,
        "lastScheduleStates": map_of(one_of(RUN_STATES), "The messages of the last run, by id."),
        "error": text("Why the last run published nothing."),
        "jitter": SECONDS,
    },
)
SCHEDULE_CREATED = thing(
    "ScheduleCreated",
    {
        "scheduleId": text(),
        "nextScheduleTimes": list_of(text(), "The next five runs, ISO 8601 in the schedule's time zone."),
        "timeZone": text("The IANA name of the time zone the expression is read in."),
    },
)

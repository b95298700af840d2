"""THE option table: every word in which a request says how its message is to be delivered.

The parser, the reference page and the API description are read off it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from outrider.domain.limits import Limits
from outrider.wire import option_values as values


class Option(Struct, frozen=True, kw_only=True):
    """A row of the table.

    Attributes:
        name: the header's; as a query parameter it is written in lower case.
        field: of OptionPatch, or of a struct in it.
        read: the value's reader; raises ValueError with the rule.
        help: a sentence for people.
        example: a value that it may have.
        repeatable: whether several headers add up; otherwise two that differ are refused.
        in_callbacks: whether it may stand behind `Upstash-Callback-` too.
    """

    name: str
    field: str
    read: Callable[[str, Limits], Any]
    help: str
    example: str
    repeatable: bool = False
    in_callbacks: bool = False


OPTIONS = (
    Option(
        name="Upstash-Method",
        field="method",
        read=values.method,
        help="The method of the delivery: GET, POST, PUT, PATCH or DELETE. POST by default.",
        example="PUT",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Delay",
        field="delay_ms",
        read=values.delay,
        help="How long to wait before the first delivery, such as 10s, 5m or 1d10h30m; a bare number is seconds.",
        example="1h30m",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Not-Before",
        field="not_before",
        read=values.not_before,
        help="The earliest moment of the first delivery, Unix seconds. Beats the delay; one in the past is now.",
        example="1893456000",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Retries",
        field="retries",
        read=values.retries,
        help="How often a failed delivery is tried again. 3 by default; a callback takes its message's.",
        example="5",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Retry-Delay",
        field="retry_delay",
        read=values.retry_delay,
        help="Milliseconds between retries, an expression over `retried` such as 1000 * pow(2, retried).",
        example="1000 * pow(2, retried)",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Timeout",
        field="timeout_ms",
        read=values.timeout,
        help="How long one delivery may take, such as 30s.",
        example="30s",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Callback",
        field="callback",
        read=values.callback_url,
        help="The URL that is told of every attempt. Its own options stand behind Upstash-Callback-.",
        example="https://example.com/callback",
    ),
    Option(
        name="Upstash-Failure-Callback",
        field="failure_callback",
        read=values.callback_url,
        help="The URL that is told when a message is given up. Its own options stand behind Upstash-Failure-Callback-.",
        example="https://example.com/failed",
    ),
    Option(
        name="Upstash-Deduplication-Id",
        field="deduplication.id",
        read=values.deduplication_id,
        help="A message with the id of one published before, within the window, is not stored again. No ':'.",
        example="order-1234",
    ),
    Option(
        name="Upstash-Content-Based-Deduplication",
        field="deduplication.by_content",
        read=values.boolean,
        help="Derive the deduplication id from destination, body, Content-Type and forwarded headers.",
        example="true",
    ),
    Option(
        name="Upstash-Deduplication-Window",
        field="deduplication.window_ms",
        read=values.window,
        help="How long the deduplication id of this message is remembered.",
        example="10m",
    ),
    Option(
        name="Upstash-Flow-Control-Key",
        field="flow_control.key",
        read=values.flow_control_key,
        help="Messages with the same key share a rate and a parallelism.",
        example="mail/welcome",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Flow-Control-Value",
        field="flow_control.value",
        read=values.flow_control_value,
        help="The key's limits: parallelism=3, rate=5, period=1m. At least one of parallelism and rate.",
        example="parallelism=3, rate=5, period=1m",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Label",
        field="labels",
        read=values.labels,
        help="Labels to find the message by, separated by commas.",
        example="billing, monthly",
        repeatable=True,
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Redact-Fields",
        field="redaction",
        read=values.redaction,
        help="What is hidden wherever the message is shown: body, header, header[Name], separated by commas.",
        example="body, header[Authorization]",
        repeatable=True,
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Standard-Webhooks",
        field="standard_webhooks",
        read=values.boolean,
        help="Sign the delivery by Standard Webhooks too (webhook-id, -timestamp, -signature). As the tenant has it.",
        example="true",
        in_callbacks=True,
    ),
    Option(
        name="Upstash-Header-Forward",
        field="header_forward",
        read=values.boolean,
        help="Forward every header of the request that is not ours, hop-by-hop or Authorization.",
        example="true",
    ),
    Option(
        name="Upstash-Queue-Name",
        field="queue",
        read=values.name,
        help="The queue that a schedule's messages are put in.",
        example="orders",
    ),
    Option(
        name="Upstash-Cron",
        field="cron",
        read=values.cron,
        help="When a schedule fires: five fields, in UTC unless CRON_TZ=Area/City stands in front.",
        example="CRON_TZ=Europe/Berlin 0 9 * * MON-FRI",
    ),
    Option(
        name="Upstash-Cron-Jitter",
        field="cron_jitter_ms",
        read=values.jitter,
        help="Fire a schedule up to this much later, by chance.",
        example="5m",
    ),
    Option(
        name="Upstash-Schedule-Id",
        field="schedule_id",
        read=values.name,
        help="Create the schedule under this id, or overwrite the one that has it.",
        example="weekday-report",
    ),
)

FAMILIES = (
    ("Upstash-Forward-*", "Sent to the destination without the prefix; repeated values stay repeated."),
    ("Upstash-Callback-*", "An option of the callback message, or a header that it carries."),
    ("Upstash-Failure-Callback-*", "An option of the failure callback message, or a header that it carries."),
    ("Content-Type", "Kept and delivered; Upstash-Forward-Content-Type replaces it."),
)
"""What the parser knows besides the rows: name and help."""

PREFIX = "upstash-"
BY_NAME = {option.name.lower(): option for option in OPTIONS}
BY_CALLBACK_SUFFIX = {name[len(PREFIX) :]: option for name, option in BY_NAME.items() if option.in_callbacks}

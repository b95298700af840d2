"""What each option's value may be. Every reader raises ValueError with the rule that was broken."""

from __future__ import annotations

import re
from typing import Literal, cast

from outrider.domain.cron import Cron
from outrider.domain.duration import format_duration, parse_duration
from outrider.domain.errors import Malformed
from outrider.domain.expression import compile_expression
from outrider.domain.instant import DAY_MS, SECOND_MS, Instant
from outrider.domain.limits import Limits
from outrider.domain.options import FlowControl, Method, Redaction
from outrider.wire.destination import check_url
from outrider.wire.names import LONGEST_NAME, is_header_name, is_name

LONGEST_PERIOD_MS = 7 * DAY_MS
LONGEST_FLOW_CONTROL_KEY = 1024
MOST_A_PERIOD = 1_000_000_000

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_INTEGER = re.compile(r"[0-9]{1,9}")


def method(value: str, _: Limits) -> Method:
    verb = value.upper()
    if verb not in _METHODS:
        raise ValueError(f"is not a method; write one of {', '.join(_METHODS)}")
    return cast("Literal['GET', 'POST', 'PUT', 'PATCH', 'DELETE']", verb)


def retries(value: str, limits: Limits) -> int:
    if not _INTEGER.fullmatch(value):
        raise ValueError("is not a number of retries; write a whole number from 0")
    count = int(value)
    if count > limits.retries:
        raise ValueError(f"is over the limit of {limits.retries} retries; write that or less")
    return count


def retry_delay(value: str, _: Limits) -> str:
    return compile_expression(value).text


def delay(value: str, limits: Limits) -> int:
    span = parse_duration(value)
    if span > limits.delay_ms:
        raise ValueError(f"is over the longest delay of {format_duration(limits.delay_ms)}")
    return span


def not_before(value: str, _: Limits) -> Instant:
    """Whether it is too far off depends on the moment: `check_first_delivery` in `options.py` asks."""
    if not _UNIX_SECONDS.fullmatch(value):
        raise ValueError("is not a Unix time in seconds; write ten digits, such as 1767225600")
    if int(value) >= _YEAR_5138:
        raise ValueError("is far beyond any date; write seconds, not milliseconds")
    return int(value) * SECOND_MS


_UNIX_SECONDS = re.compile(r"[0-9]{1,15}")
_YEAR_5138 = 100_000_000_000


def timeout(value: str, limits: Limits) -> int:
    span = parse_duration(value)
    if span == 0:
        raise ValueError("leaves no time; write at least 1s")
    if span > limits.timeout_ms:
        raise ValueError(f"is over the longest timeout of {format_duration(limits.timeout_ms)}")
    return span


def callback_url(value: str, _: Limits) -> str:
    return check_url(value, "callback")


def labels(value: str, _: Limits) -> tuple[str, ...]:
    return tuple(label for part in value.split(",") if (label := part.strip()))


def deduplication_id(value: str, limits: Limits) -> str:
    if ":" in value:
        # Clients match this text.
        raise Malformed("DeduplicationId cannot contain ':'", hint="replace it, by '-' for example")
    if not value:
        raise ValueError("is empty; write an id or leave the header out")
    if len(value) > limits.deduplication_id_length:
        raise ValueError(f"is longer than {limits.deduplication_id_length} characters; a hash of it will do")
    return value


def boolean(value: str, _: Limits) -> bool:
    known = _BOOLEANS.get(value.lower())
    if known is None:
        raise ValueError("is neither true nor false")
    return known


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def window(value: str, _: Limits) -> int:
    span = parse_duration(value)
    if span == 0:
        raise ValueError("is no window; write at least 1s")
    return span


def flow_control_key(value: str, _: Limits) -> str:
    if not value:
        raise ValueError("is empty; write a key")
    if len(value) > LONGEST_FLOW_CONTROL_KEY:
        raise ValueError(f"is longer than {LONGEST_FLOW_CONTROL_KEY} characters")
    return value


def flow_control_value(value: str, _: Limits) -> FlowControl:
    """`parallelism=3, rate=5, period=1m`, in any order; its key comes apart and is still empty here."""
    said: dict[str, int] = {}
    for part in value.split(","):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals or name not in _FLOW_CONTROL:
            raise ValueError(_FLOW_CONTROL_RULE)
        if name in said:
            raise ValueError(f"says {name} twice")
        said[name] = _period(text) if name == "period" else _count(name, text)
    if "parallelism" not in said and "rate" not in said:
        raise ValueError("says neither parallelism nor rate; give at least one of them")
    return FlowControl(
        key="",
        parallelism=said.get("parallelism"),
        rate=said.get("rate"),
        period_ms=said.get("period", SECOND_MS),
    )


_FLOW_CONTROL = ("parallelism", "rate", "period")
_FLOW_CONTROL_RULE = "is not a flow control; write parallelism=3, rate=5, period=1m, or some of these"


def _count(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= MOST_A_PERIOD:
        raise ValueError(f"has a {name} that is no whole number from 1 to {MOST_A_PERIOD}")
    return int(text)


def _period(text: str) -> int:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"has a period that {error}") from None
    if not 0 < span <= LONGEST_PERIOD_MS:
        raise ValueError("has a period that is not between 0 and 7d")
    return span


def redaction(value: str, _: Limits) -> Redaction:
    body, all_headers, names = False, False, []
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        name = _REDACTED_HEADER.fullmatch(part)
        if part.lower() == "body":
            body = True
        elif part.lower() in ("header", "headers"):
            all_headers = True
        elif name is not None and is_header_name(name[1]):
            names.append(name[1].lower())
        else:
            raise ValueError("names something else than body, header and header[Name]")
    return Redaction(body=body, all_headers=all_headers, headers=tuple(dict.fromkeys(names)))


_REDACTED_HEADER = re.compile(r"headers?\[ *([^\]\s]+) *\]", re.IGNORECASE)


def name(value: str, _: Limits) -> str:
    if not is_name(value):
        raise ValueError(f"is not a name; write 1 to {LONGEST_NAME} letters, digits, '-', '_' and '.'")
    return value


def cron(value: str, _: Limits) -> str:
    if not value:
        raise ValueError("is empty; write five fields, such as '*/5 * * * *'")
    return Cron.parse(value).text


def jitter(value: str, limits: Limits) -> int:
    return delay(value, limits)

"""When a failed message is tried again.

    the destination's word   Retry-After, X-RateLimit-Reset, -Reset-Requests, -Reset-Tokens
    else the message's       its Retry-Delay expression
    else                     min(86400, e^(2.5 n)) seconds before the nth retry

The first of those headers that can be read counts. It is a number of seconds, a Go duration
(`6m5s`), an HTTP date or, since some APIs say when instead of how long, a Unix timestamp: a
number of 10^9 and more would be a span of over 30 years, so it is a moment in seconds, and
from 10^12 one in milliseconds. A header that asks for more than a day, or names a moment that
has passed (a clock that is wrong, or a limit that is not what failed), says nothing about
when to come back: the message's own backoff decides.
"""

from __future__ import annotations

import calendar
import math
import re
from email.utils import parsedate_tz

from outrider.domain.attempt import Response
from outrider.domain.expression import compile_expression
from outrider.domain.instant import DAY_MS, SECOND_MS, Instant

LONGEST_DELAY_MS = DAY_MS

HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")


def next_delay_ms(*, retried: int, expression: str | None, response: Response | None, now: Instant) -> int:
    """How long after `now` the retry that follows `retried` earlier ones is due; 0 … 1 day. Never raises."""
    asked = None if response is None else _asked_delay_ms(response, now)
    if asked is not None and 0 <= asked <= LONGEST_DELAY_MS:
        return asked
    if expression is not None:
        try:
            return compile_expression(expression).delay_ms(retried)
        except ValueError:
            # It was checked at publish; one that is no longer understood must not stop the retries.
            pass
    return default_delay_ms(retried + 1)


def default_delay_ms(n: int) -> int:
    """The delay before the nth retry: 12 s, 2 m 28 s, 30 m 8 s, 6 h 7 m, then a day."""
    return int(math.exp(2.5 * n) * SECOND_MS) if n < _FIRST_AT_THE_CAP else LONGEST_DELAY_MS


def earliest_attempts(first: Instant, *, retries: int, expression: str | None) -> list[Instant]:
    """When each attempt is made at the earliest, if all fail at once and the destination asks for no delay."""
    attempts = [first]
    for retried in range(retries):
        last = attempts[-1]
        attempts.append(last + next_delay_ms(retried=retried, expression=expression, response=None, now=last))
    return attempts


_FIRST_AT_THE_CAP = 5
"""e^(2.5 · 5) seconds are over a day."""


def _asked_delay_ms(response: Response, now: Instant) -> int | None:
    for name in HEADERS:
        value = response.header(name)
        if value is not None:
            delay = parse_retry_after(value, now)
            if delay is not None:
                return delay
    return None


_LONGEST_VALUE = 64
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,9})?")
# The micro sign, the Greek letter, and both as their UTF-8 read as Latin-1.
_GO_UNIT = "ns|us|\u00b5s|\u03bcs|\u00c2\u00b5s|\u00ce\u00bcs|ms|s|m|h"
_GO_PART = re.compile(rf"([0-9]{{1,15}}(?:\.[0-9]{{0,9}})?|\.[0-9]{{1,9}})({_GO_UNIT})")
_GO_DURATION = re.compile(rf"(?:{_GO_PART.pattern})+")
_GO_UNITS_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
_SMALLEST_TIMESTAMP_S = 1e9
_SMALLEST_TIMESTAMP_MS = 1e12


def parse_retry_after(value: str, now: Instant) -> int | None:
    """Milliseconds from `now` that the header asks for, negative for a moment that passed; None if it is unreadable."""
    value = value.strip()
    if len(value) > _LONGEST_VALUE:
        return None
    if _NUMBER.fullmatch(value):
        return _from_number(float(value), now)
    if _GO_DURATION.fullmatch(value):
        parts = _GO_PART.findall(value)
        return math.ceil(round(sum(float(count) * _GO_UNITS_MS.get(unit, 1e-3) for count, unit in parts), 6))
    return _from_date(value, now)


def _from_number(number: float, now: Instant) -> int:
    if number >= _SMALLEST_TIMESTAMP_MS:
        return math.ceil(number) - now
    if number >= _SMALLEST_TIMESTAMP_S:
        return math.ceil(number * SECOND_MS) - now
    return math.ceil(number * SECOND_MS)


def _from_date(value: str, now: Instant) -> int | None:
    try:
        date = parsedate_tz(value)
        if date is None:
            return None
        # HTTP dates are GMT, also where they do not say so.
        return (calendar.timegm(date[:9]) - (date[9] or 0)) * SECOND_MS - now
    except (ValueError, OverflowError, TypeError, IndexError):
        # A year out of range, and what Python's parser has raised for broken dates over time.
        return None

"""How it went: counts of what happened in steps of time, and of how long attempts took.

Everything is a count under a name, so that all of it adds up: what two processes counted, or the seconds of
an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from outrider.domain.event import Event, EventKind
from outrider.domain.histogram import BUCKETS, Latency, bucket_of, latency_of
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant

Counts = Mapping[str, int]
"""How often, by name: `accepted`, `dead_lettered`, and for attempts `<how it ended> <bucket of its duration>`.

How an attempt ended is `delivered`, or the kind of its error.
"""

ACCEPTED = "accepted"
DELIVERED = "delivered"
DEAD_LETTERED = "dead_lettered"


class ErrorKind(StrEnum):
    """Why an attempt failed: the class of the status, or why there was none."""

    STATUS_3XX = "status_3xx"
    STATUS_4XX = "status_4xx"
    STATUS_5XX = "status_5xx"
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    BLOCKED = "blocked"
    OTHER = "other"


# What is kept


class Resolution(Struct, frozen=True):
    """How fine counts are kept, and for how long."""

    step_ms: int
    kept_ms: int


RESOLUTIONS = (
    Resolution(SECOND_MS, 15 * MINUTE_MS),
    Resolution(10 * SECOND_MS, 6 * HOUR_MS),
    Resolution(MINUTE_MS, 2 * DAY_MS),
    Resolution(10 * MINUTE_MS, 10 * DAY_MS),
    Resolution(HOUR_MS, 35 * DAY_MS),
)
"""Finest first; each step is a multiple of the one before."""


class Row(Struct, frozen=True):
    """What a tenant's counts in one step of a resolution are to be increased by."""

    tenant: str
    step_ms: int
    time: Instant
    counts: Counts


def rows_of(counted: Mapping[tuple[str, Instant], Counts]) -> list[Row]:
    """What was counted, by tenant and time, in every resolution.

    In an order that is the same for all who add, so that nobody waits in a circle.
    """
    sums: dict[tuple[str, int, Instant], dict[str, int]] = {}
    for (tenant, time), counts in counted.items():
        for resolution in RESOLUTIONS:
            key = tenant, resolution.step_ms, time - time % resolution.step_ms
            add(sums.setdefault(key, {}), counts)
    return [Row(*key, sums[key]) for key in sorted(sums) if sums[key]]


def add(sums: dict[str, int], counts: Counts) -> None:
    """Add the counts to the sums."""
    for name, n in counts.items():
        sums[name] = sums.get(name, 0) + n


# Counting


def name_of(event: Event) -> str | None:
    """Under which name it counts; None if it does not. It is asked of every event."""
    kind, duration_ms = event.kind, event.duration_ms
    if duration_ms is None:
        return ACCEPTED if kind is _CREATED else None
    if kind is _DELIVERED:
        return _DELIVERED_NAMES[bucket_of(duration_ms)]
    if kind is _ERROR:
        return f"{_error_kind(event)} {bucket_of(duration_ms)}"
    return DEAD_LETTERED if kind is _FAILED else None


_CREATED, _DELIVERED, _ERROR, _FAILED = EventKind.CREATED, EventKind.DELIVERED, EventKind.ERROR, EventKind.FAILED
_DELIVERED_NAMES = tuple(f"{DELIVERED} {bucket}" for bucket in range(BUCKETS))


def _error_kind(event: Event) -> ErrorKind:
    if event.response is None:
        return ErrorKind.OTHER if event.failure is None else ErrorKind(event.failure.value)
    return _STATUS_KINDS.get(event.response.status // 100, ErrorKind.OTHER)


_STATUS_KINDS = {3: ErrorKind.STATUS_3XX, 4: ErrorKind.STATUS_4XX, 5: ErrorKind.STATUS_5XX}


# What is told


class Figures(Struct, frozen=True, kw_only=True):
    """What happened in some time.

    Attributes:
        accepted: messages that were stored, callbacks and those of schedules among them.
        delivered: attempts that succeeded.
        failed: attempts that did not.
        dead_lettered: messages that were given up.
        errors: the failed attempts, by kind.
        latency: of all attempts that ended; None without one.
    """

    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    dead_lettered: int = 0
    errors: dict[ErrorKind, int] = {}
    latency: Latency | None = None


def figures_of(counts: Counts) -> Figures:
    """What the counts say; a kind of error that a later release has counted is `other`."""
    ends: dict[str, int] = {}
    buckets: dict[int, int] = {}
    for name, n in counts.items():
        end, _, bucket = name.partition(" ")
        ends[end] = ends.get(end, 0) + n
        if bucket:
            buckets[int(bucket)] = buckets.get(int(bucket), 0) + n
    accepted, delivered, dead_lettered = (ends.pop(name, 0) for name in (ACCEPTED, DELIVERED, DEAD_LETTERED))
    errors: dict[ErrorKind, int] = {}
    for end, n in ends.items():
        kind = _KINDS.get(end, ErrorKind.OTHER)
        errors[kind] = errors.get(kind, 0) + n
    return Figures(
        accepted=accepted,
        delivered=delivered,
        failed=sum(errors.values()),
        dead_lettered=dead_lettered,
        errors=errors,
        latency=latency_of(buckets),
    )


_KINDS = {kind.value: kind for kind in ErrorKind}


class Span(Struct, frozen=True):
    """A time in steps of equal length, which begin at multiples of it.

    Attributes:
        begin, end: the end is not in it.
        read_ms: the step of the resolution that holds its counts.
    """

    begin: Instant
    end: Instant
    step_ms: int
    read_ms: int


def span_of(begin: Instant, end: Instant, points: int, now: Instant) -> Span:
    """At most so many steps up to `end`, which is in the last of them.

    The step is one of STEPS_MS or a multiple of a day, the shortest that is kept still and needs no more points.
    The first begins less than a step before or after `begin`.
    """
    finest = next((each for each in RESOLUTIONS if begin >= now - each.kept_ms), RESOLUTIONS[-1])
    wanted = max(finest.step_ms, -(-(end - begin) // points))
    step = next((step for step in STEPS_MS if step >= wanted), -(-wanted // DAY_MS) * DAY_MS)
    steps = -(-(end - begin) // step)
    last = -(-end // step) * step
    read = next(each.step_ms for each in reversed(RESOLUTIONS) if step % each.step_ms == 0)
    return Span(last - steps * step, last, step, read)


STEPS_MS = (
    *(seconds * SECOND_MS for seconds in (1, 2, 5, 10, 20, 30)),
    *(minutes * MINUTE_MS for minutes in (1, 2, 5, 10, 20, 30)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 6, 12, 24)),
)


class Point(Struct, frozen=True):
    """What happened in the step that begins then."""

    time: Instant
    figures: Figures


class Series(Struct, frozen=True):
    """What happened in each step of a span, and in all of it."""

    span: Span
    points: tuple[Point, ...]
    totals: Figures


def series_of(span: Span, counted: Iterable[tuple[Instant, Counts]]) -> Series:
    """Made of counts by their time, many of a step perhaps; where there are none, the point is there all the same."""
    steps: dict[Instant, dict[str, int]] = {time: {} for time in range(span.begin, span.end, span.step_ms)}
    for time, counts in counted:
        add(steps[time - time % span.step_ms], counts)
    totals: dict[str, int] = {}
    for counts in steps.values():
        add(totals, counts)
    return Series(span, tuple(Point(time, figures_of(counts)) for time, counts in steps.items()), figures_of(totals))

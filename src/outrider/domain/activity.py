"""How it went: counts of what happened in steps of time, and of how long attempts took.

Everything is a count under a name, so that all of it adds up: what two processes counted, or the seconds of
an hour. How long attempts took is counted in buckets of an HDR histogram: whole milliseconds up to 31, then 16
buckets for each power of two. A bucket is at most 1/16 of its durations wide, and its middle is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from outrider.domain.event import Event, EventKind
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant

Counts = Mapping[str, int]
"""How often, by name: one of the names below, or what begins with `error ` or `took `."""

ACCEPTED = "accepted"
DELIVERED = "delivered"
FAILED = "failed"
DEAD_LETTERED = "dead_lettered"
_ERROR = "error "
_TOOK = "took "


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


def count(sums: dict[str, int], event: Event) -> None:
    """Add an event to the sums. It is called for every one: 0.3 us."""
    kind = event.kind
    if kind is EventKind.CREATED:
        name = ACCEPTED
    elif kind is EventKind.DELIVERED:
        name = DELIVERED
    elif kind is EventKind.ERROR:
        name = FAILED
        error = _ERROR + _error_kind(event)
        sums[error] = sums.get(error, 0) + 1
    elif kind is EventKind.FAILED:
        sums[DEAD_LETTERED] = sums.get(DEAD_LETTERED, 0) + 1
        return
    else:
        return
    sums[name] = sums.get(name, 0) + 1
    if event.duration_ms is not None:
        took = _TOOK_NAMES[bucket_of(event.duration_ms)]
        sums[took] = sums.get(took, 0) + 1


def _error_kind(event: Event) -> ErrorKind:
    if event.response is None:
        return ErrorKind.OTHER if event.failure is None else ErrorKind(event.failure.value)
    return _STATUS_KINDS.get(event.response.status // 100, ErrorKind.OTHER)


_STATUS_KINDS = {3: ErrorKind.STATUS_3XX, 4: ErrorKind.STATUS_4XX, 5: ErrorKind.STATUS_5XX}


# How long attempts took

_EXACT_BITS = 5
_LONGEST_BITS = 31
"""Of a duration in milliseconds: 24 days."""

LONGEST_MS = (1 << _LONGEST_BITS) - 1
"""A longer attempt counts as one of this length."""


def bucket_of(duration_ms: int) -> int:
    """The number of its bucket; longer durations have higher numbers."""
    duration_ms = min(max(duration_ms, 0), LONGEST_MS)
    shift = max(0, duration_ms.bit_length() - _EXACT_BITS)
    return (shift << (_EXACT_BITS - 1)) + (duration_ms >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """The shortest and the longest duration in a bucket, milliseconds."""
    shift = max(0, (bucket >> (_EXACT_BITS - 1)) - 1)
    first = (bucket - (shift << (_EXACT_BITS - 1))) << shift
    return first, first + (1 << shift) - 1


_TOOK_NAMES = tuple(f"{_TOOK}{bucket}" for bucket in range(bucket_of(LONGEST_MS) + 1))


class Latency(Struct, frozen=True):
    """Milliseconds that 50, 95 and 99 of 100 attempts did not exceed, to within 1/32 of each."""

    p50: int
    p95: int
    p99: int


def latency_of(buckets: Mapping[int, int]) -> Latency | None:
    """Of attempts counted by bucket; None of nothing."""
    total = sum(buckets.values())
    if not total:
        return None
    p50, p95, p99 = (_at_rank(buckets, -(-total * percent // 100)) for percent in (50, 95, 99))
    return Latency(p50, p95, p99)


def _at_rank(buckets: Mapping[int, int], rank: int) -> int:
    """The middle of the bucket in which the attempt of this rank is; the shortest has rank 1."""
    passed = 0
    for bucket in sorted(buckets):
        passed += buckets[bucket]
        if passed >= rank:
            return sum(bounds_of(bucket)) // 2
    raise ValueError(f"there is no rank {rank} among {passed}")


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
    errors: dict[ErrorKind, int] = {}
    buckets: dict[int, int] = {}
    for name, n in counts.items():
        if name.startswith(_TOOK):
            buckets[int(name.removeprefix(_TOOK))] = n
        elif name.startswith(_ERROR):
            kind = _KINDS.get(name.removeprefix(_ERROR), ErrorKind.OTHER)
            errors[kind] = errors.get(kind, 0) + n
    return Figures(
        accepted=counts.get(ACCEPTED, 0),
        delivered=counts.get(DELIVERED, 0),
        failed=counts.get(FAILED, 0),
        dead_lettered=counts.get(DEAD_LETTERED, 0),
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


def series_of(span: Span, counted: Iterable[tuple[Instant, str, int]]) -> Series:
    """Made of counts by the beginning of their step; where there is none, the point is there all the same."""
    steps: dict[Instant, dict[str, int]] = {time: {} for time in range(span.begin, span.end, span.step_ms)}
    totals: dict[str, int] = {}
    for time, name, n in counted:
        add(steps[time], {name: n})
        add(totals, {name: n})
    return Series(span, _points(steps), figures_of(totals))


def _points(steps: Mapping[Instant, Counts]) -> tuple[Point, ...]:
    return tuple(Point(time, figures_of(counts)) for time, counts in steps.items())

"""What a tenant has used of its day, and when that begins anew."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.errors import LimitReached, Quota
from outrider.domain.instant import DAY_MS, SECOND_MS, Instant


class Usage(Struct, frozen=True, kw_only=True):
    """A tenant's UTC day.

    Attributes:
        day: its first instant.
        messages: published in it; callbacks do not count.
        limit, remaining: how many may be published, and how many still may; None is no limit.
        resets_at: when the next day begins.
    """

    day: Instant
    messages: int
    limit: int | None
    remaining: int | None
    resets_at: Instant


def day_of(now: Instant) -> Instant:
    """The first instant of the UTC day."""
    return now - now % DAY_MS


def usage_at(now: Instant, messages: int, limit: int | None) -> Usage:
    """What `messages` published in the day of `now` mean for its limit."""
    day = day_of(now)
    return Usage(
        day=day,
        messages=messages,
        limit=limit,
        remaining=None if limit is None else max(0, limit - messages),
        resets_at=day + DAY_MS,
    )


def check_daily_limit(used: int, more: int, per_day: int, now: Instant) -> None:
    """Raise LimitReached if `more` messages do not fit the day that has `used` of `per_day` already."""
    if used + more <= per_day:
        return
    left = max(0, per_day - used)
    raise LimitReached(
        f"{more} more would exceed the limit of {per_day} messages a day: {used} were published since midnight UTC",
        window="daily",
        quota=Quota(limit=per_day, remaining=left, resets_at_s=(day_of(now) + DAY_MS) // SECOND_MS),
        code="daily_limit_reached",
        hint="wait for the next day, UTC, or raise limits.messages_per_day",
    )

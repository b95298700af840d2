"""Cron expressions: when a schedule fires.

Five fields, `minute hour day month weekday`, with names (`MON`, `jan`), ranges, steps, lists,
`L` and `LW` for the last day and the last working day of the month, `5L` for its last Friday
and `1#2` for its second Monday; or one of `@hourly`, `@daily`, … (`MACROS`). In front may stand
`CRON_TZ=Area/City ` or `TZ=Area/City `; without it the fields are UTC. As in Vixie's cron,
day and weekday must both match if one of them begins with `*`, else either will do.

Where clocks change:

    gap       a local time that does not exist is skipped, not moved: the next fire is the next one
    overlap   a local time that comes twice fires the first time only, `*/30 1 * * *` included;
              but an expression that admits every hour (`* * * * *`, `0 * * * *`, `*/5 0-23 * * *`)
              means a rhythm, not a time of day: it goes on through the repeated hour
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from outrider.domain.instant import DAY_MS, SECOND_MS, Instant

LONGEST_TEXT = 256

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class ClockChange(NamedTuple):
    """The moment from which a zone's clock shows another time; offsets from UTC, before and after."""

    at: Instant
    before_ms: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression. Two are the same value if their texts are.

    Attributes:
        text: as it was given, without surrounding space.
        zone: the name of the time zone its fields are read in.
    """

    text: str
    zone: str = field(compare=False)
    _fields: str = field(compare=False, repr=False)
    _tzinfo: tzinfo = field(compare=False, repr=False)
    _every_hour: bool = field(compare=False, repr=False)

    @staticmethod
    def parse(text: str) -> Cron:
        """The expression, checked. Raises ValueError with the part that is wrong, the rule and the remedy."""
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"is longer than {LONGEST_TEXT} characters; split it into several schedules")
        return _parse(text.strip())

    def next_after(self, instant: Instant) -> Instant | None:
        """The first fire strictly after the instant; None if none comes within 50 years."""
        if instant not in _CALENDAR:
            return None
        fire = self._first_fire(self._wall(instant), instant)
        if fire is None or not self._every_hour:
            return fire
        fall_back = self._fall_back(instant, min(fire, instant + DAY_MS))
        if fall_back is None:
            return fire
        repeated = self._first_fire(self._wall(fall_back) - _SECOND, instant)
        return fire if repeated is None else min(fire, repeated)

    def last_at_or_before(self, instant: Instant) -> Instant | None:
        """The last fire at or before the instant; None if none came within 50 years."""
        if instant not in _CALENDAR:
            return None
        fire = self._last_fire(self._wall(instant), instant)
        fall_back = self._fall_back(instant - DAY_MS, instant)
        if fall_back is None:
            return fire
        # The clock shows less than it did before it fell back, so later times lie on its other side.
        before = self._last_fire(self._wall(fall_back - 1), instant)
        return max((found for found in (fire, before) if found is not None), default=None)

    def upcoming(self, instant: Instant, n: int) -> list[Instant]:
        """The next `n` fires strictly after the instant."""
        fires: list[Instant] = []
        fire = self.next_after(instant)
        while fire is not None and len(fires) < n:
            fires.append(fire)
            fire = self.next_after(fire)
        return fires

    def period_at(self, instant: Instant) -> int | None:
        """Milliseconds from the last fire at or before the instant to the next; None if one of them is missing."""
        last, following = self.last_at_or_before(instant), self.next_after(instant)
        return None if last is None or following is None else following - last

    def clock_changes(self, start: Instant, end: Instant, most: int) -> list[ClockChange]:
        """The first changes of the zone's clock in (start, end], at most so many. Two within a day are one."""
        changes: list[ClockChange] = []
        if self._tzinfo is UTC or start not in _CALENDAR or end not in _CALENDAR:
            return changes
        before = self._offset(start)
        while start < end and len(changes) < most:
            following = min(start + DAY_MS, end)
            after = self._offset(following)
            if after != before:
                at = self._first_unlike(before, start, following)
                changes.append(ClockChange(at, before // _MILLISECOND, after // _MILLISECOND))
            start, before = following, after
        return changes

    def _first_fire(self, wall: datetime, after: Instant) -> Instant | None:
        """The first of the local times later than `wall` that comes strictly after the instant."""
        for candidate in self._candidates(wall):
            for instant in self._instants(candidate):
                if instant > after:
                    return instant
        return None

    def _last_fire(self, wall: datetime, until: Instant) -> Instant | None:
        """The last of the local times up to `wall` that comes at or before the instant."""
        for candidate in self._candidates(wall + _SECOND, reverse=True):
            for instant in reversed(self._instants(candidate)):
                if instant <= until:
                    return instant
        return None

    def _candidates(self, wall: datetime, *, reverse: bool = False) -> Iterator[datetime]:
        """Local times that match the fields, whether or not they exist in the zone, for 50 years."""
        for candidate in CronSim(self._fields, wall, reverse=reverse):
            if abs(candidate.year - wall.year) > _HORIZON_YEARS:
                return
            yield candidate

    def _instants(self, wall: datetime) -> tuple[Instant, ...]:
        """When the expression fires for a local time: never in a gap, twice in an overlap if it is a rhythm."""
        if self._tzinfo is UTC:
            return ((wall - _EPOCH) // _MILLISECOND,)
        local = wall.replace(tzinfo=self._tzinfo)
        first, second = local.utcoffset() or _ZERO, local.replace(fold=1).utcoffset() or _ZERO
        if first < second:
            return ()
        earlier = (wall - first - _EPOCH) // _MILLISECOND
        if first == second or not self._every_hour:
            return (earlier,)
        return (earlier, (wall - second - _EPOCH) // _MILLISECOND)

    def _fall_back(self, start: Instant, end: Instant) -> Instant | None:
        """The instant in (start, end], at most a day, when the zone's clock was set back; None if it was not."""
        if self._tzinfo is UTC:
            return None
        offset = self._offset(start)
        if self._offset(end) >= offset:
            return None
        return self._first_unlike(offset, start, end)

    def _first_unlike(self, offset: timedelta, start: Instant, end: Instant) -> Instant:
        """When the offset, which is that at `start` and not that at `end`, is over."""
        while end - start > 1:
            middle = (start + end) // 2
            if self._offset(middle) == offset:
                start = middle
            else:
                end = middle
        return end

    def _wall(self, instant: Instant) -> datetime:
        return datetime.fromtimestamp(instant // SECOND_MS, self._tzinfo).replace(tzinfo=None, fold=0)

    def _offset(self, instant: Instant) -> timedelta:
        return datetime.fromtimestamp(instant // SECOND_MS, self._tzinfo).utcoffset() or _ZERO


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are naive here
_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_ZERO = timedelta()
_HORIZON_YEARS = 50
_CALENDAR = range(2 * DAY_MS, 250_000_000_000_000)
"""1970 to 9892: what can be computed with, with 50 years to spare before the calendar of `datetime` ends."""
_REFERENCE = 1_704_067_200_000
"""2024-01-01: an expression that does not fire in the 50 years from here never does."""

_PREFIX = re.compile(r"(?:CRON_)?TZ=([^ \t]*)[ \t]*(.*)")
_ZONE = re.compile(r"(?!(?:posix|right)/|localtime\Z|posixrules\Z)[A-Za-z0-9_+\-]+(?:/[A-Za-z0-9_+\-]+)*")
"""Names that may be looked up. The four excluded are no IANA names; `right/` counts leap seconds."""
_STEPPED_LAST = re.compile(r"L[^,]*/")

_FIELDS = (
    (Field.MINUTE, "minute", "0 to 59"),
    (Field.HOUR, "hour", "0 to 23"),
    (Field.DAY, "day of the month", "1 to 31, L or LW"),
    (Field.MONTH, "month", "1 to 12 or JAN to DEC"),
    (Field.DOW, "day of the week", "0 to 7 or SUN to SAT (0 and 7 are Sunday), 5L or 1#2"),
)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Cron:
    expression, zone = text, "UTC"
    if not all(" " <= character <= "~" or character == "\t" for character in text):
        raise ValueError("has a character that cannot be in a cron expression; write ASCII, fields apart by spaces")
    prefix = _PREFIX.fullmatch(text)
    if prefix is not None:
        zone, expression = prefix.groups()
    zone_info = _load_zone(zone)
    if expression.startswith("@"):
        expression = _expand(expression)
    parts = expression.upper().split()
    _check(parts)
    cron = Cron(text, zone, " ".join(parts), zone_info, _every_hour=_admits_every_hour(parts[1]))
    if not _ever_fires(cron):
        raise ValueError(
            f"never fires: no day or no time matches {expression!r}; write a date and a time that come, "
            "such as '0 0 L * *' for the last day of each month"
        )
    return cron


def _load_zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such file; no zone in it; a folder such as `America`
        pass
    raise ValueError(f"names the time zone {name!r}, which is unknown; write an IANA name, CRON_TZ=Europe/Berlin say")


def _expand(macro: str) -> str:
    fields = MACROS.get(macro.lower())
    if fields is None:
        raise ValueError(f"names {macro!r}; known are {', '.join(MACROS)}, or write five fields such as '*/5 * * * *'")
    return fields


def _check(parts: list[str]) -> None:
    if len(parts) == len(_FIELDS) + 1:
        raise ValueError(
            "has six fields, and a schedule has five: minute hour day month weekday; leave out the seconds, or the year"
        )
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"has {len(parts)} of the five fields minute hour day month weekday; write all, such as '*/5 * * * *'"
        )
    for part, (kind, name, allowed) in zip(parts, _FIELDS, strict=True):
        if not _is_valid(kind, part):
            raise ValueError(
                f"has {part!r} as its {name}; write {allowed}, or '*', with a-b for ranges that do not run backwards, "
                "/n for steps, commas for lists"
            )


def _is_valid(kind: Field, part: str) -> bool:
    if kind is Field.DAY and _STEPPED_LAST.search(part):
        return False  # the library takes it, and ignores the step
    try:
        kind.parse(part)
    except CronSimError:
        return False
    return True


def _admits_every_hour(hours: str) -> bool:
    return len(Field.HOUR.parse(hours)) == 24


def _ever_fires(cron: Cron) -> bool:
    try:
        return cron.next_after(_REFERENCE) is not None
    except CronSimError:  # the months have no such day
        return False

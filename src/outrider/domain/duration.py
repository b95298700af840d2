"""Durations as people write them: `10s`, `5m`, `1d10h30m`."""

from __future__ import annotations

import re

from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

LONGEST_MS = 36_500 * DAY_MS
"""A hundred years: more is a slip of the pen, and would not fit where times are stored."""

_UNITS_MS = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS}
_PART = r"([0-9]{1,12})(?:\.([0-9]{1,3}))?([dhms])"
_PARTS = re.compile(_PART)
_WHOLE = re.compile(rf"(?:{_PART} ?)+", re.ASCII)
_BARE_SECONDS = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?")


def parse_duration(text: str) -> int:
    """Milliseconds of a combination of `d h m s`, in any order; a bare number is seconds.

    Fractions go down to a thousandth of a unit (`1.5s`). Raises ValueError with the rule.
    """
    text = text.strip()
    bare = _BARE_SECONDS.fullmatch(text)
    if bare is not None:
        total = _span_ms(bare[1], bare[2], SECOND_MS)
    elif _WHOLE.fullmatch(f"{text} "):
        total = sum(_span_ms(whole, part, _UNITS_MS[unit]) for whole, part, unit in _PARTS.findall(text))
    else:
        raise ValueError("is not a duration; write 10s, 5m or 1h30m")
    if total > LONGEST_MS:
        raise ValueError("is longer than 100 years (36500d)")
    return total


def format_duration(ms: int) -> str:
    """The duration for people: `1m 30s`, `250ms` as `0.25s`; `parse_duration` reads it back."""
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    parts = []
    for unit in "dhm":
        count, ms = divmod(ms, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if ms or not parts:
        parts.append(f"{ms / SECOND_MS:g}s")
    return sign + " ".join(parts)


def _span_ms(whole: str, fraction: str | None, unit_ms: int) -> int:
    span = int(whole) * unit_ms
    if fraction:
        span += int(fraction.ljust(3, "0")) * unit_ms // 1000
    return span

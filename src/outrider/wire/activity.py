"""Figures, as clients ask for them and read them."""

from __future__ import annotations

import re

from msgspec import Struct

from outrider.domain.activity import ErrorKind, Figures, Series
from outrider.domain.errors import Malformed
from outrider.domain.instant import HOUR_MS, Instant
from outrider.wire.parameters import Parameter, Parameters, read_parameters, table_of
from outrider.wire.schema import TIME_MS, integer, list_of, thing

DEFAULT_POINTS = 120
MOST_POINTS = 1000
DEFAULT_RANGE_MS = HOUR_MS


class ActivityRequest(Struct, frozen=True):
    """From when to when, in at most how many steps."""

    begin: Instant
    end: Instant
    points: int


def parse_activity_query(parameters: Parameters, now: Instant) -> ActivityRequest:
    """By default the last hour. Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, ACTIVITY_PARAMETERS)
    end = said.get("end", now)
    begin = said.get("begin", max(0, end - DEFAULT_RANGE_MS))
    if begin >= end:
        raise Malformed(
            f"query parameter from '{begin}' is not before to '{end}'",
            code="invalid_parameter",
            hint="both are Unix times in milliseconds; to is now unless said, and from an hour before it",
        )
    return ActivityRequest(begin, end, min(said.get("points", DEFAULT_POINTS), MOST_POINTS))


def present_series(series: Series) -> dict[str, object]:
    return {
        "from": series.span.begin,
        "to": series.span.end,
        "step": series.span.step_ms,
        "points": [{"time": point.time, **_present_figures(point.figures)} for point in series.points],
        "totals": _present_figures(series.totals),
    }


def _present_figures(figures: Figures) -> dict[str, object]:
    """What there is none of is left out, but for the counts."""
    shown: dict[str, object] = {
        "accepted": figures.accepted,
        "delivered": figures.delivered,
        "failed": figures.failed,
        "deadLettered": figures.dead_lettered,
    }
    if figures.latency is not None:
        shown["latency"] = {"p50": figures.latency.p50, "p95": figures.latency.p95, "p99": figures.latency.p99}
    if figures.errors:
        shown["errors"] = {kind.value: n for kind, n in sorted(figures.errors.items())}
    return shown


def _instant(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError("is not a Unix time in milliseconds")
    return int(value)


def _points(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise ValueError("is not a count; write a whole number from 1")
    return int(value)


ACTIVITY_PARAMETERS = table_of(
    Parameter("from", "begin", _instant, "From this moment on, Unix milliseconds: an hour before `to` unless said."),
    Parameter("to", "end", _instant, "Up to this moment, Unix milliseconds: now unless said."),
    Parameter(
        "points", "points", _points, f"At most so many steps: {DEFAULT_POINTS} unless said, {MOST_POINTS} at most."
    ),
)

_FIGURES = {
    "accepted": integer("Messages that were stored, callbacks and those of schedules among them."),
    "delivered": integer("Attempts that succeeded."),
    "failed": integer("Attempts that failed."),
    "deadLettered": integer("Messages that were given up."),
}
_PERHAPS = {
    "latency": thing(
        "LatencyFigures",
        {
            "p50": integer("Milliseconds that half of the attempts did not exceed."),
            "p95": integer("Milliseconds that 95 of 100 attempts did not exceed."),
            "p99": integer("Milliseconds that 99 of 100 attempts did not exceed."),
        },
    ),
    "errors": {
        "type": "object",
        "description": "The failed attempts, by the class of their status or by why there was none.",
        "properties": {kind.value: integer() for kind in ErrorKind},
        "additionalProperties": False,
    },
}

ACTIVITY = thing(
    "Activity",
    {
        "from": TIME_MS,
        "to": TIME_MS,
        "step": integer("The length of a step, milliseconds."),
        "points": list_of(
            thing("ActivityPoint", {"time": TIME_MS, **_FIGURES}, _PERHAPS), "One a step, earliest first, none missing."
        ),
        "totals": thing("ActivityTotals", _FIGURES, _PERHAPS),
    },
)

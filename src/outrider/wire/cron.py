"""When a cron expression fires, as clients ask for it and read it."""

from __future__ import annotations

import re

from msgspec import Struct

from outrider.domain.cron import ClockChange, Cron
from outrider.domain.errors import Malformed
from outrider.domain.instant import DAY_MS, Instant
from outrider.wire.names import quoted
from outrider.wire.parameters import Parameter, Parameters, read_parameters, table_of
from outrider.wire.schema import TIME_MS, integer, list_of, text, thing

DEFAULT_COUNT = 5
MOST_RUNS = 100
MOST_CHANGES = 20
FARTHEST_CHANGE_MS = 5 * 366 * DAY_MS


class CronRequest(Struct, frozen=True):
    """A question to `/v2/cron`. `start` None is now."""

    cron: Cron
    count: int
    start: Instant | None


def parse_cron_request(parameters: Parameters) -> CronRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, CRON_PARAMETERS)
    if "expression" not in said:
        raise Malformed(
            "query parameter expression is missing",
            code="invalid_cron",
            hint="write ?expression= and a cron expression, encoded, such as */5+*+*+*+*",
        )
    return CronRequest(
        parse_cron(said["expression"], said.get("zone")),
        min(said.get("count", DEFAULT_COUNT), MOST_RUNS),
        said.get("start"),
    )


def parse_cron(expression: str, zone: str | None = None) -> Cron:
    """The expression, read in a zone, if one is named. Raises Malformed."""
    text_of = expression.strip()
    if zone is not None and re.match(r"(?:CRON_)?TZ=", text_of):
        raise Malformed(
            f"expression {quoted(text_of)} names a time zone, and so does timezone", hint="name it in one of them"
        )
    try:
        return Cron.parse(text_of if zone is None else f"CRON_TZ={zone} {text_of}")
    except ValueError as error:
        raise Malformed(f"cron expression {quoted(text_of)} {error}", code="invalid_cron") from None


def present_cron(cron: Cron, start: Instant, count: int) -> dict[str, object]:
    """The runs after `start`, and the changes of the zone's clock until the last of them."""
    runs = cron.upcoming(start, count)
    until = min(runs[-1], start + FARTHEST_CHANGE_MS) if runs else start
    changes = cron.clock_changes(start, until, MOST_CHANGES)
    return {
        "expression": cron.text,
        "timezone": cron.zone,
        "next": runs,
        "transitions": [_present_change(change) for change in changes],
    }


def _present_change(change: ClockChange) -> dict[str, int]:
    return {"time": change.at, "offsetBefore": change.before_ms, "offsetAfter": change.after_ms}


def _whole(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise ValueError("is not a count; write a whole number from 1")
    return int(value)


def _instant(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError("is not a Unix time in milliseconds")
    return int(value)


CRON_PARAMETERS = table_of(
    Parameter("expression", "expression", str, "The cron expression, as Upstash-Cron takes it."),
    Parameter("timezone", "zone", str, "The IANA name of the time zone it is read in, if it names none itself."),
    Parameter("count", "count", _whole, f"So many runs: {DEFAULT_COUNT} if nothing is said, at most {MOST_RUNS}."),
    Parameter("from", "start", _instant, "The runs after this moment, Unix milliseconds; now if nothing is said."),
)
CRON = thing(
    "CronRuns",
    {
        "expression": text(),
        "timezone": text("The IANA name of the time zone the expression is read in."),
        "next": list_of(TIME_MS, "The next runs."),
        "transitions": list_of(
            thing(
                "ClockChange",
                {
                    "time": TIME_MS,
                    "offsetBefore": integer("Milliseconds that the zone was ahead of UTC."),
                    "offsetAfter": integer("Milliseconds that it is from then on."),
                },
            ),
            "When the zone's clock changes before the last run: the first 20 in five years.",
        ),
    },
)

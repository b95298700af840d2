"""Flow-control keys as clients read them, and the parameters that pin and unpin them."""

from __future__ import annotations

import re

from msgspec import Struct

from outrider.domain.duration import parse_duration
from outrider.domain.errors import Malformed
from outrider.domain.flow_control import KeyState, count_in_window
from outrider.domain.instant import SECOND_MS, Instant
from outrider.wire.option_values import LONGEST_PERIOD_MS, MOST_A_PERIOD
from outrider.wire.parameters import Parameter, Parameters, boolean, read_parameters, table_of
from outrider.wire.present import seconds
from outrider.wire.schema import SECONDS, integer, text, thing, truth


class Pin(Struct, frozen=True):
    """Limits to fix; None leaves one as it is. At least one is given."""

    parallelism: int | None
    rate: int | None
    period_ms: int | None


class Unpin(Struct, frozen=True):
    """Which limits messages may change again."""

    parallelism: bool
    rate: bool


def parse_pin(parameters: Parameters) -> Pin:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, PIN_PARAMETERS)
    if not said:
        raise Malformed(
            "the query pins nothing",
            code="nothing_named",
            hint="write at least one of parallelism, rate and period, such as ?parallelism=3&rate=5&period=60",
        )
    return Pin(said.get("parallelism"), said.get("rate"), said.get("period_ms"))


def parse_unpin(parameters: Parameters) -> Unpin:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, UNPIN_PARAMETERS)
    if not said:
        raise Malformed(
            "the query unpins nothing",
            code="nothing_named",
            hint="write ?parallelism=true, ?rate=true or both",
        )
    return Unpin(said.get("parallelism", False), said.get("rate", False))


def parse_search(parameters: Parameters) -> str:
    """What the keys that are asked for contain; empty for all of them."""
    # Clients send an empty search for none.
    said = read_parameters([pair for pair in parameters if pair[0].lower() != "search" or pair[1]], SEARCH_PARAMETERS)
    search: str = said.get("search", "")
    return search


def present_key(key: str, state: KeyState, now: Instant) -> dict[str, object]:
    """A key with every field; what has no limit has the limit 0."""
    return {
        "flowControlKey": key,
        "waitListSize": state.waiting,
        "parallelismMax": state.parallelism or 0,
        "parallelismCount": state.in_flight,
        "rateMax": state.rate or 0,
        "rateCount": count_in_window(state, now),
        "ratePeriod": seconds(state.period_ms),
        "ratePeriodStart": (state.window_started_at or 0) // SECOND_MS,
        "isPaused": state.paused,
        "isPinnedParallelism": state.pinned_parallelism,
        "isPinnedRate": state.pinned_rate,
    }


def _limit(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or not 1 <= int(value) <= MOST_A_PERIOD:
        raise ValueError(f"is no whole number from 1 to {MOST_A_PERIOD}")
    return int(value)


def _period(value: str) -> int:
    span = parse_duration(value)
    if not 0 < span <= LONGEST_PERIOD_MS:
        raise ValueError("is not between 0 and 7d")
    return span


SEARCH_PARAMETERS = table_of(Parameter("search", "search", str, "Only keys that contain this."))
PIN_PARAMETERS = table_of(
    Parameter("parallelism", "parallelism", _limit, "Most deliveries in flight."),
    Parameter("rate", "rate", _limit, "Most starts in a period."),
    Parameter("period", "period_ms", _period, "How long a period is, in seconds; alone it pins the rate as it is."),
)
UNPIN_PARAMETERS = table_of(
    Parameter("parallelism", "parallelism", boolean, "Whether messages may change the parallelism again."),
    Parameter("rate", "rate", boolean, "Whether messages may change rate and period again."),
)

FLOW_CONTROL_KEY = thing(
    "FlowControlKey",
    {
        "flowControlKey": text(),
        "waitListSize": integer("Messages that wait for the key."),
        "parallelismMax": integer("Most deliveries in flight; 0 is no limit."),
        "parallelismCount": integer("Deliveries in flight."),
        "rateMax": integer("Most starts in a period; 0 is no limit."),
        "rateCount": integer("Starts in the period that runs."),
        "ratePeriod": SECONDS,
        "ratePeriodStart": integer("When the last period began, Unix seconds; 0 if none has."),
        "isPaused": truth(),
        "isPinnedParallelism": truth(),
        "isPinnedRate": truth(),
    },
)
GLOBAL_PARALLELISM = thing(
    "GlobalParallelism",
    {"parallelismMax": integer("Most deliveries in flight."), "parallelismCount": integer("Deliveries in flight.")},
)

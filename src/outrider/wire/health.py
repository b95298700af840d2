"""How endpoints of a URL group fare, as clients ask for it and read it."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.duration import parse_duration
from outrider.domain.health import DEAD_AFTER, MOST_ATTEMPTS, EndpointHealth, Flag
from outrider.wire.parameters import Parameter, Parameters, boolean, read_parameters, table_of
from outrider.wire.schema import TIME_MS, integer, list_of, of_type, one_of, text, thing


class HealthRequest(Struct, frozen=True):
    """Whether to show the health of endpoints, and of which window; None is the usual one."""

    wanted: bool = False
    window_ms: int | None = None


def parse_health_query(parameters: Parameters) -> HealthRequest:
    """Raises Malformed naming the parameter, its value and the rule. A window asks for health, too."""
    said = read_parameters(parameters, HEALTH_PARAMETERS)
    window_ms = said.get("window_ms")
    return HealthRequest(said.get("wanted", window_ms is not None), window_ms)


def present_health(health: EndpointHealth) -> dict[str, object]:
    """How an endpoint fares; what there is none of is left out."""
    known: dict[str, object | None] = {
        "successRate": health.success_rate,
        "lastSuccessTime": health.last_success_at,
        "lastError": health.last_error,
        "lastErrorTime": health.last_error_at,
        "latencyP50": health.p50_ms,
        "latencyP95": health.p95_ms,
        "duplicateOf": list(health.duplicate_of) or None,
    }
    return {
        "attempts": health.attempts,
        "successes": health.successes,
        "flags": [flag.value for flag in health.flags],
        **{name: value for name, value in known.items() if value is not None},
    }


HEALTH_PARAMETERS = table_of(
    Parameter("health", "wanted", boolean, "Show how each endpoint fares."),
    Parameter("window", "window_ms", parse_duration, "Over how long, such as 6h: 1d unless said."),
)

ENDPOINT_HEALTH = thing(
    "EndpointHealth",
    {
        "attempts": integer(f"Attempts that ended in the window; of more than {MOST_ATTEMPTS}, the latest."),
        "successes": integer("Those of them that succeeded."),
        "flags": list_of(
            one_of(tuple(Flag)),
            f"dead: none of at least {DEAD_AFTER} attempts in the window succeeded. never_succeeding: none of at "
            f"least {DEAD_AFTER} that the log remembers did. duplicate: another endpoint is the same URL.",
        ),
    },
    {
        "successRate": of_type("number", "From 0 to 1; absent without an attempt."),
        "lastSuccessTime": TIME_MS,
        "lastError": text("What went wrong with the latest attempt that failed."),
        "lastErrorTime": TIME_MS,
        "latencyP50": integer("Milliseconds that half of the successes did not exceed."),
        "latencyP95": integer("Milliseconds that 95 of 100 successes did not exceed."),
        "duplicateOf": list_of(text(), "The URLs of the endpoints that are the same, spelled otherwise."),
    },
)

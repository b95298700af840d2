"""What a tenant has used, as clients read it."""

from __future__ import annotations

from datetime import UTC, datetime

from outrider.domain.instant import SECOND_MS
from outrider.domain.usage import Usage
from outrider.wire.schema import TIME_MS, integer, of_type, thing


def present_usage(usage: Usage) -> dict[str, object]:
    """A UTC day's messages; without a limit, `limit` and `remaining` are null."""
    return {
        "day": datetime.fromtimestamp(usage.day // SECOND_MS, UTC).date().isoformat(),
        "messages": usage.messages,
        "limit": usage.limit,
        "remaining": usage.remaining,
        "resetsAt": usage.resets_at,
    }


_PERHAPS = {"type": ["integer", "null"]}

USAGE = thing(
    "Usage",
    {
        "day": of_type("string", "The UTC day, such as 2027-01-15.") | {"format": "date"},
        "messages": integer("Messages published in it; callbacks do not count."),
        "limit": _PERHAPS | {"description": "Most messages a day; null is no limit."},
        "remaining": _PERHAPS | {"description": "What is left of them."},
        "resetsAt": TIME_MS,
    },
)

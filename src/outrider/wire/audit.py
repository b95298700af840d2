"""The audit log, as clients ask for it and read it."""

from __future__ import annotations

import re

from msgspec import Struct

from outrider.domain.audit import AuditEntry
from outrider.wire.parameters import Parameter, Parameters, read_parameters, table_of
from outrider.wire.schema import TIME_MS, list_of, text, thing

DEFAULT_COUNT = 100
MOST_ENTRIES = 1000


class AuditQuery(Struct, frozen=True):
    """A page: `count` entries with ids below `before`, which is None for the first page."""

    count: int
    before: int | None


def parse_audit_query(parameters: Parameters) -> AuditQuery:
    """Raises Malformed."""
    said = read_parameters(parameters, AUDIT_PARAMETERS)
    return AuditQuery(min(said.get("count", DEFAULT_COUNT), MOST_ENTRIES), said.get("before"))


def present_audit_entry(entry: AuditEntry) -> dict[str, object]:
    """`actor` is the id of a token, and `tokenHint` the last four characters of it; or who else it was."""
    shown = {"time": entry.time, "actor": entry.actor, "action": entry.action, "subject": entry.subject}
    return shown | {"tokenHint": entry.hint} if entry.hint else shown


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise ValueError("is not a count; write a whole number from 1")
    return int(value)


def _cursor(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise ValueError("is not a cursor of this listing; give it back as it came, or none for the first page")
    return int(value)


AUDIT_PARAMETERS = table_of(
    Parameter("count", "count", _count, "At most so many."),
    Parameter("cursor", "before", _cursor, "Where the page before ended: its `cursor`."),
)

AUDIT_PAGE = thing(
    "AuditPage",
    {
        "entries": list_of(
            thing(
                "AuditEntry",
                {
                    "time": TIME_MS,
                    "actor": text("The id of the token, `command line`, or `server`."),
                    "action": text("What was done, such as queue.pause."),
                    "subject": text("On what: a name, an id, a count."),
                },
                {"tokenHint": text("The last four characters of the token.")},
            ),
            "Latest first.",
        )
    },
    {"cursor": text("Where the next page begins; none on the last.")},
)

"""How severe each event and each note is."""

from __future__ import annotations

from typing import Literal

from outrider.domain.event import EventKind

Severity = Literal["debug", "info", "warning", "error"]

SEVERITY_OF_EVENT: dict[EventKind, Severity] = {
    EventKind.CREATED: "debug",
    EventKind.ACTIVE: "debug",
    EventKind.DELIVERED: "info",
    EventKind.ERROR: "warning",
    EventKind.RETRY: "info",
    EventKind.FAILED: "error",
    EventKind.CANCEL_REQUESTED: "debug",
    EventKind.CANCELED: "info",
}

_SEVERITY_OF_ENDING: dict[str, Severity] = {
    "failed": "error",
    "faulted": "error",
    "lost": "warning",
    "off": "warning",
    "awaited": "warning",
    "incomplete": "warning",
    "scarce": "warning",
    "full": "warning",
}


def severity_of_note(name: str) -> Severity:
    """A note's severity is told by its last word: `store_failed` is an error, `lease_lost` a warning."""
    return _SEVERITY_OF_ENDING.get(name.rpartition("_")[2], "info")

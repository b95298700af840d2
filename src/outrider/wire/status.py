"""How things stand, as clients read it."""

from __future__ import annotations

from typing import get_args

from outrider.domain.status import MOST_COUNTED, Status, StoreKind
from outrider.wire.schema import TIME_MS, integer, list_of, one_of, text, thing, truth


def present_status(status: Status, version: str) -> dict[str, object]:
    """What there is none of is left out, but for the counts."""
    standing = status.standing
    shown: dict[str, object] = {
        "version": version,
        "time": status.now,
        "store": {"kind": status.store.kind, "sizeBytes": status.store.size_bytes},
        "nodes": [{"id": node.id, "seenAt": node.seen_at, "leaseMs": node.lease_ms} for node in status.nodes],
        "inFlight": {progress.value: number for progress, number in standing.in_flight.items()},
        "deadLetters": standing.dead_letters,
        "scheduleLag": status.schedule_lag_ms,
        "queues": standing.queues,
        "schedules": standing.schedules,
    }
    if standing.oldest_due is not None:
        shown["oldestDue"] = {"messageId": standing.oldest_due.message_id, "dueAt": standing.oldest_due.due_at}
    if standing.capped:
        shown["capped"] = True
    return shown


STATUS = thing(
    "Status",
    {
        "version": text("Of the server."),
        "time": TIME_MS,
        "store": thing(
            "StoreStatus",
            {
                "kind": one_of(get_args(StoreKind)),
                "sizeBytes": integer("What the database takes on its disk, all tenants' data together."),
            },
        ),
        "nodes": list_of(
            thing(
                "NodeStatus",
                {
                    "id": text("Of a process that delivers."),
                    "seenAt": TIME_MS,
                    "leaseMs": integer("For so long from then on it is taken to live."),
                },
            )
        ),
        "inFlight": thing(
            "InFlight",
            {
                "active": integer("Messages that are attempted right now."),
                "retrying": integer("Messages that are to be attempted again, now or later."),
                "delayed": integer("Messages that are to be attempted first at a later time."),
                "waiting": integer(
                    "Messages that a queue or a key holds back, or that are due and were not attempted yet."
                ),
            },
        ),
        "deadLetters": integer("Messages that were given up and are kept."),
        "scheduleLag": integer("By how much the next trigger of a schedule is late, milliseconds."),
        "queues": integer("How many there are."),
        "schedules": integer("How many there are."),
    },
    {
        "oldestDue": thing(
            "OldestDue",
            {"messageId": text("Of the message that is due the longest, and not begun."), "dueAt": TIME_MS},
        ),
        "capped": truth(f"That of messages or dead letters {MOST_COUNTED} were counted, and there may be more."),
    },
)

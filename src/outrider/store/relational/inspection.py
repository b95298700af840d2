"""What must be true of a store whatever was done to it, looked up in its rows. Nothing is changed."""

from __future__ import annotations

from outrider.ports import Violation
from outrider.store.relational.connection import Connection

INVARIANTS = {
    "miscounted_slots": "the queue counts other slots in use than there are",
    "miscounted_lines": "the queue counts others in its line than stand there",
    "miscounted_flights": "the key counts other messages in flight than it admitted",
    "miscounted_wait_lists": "the key counts others on its list than wait there",
    "waiting_unheld": "the message stands in a line or on a list and is not held",
    "held_for_nothing": "the message is held and stands nowhere, or twice",
    "admitted_astray": "the message was admitted by its key and is not on its way",
    "leased_unadmitted": "the message is leased past a key that did not admit it",
    "unfinished_without_slot": "the message neither holds a slot of its queue nor stands in its line",
    "slots_held_on": "the message holds a slot though it and its callbacks are finished",
    "finished_reporting": "the message is finished and still keeps the slot of another from being free",
    "stalled_queues": "somebody waits in the queue though there is a slot, and nobody will open it",
    "stalled_keys": "somebody waits for the key though there is room and nobody will open it, or nobody waits",
}
"""Queries that must find nothing, and what it means where they do. They are described in `queries/inspection.sql`."""

MOST_OF_EACH = 20


async def inspect(connection: Connection) -> list[Violation]:
    """What is not as it must be, at most MOST_OF_EACH of a kind; one snapshot."""
    return [
        Violation(subject, fault)
        for query, fault in INVARIANTS.items()
        for subject in await connection.read(query, str, limit=MOST_OF_EACH)
    ]

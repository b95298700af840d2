"""What happened to a message: the entries of `/v2/logs`, and the source of every metric.

The store writes events in the transaction that made them true; observers see the same
values after its commit.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from outrider.domain.attempt import Failure, Response
from outrider.domain.instant import Instant
from outrider.domain.message import Message


class EventKind(StrEnum):
    """The states a client knows; the official SDKs accept exactly these.

    CREATED → ACTIVE → DELIVERED, or ACTIVE → ERROR → RETRY → ACTIVE …, or ACTIVE → ERROR → FAILED.
    A message has exactly one DELIVERED, FAILED or CANCELED.
    """

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"


IN_PROGRESS = (EventKind.ACTIVE, EventKind.RETRY, EventKind.ERROR)
"""What the filter `state=IN_PROGRESS` asks for."""


IN_TROUBLE = (EventKind.RETRY, EventKind.ERROR, EventKind.FAILED, EventKind.CANCEL_REQUESTED, EventKind.CANCELED)
"""What most messages never have: stores find these without looking through all others."""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry; slim, it refers to its message for everything else.

    Attributes:
        time: when it happened.
        next_delivery_at: with RETRY, when the next attempt is due.
        response: what the destination answered, with ERROR and DELIVERED.
        duration_ms: how long the attempt took, with ERROR and DELIVERED.
        failure: with ERROR, why no answer came. Figures are made of it; the log keeps the sentence.
    """

    tenant: str
    message_id: str
    kind: EventKind
    time: Instant
    error: str | None = None
    next_delivery_at: Instant | None = None
    response: Response | None = None
    duration_ms: int | None = None
    failure: Failure | None = None


def created(message: Message) -> Event:
    """The first entry of every message."""
    return Event(tenant=message.tenant, message_id=message.id, kind=EventKind.CREATED, time=message.created_at)

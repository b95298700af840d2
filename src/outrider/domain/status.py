"""How things stand now: what is on its way, what was given up, and how far behind anything is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from outrider.domain.instant import Instant
from outrider.domain.message import Progress

StoreKind = Literal["sqlite", "postgresql"]


class StoreSize(Struct, frozen=True):
    """Which database, and what it takes on its disk."""

    kind: StoreKind
    size_bytes: int


MOST_COUNTED = 10_000
"""Of a tenant's unfinished messages, and of its dead letters: to count more would take too long to ask often."""


class Due(Struct, frozen=True):
    """A message that could be attempted since then."""

    message_id: str
    due_at: Instant


class Standing(Struct, frozen=True, kw_only=True):
    """What a tenant has in the store.

    Attributes:
        in_flight: how many unfinished messages stand so; of each progress there is a number.
        oldest_due: of those that are due and not begun; None if nothing is.
        next_fire_at: of the schedules of all tenants; None if none will fire.
        capped: whether as many were counted as may be: there may be more.
    """

    in_flight: Mapping[Progress, int]
    dead_letters: int
    queues: int
    schedules: int
    oldest_due: Due | None
    next_fire_at: Instant | None
    capped: bool


class NodeSeen(Struct, frozen=True):
    """A node, when it was last heard of, and for how long from then on it is taken to live."""

    id: str
    seen_at: Instant
    lease_ms: int


class Status(Struct, frozen=True, kw_only=True):
    """How things stand, for one tenant.

    Attributes:
        schedule_lag_ms: by how much the next trigger that is to fire is late, 0 if it is not.
    """

    now: Instant
    store: StoreSize
    nodes: tuple[NodeSeen, ...]
    standing: Standing
    schedule_lag_ms: int


def schedule_lag_ms(next_fire_at: Instant | None, now: Instant) -> int:
    """By how much a trigger is late."""
    return 0 if next_fire_at is None else max(0, now - next_fire_at)

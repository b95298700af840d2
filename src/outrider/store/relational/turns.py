"""Claims that take turns.

What one tenant sends to one host is a lane. While more is due than a node can hold, or a host is left out, claims
look at lanes in the order of their names, from where the latest claim stopped: each gives its earliest messages, all
the same number as far as they have them. So whoever sends little waits for one round of the others at most, and
what waits in a lane that is left out costs nothing, however much it is.

One look sees at most LANES of them, also those of which nothing is due yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from outrider.domain.hosts import Hosts
from outrider.domain.instant import Instant
from outrider.store.relational.connection import Connection

LANES = 500

Lane = tuple[str, str]
"""A tenant and a host."""

FIRST: Lane = ("", "")
"""What comes before every lane."""

ROUNDS = 4
"""How often one claim asks on those lanes that had as many as they were asked for."""


class Candidate(Struct, array_like=True, frozen=True):
    """A message that is due: its lane as a place in the list of those that were asked for, and who minds its key."""

    seq: int
    lane: int
    tenant_of_key: str | None


class _Front(Struct, array_like=True, frozen=True):
    tenant: str
    host: str
    due_at: Instant


class Fronts(Struct, frozen=True):
    """The earliest message of each lane, due or not.

    Attributes:
        all: whether there are no more lanes.
    """

    seen: Sequence[_Front]
    all: bool

    def due(self, now: Instant) -> list[Lane]:
        """The lanes that have anything due."""
        return [(front.tenant, front.host) for front in self.seen if front.due_at <= now]

    def next_due_at(self) -> Instant | None:
        """When the first of them is due."""
        return min((front.due_at for front in self.seen), default=None)


async def look_at_lanes(connection: Connection, after: Lane, hosts: Hosts) -> Fronts:
    """Those that follow `after`, the first ones behind the last ones, those of these hosts."""
    seen = await _fronts(connection, after, LANES)
    if len(seen) < LANES and after != FIRST:
        seen += [front for front in await _fronts(connection, FIRST, LANES - len(seen)) if _lane(front) <= after]
    return Fronts([front for front in seen if front.host in hosts], len(seen) < LANES)


async def take_turns(
    connection: Connection, lanes: Sequence[Lane], now: Instant, *, room: int, most: int
) -> list[Candidate]:
    """Up to `room` of the earliest messages of these lanes: as many of each, if it has them, and `most` at most."""
    found: list[Candidate] = []
    asked = list(lanes[:room])
    taken = 0
    for _ in range(ROUNDS):
        each = min((room - len(found)) // len(asked), most - taken) if asked else 0
        if not each:
            break
        more = await connection.read("due_in_lanes", Candidate, lanes=asked, now=now, each=each, taken=taken)
        found += more
        taken += each
        given = [0] * len(asked)
        for candidate in more:
            given[candidate.lane] += 1
        asked = [lane for lane, count in zip(asked, given, strict=True) if count == each]
    return found


async def _fronts(connection: Connection, after: Lane, most: int) -> list[_Front]:
    tenant, host = after
    return await connection.read("find_lanes", _Front, tenant=tenant, host=host, most=most)


def _lane(front: _Front) -> Lane:
    return front.tenant, front.host

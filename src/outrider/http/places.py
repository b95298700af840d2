"""How many clients may be connected at once, and who has to go when one more comes."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from outrider.domain.errors import Unavailable

if TYPE_CHECKING:
    from outrider.http.connection import Connection

CUT_AT_ONCE = 32
"""To look for those who have waited longest takes a look at everyone, which this many newcomers share."""

QUIET_S = 60.0
"""At most so often it is told that all places are taken."""


class Places:
    """Counts the connections of clients.

    One more than may be takes the place of some that wait for a request, or for the client to read or to go: those
    whose time would be over first. Whoever is in the middle of a request is left alone. So a flood of idle or slow
    clients keeps nobody out; only as many requests under way as there are places do, and then a newcomer is refused.

    Args:
        most: how many there may be.
        on_full: told, not too often, that a newcomer found no free place.
    """

    def __init__(self, most: int, on_full: Callable[[], None]) -> None:
        self._most = most
        self._on_full = on_full
        self._told_at = -math.inf
        self._taken: set[Connection] = set()

    def take(self, newcomer: Connection) -> Unavailable | None:
        """Count a connection; an error if it cannot be served. It has a place until it leaves either way."""
        is_full = len(self._taken) >= self._most and not self._make_room()
        self._taken.add(newcomer)
        return self._no_place() if is_full else None

    def leave(self, connection: Connection) -> None:
        """It has ended. Idempotent."""
        self._taken.discard(connection)

    def _make_room(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + QUIET_S:
            self._told_at = now
            self._on_full()
        waiting = (one for one in self._taken if one.may_be_cut)
        for one in heapq.nsmallest(CUT_AT_ONCE, waiting, key=lambda one: one.deadline):
            one.cut()
        return len(self._taken) < self._most

    def _no_place(self) -> Unavailable:
        return Unavailable(
            f"all of the {self._most} connections that clients may have are in use",
            code="too_many_connections",
            hint="use fewer connections and keep them, or raise the setting max_connections",
        )

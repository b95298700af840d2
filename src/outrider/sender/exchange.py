"""One request and its response, on a kept connection or a fresh one.

A request is written twice in a single case: it went out on a kept connection which the far end then
closed, within a second and with nothing of an answer. That is how a connection looks that was closed
while idle. The alternative, a failed attempt and a retry after its backoff, would repeat the request
just as well, only later.
"""

from __future__ import annotations

import asyncio

from outrider.domain.attempt import Response
from outrider.sender.connection import Connection
from outrider.sender.connections import Connections
from outrider.sender.failures import Disconnected, Lost
from outrider.sender.place import Place

STALE_WITHIN_S = 1
"""A kept connection that ends this soon after a request, unanswered, was closed before it."""


async def exchange(connections: Connections, place: Place, head: bytes, body: bytes, deadline: float) -> Response:
    """Send a request to a place. Raises what `failures` lists."""
    kept = connections.take(place)
    if kept is not None:
        try:
            return await kept.ask(head, body, deadline)
        except (Disconnected, Lost):
            if connections.is_closed or not _was_stale(kept):
                raise
            connections.drop_idle(place)  # they are as stale as the one that failed
        finally:
            connections.give_back(kept)
    fresh = await connections.open(place, deadline)
    try:
        return await fresh.ask(head, body, deadline)
    finally:
        connections.give_back(fresh)


def _was_stale(kept: Connection) -> bool:
    return not kept.has_heard and asyncio.get_running_loop().time() - kept.since < STALE_WITHIN_S

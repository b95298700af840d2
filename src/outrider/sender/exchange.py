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
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        try:
            return await _ask(connections, kept, head, body, deadline)
        except (Disconnected, Lost):
            is_stale = not kept.has_heard and loop.time() - asked_at < STALE_WITHIN_S
            if not is_stale or connections.is_closed:
                raise
        connections.drop_idle(place)  # they are as stale as the one that failed
    return await _ask(connections, await connections.open(place, deadline), head, body, deadline)


async def _ask(connections: Connections, connection: Connection, head: bytes, body: bytes, deadline: float) -> Response:
    try:
        return await connection.ask(head, body, deadline)
    finally:
        connections.give_back(connection)

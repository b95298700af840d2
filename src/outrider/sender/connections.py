"""Connections to destinations: kept for a moment after use, few when idle."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial

from outrider.domain.addresses import AddressPolicy
from outrider.sender.connecting import Connector
from outrider.sender.connection import Connection
from outrider.sender.failures import Stopping
from outrider.sender.guard import Guard
from outrider.sender.names import Names
from outrider.sender.place import Place
from outrider.sender.resolver import Lookup

DNS_CACHE_S = 10

IDLE_S = 4
"""How long a connection is kept: less than the 5 s after which common servers close theirs."""


class Connections:
    """A pool. How many are in use is for the caller to bound. Made while the event loop runs."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        connect_timeout_ms: int,
        most_idle: int,
        most_body_bytes: int,
        ssl_context: ssl.SSLContext,
        resolver: Lookup,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._names = Names(resolver, DNS_CACHE_S)
        self._connector = Connector(
            Guard(policy),
            self._names,
            ssl_context,
            timeout_ms=connect_timeout_ms,
            make=partial(Connection, most_body_bytes=most_body_bytes, owner=self),
        )
        self._most_idle = most_idle
        self._open: set[Connection] = set()
        self._idle: dict[Place, dict[Connection, None]] = {}  # of each place, in the order they were given back
        self._idle_count = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._all_ended: asyncio.Future[None] | None = None

    def take(self, place: Place) -> Connection | None:
        """A kept connection, the one used last: it is the least likely to have been closed. None without any."""
        idle = self._idle.get(place)
        if not idle:
            return None
        now = self._loop.time()
        while idle:
            connection, _ = idle.popitem()
            self._idle_count -= 1
            if connection.is_open and connection.since >= now - IDLE_S:
                connection.since = now
                return connection
            connection.close()
        return None

    async def open(self, place: Place, deadline: float) -> Connection:
        """A fresh connection. Raises what `Connector.connect` does, and Stopping."""
        connection = None if self.is_closed else await self._connector.connect(place, deadline)
        if connection is None:
            raise Stopping
        if self.is_closed:
            connection.abort()
            raise Stopping
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose exchange is complete; cut any other, whatever is still under way on it."""
        if self._idle_count >= self._most_idle or not connection.is_reusable or self.is_closed:
            connection.abort()  # at once: an orderly end of TLS would wait for the far end
            return
        connection.since = self._loop.time()
        idle = self._idle.get(connection.place)
        if idle is None:
            idle = self._idle[connection.place] = {}
        idle[connection] = None
        self._idle_count += 1
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(IDLE_S, self._sweep)

    def drop_idle(self, place: Place) -> None:
        """Cut the kept connections of a place."""
        idle = self._idle.pop(place, {})
        self._idle_count -= len(idle)
        for connection in idle:
            connection.abort()

    @property
    def is_closed(self) -> bool:
        return self._all_ended is not None

    async def close(self) -> None:
        """Cut all connections, those in use as well, and wait until they are gone."""
        if self._all_ended is None:
            self._all_ended = self._loop.create_future()
            if self._sweeper is not None:
                self._sweeper.cancel()
            self._idle.clear()
            for connection in self._open:
                connection.abort()
            self._note_end()
        await self._names.close()
        await self._all_ended

    def opened(self, connection: Connection) -> None:
        """A connection began."""
        self._open.add(connection)

    def ended(self, connection: Connection) -> None:
        """A connection is no more."""
        self._open.discard(connection)
        idle = self._idle.get(connection.place)
        if idle is not None and connection in idle:
            del idle[connection]
            self._idle_count -= 1
        self._note_end()

    def _note_end(self) -> None:
        if self._all_ended is not None and not self._open and not self._all_ended.done():
            self._all_ended.set_result(None)

    def _sweep(self) -> None:
        """Close what was idle for too long."""
        kept_since = self._loop.time() - IDLE_S
        for place, idle in list(self._idle.items()):
            for connection in [one for one in idle if one.since <= kept_since]:
                del idle[connection]
                self._idle_count -= 1
                connection.close()
            if not idle:
                del self._idle[place]
        self._sweeper = self._loop.call_later(IDLE_S, self._sweep) if self._idle else None

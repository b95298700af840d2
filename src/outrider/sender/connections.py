"""Connections to destinations: kept for a moment after use, few when idle, all behind the guard."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache

from aiohttp import ClientTimeout
from aiohttp.abc import AbstractResolver
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from outrider.domain.addresses import AddressPolicy
from outrider.sender.guard import Call, Guard
from outrider.sender.reception import Connector

DNS_CACHE_S = 10

IDLE_S = 4
"""How long a connection is kept: less than the 5 s after which common servers close theirs."""


class Connections:
    """A pool on aiohttp's connector. Made while the event loop runs."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        connect_timeout_ms: int,
        most_idle: int,
        ssl_context: ssl.SSLContext,
        resolver: AbstractResolver,
    ) -> None:
        self._connector = Connector(
            resolver=resolver,
            ssl_context=ssl_context,
            socket_factory=Guard(policy).make_socket,
            dns_cache_s=DNS_CACHE_S,
            idle_s=IDLE_S,
        )
        self._connect_timeout_s = connect_timeout_ms / 1000
        self._most_idle = most_idle
        self._place = lru_cache(maxsize=1024)(_place)
        self._open = 0
        self._in_use = 0

    async def connect(self, origin: str, call: Call) -> Connection:
        """A connection, kept or fresh; `call.opened` tells which. Raises TimeoutError, OSError, ClientError."""
        place = self._place(origin)
        call.host = f"{place.url.host_subcomponent}:{place.port}"
        while True:
            connection = await self._connect_once(place, call)
            if call.opened or _is_quiet(connection):
                return connection
            self.drop(connection)

    async def connect_anew(self, origin: str, call: Call) -> Connection:
        """A fresh connection; the kept ones are closed, being as stale as the one that failed."""
        while True:
            connection = await self.connect(origin, call)
            if call.opened:
                return connection
            self.drop(connection)

    def keep(self, connection: Connection) -> None:
        """Give back a connection whose exchange is complete."""
        if self._open - self._in_use >= self._most_idle or not _is_quiet(connection):
            self.drop(connection)  # at once: an orderly end of TLS would wait for the far end
            return
        self._in_use -= 1
        connection.release()

    def drop(self, connection: Connection) -> None:
        """Cut a connection, whatever is still under way on it."""
        self._in_use -= 1
        if connection.transport is not None:
            connection.transport.abort()
        connection.close()

    @property
    def is_closed(self) -> bool:
        return self._connector.closed

    async def close(self) -> None:
        await self._connector.close(abort_ssl=True)

    async def _connect_once(self, place: ClientRequest, call: Call) -> Connection:
        call.opened = False
        call.phase = f"looking up {place.host}"
        async with asyncio.timeout(self._connect_timeout_s):
            connection = await self._connector.connect(place, traces=[], timeout=_NO_TIMEOUT)
        self._in_use += 1
        protocol = connection.protocol
        closed = protocol.closed if call.opened and protocol is not None else None
        if closed is not None:
            self._open += 1
            closed.add_done_callback(self._forget)
        return connection

    def _forget(self, closed: asyncio.Future[None]) -> None:
        self._open -= 1
        if not closed.cancelled():
            closed.exception()  # how it ended was told to whoever used it


_NO_TIMEOUT = ClientTimeout(total=None, connect=None, sock_connect=None)
"""The attempt has its own."""


def _place(origin: str) -> ClientRequest:
    """Where to connect, in the form the connector takes; nothing else of it is used."""
    return ClientRequest("POST", URL(origin, encoded=True), loop=asyncio.get_running_loop())


def _is_quiet(connection: Connection) -> bool:
    """Whether a connection can take a request: it is to stay open, and nothing came that would pass for an answer."""
    return connection.protocol is not None and not connection.protocol.should_close

"""What arrives on a connection, counted before it is parsed.

aiohttp bounds the size of a header field and their number, not their sum: a hundred hostile
destinations could make it hold 150 MB of headers that never end.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType
from aiohttp.http_exceptions import LineTooLong

LONGEST_HEADER = 64 * 1024


class Reception(ResponseHandler):
    """The receiving side of a connection.

    Attributes:
        received: bytes that came since the request, or since the last interim response.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.received = 0
        self._is_head_complete = True

    def expect_head(self) -> None:
        """Count anew: what comes next is the head of a response."""
        self.received = 0
        self._is_head_complete = False

    def data_received(self, data: bytes) -> None:
        """Parse what came, in parts small enough to notice a head that is too large."""
        if self._is_head_complete:
            super().data_received(data)
            return
        for start in range(0, len(data), LONGEST_HEADER):
            self._receive_head(data[start : start + LONGEST_HEADER])
            if self.exception() is not None:
                return

    def _receive_head(self, part: bytes) -> None:
        super().data_received(part)
        if self._is_head_complete:
            return
        self.received += len(part)
        self._is_head_complete = len(self) > 0
        if self.received > LONGEST_HEADER and not self._is_head_complete:
            self.set_exception(LineTooLong(b"", LONGEST_HEADER))
            if self.transport is not None:
                self.transport.abort()


class Connector(TCPConnector):
    """aiohttp's connector, whose connections are `Reception`s. Made while the event loop runs."""

    def __init__(
        self,
        *,
        resolver: AbstractResolver,
        ssl_context: ssl.SSLContext,
        socket_factory: Callable[[AddrInfoType], socket.socket],
        dns_cache_s: int,
        idle_s: int,
    ) -> None:
        super().__init__(
            resolver=resolver,
            ssl=ssl_context,
            socket_factory=socket_factory,
            ttl_dns_cache=dns_cache_s,
            keepalive_timeout=idle_s,
            limit=0,  # the dispatcher bounds how many are in use
        )
        self._factory = partial(_make_reception, self._loop)


def _make_reception(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Reception(loop)

"""One request and its response on a connection."""

from __future__ import annotations

import asyncio

from aiohttp import ClientOSError, ServerDisconnectedError
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from outrider.domain.attempt import Response
from outrider.domain.options import Headers
from outrider.sender.failures import HEADER_OVER_LIMIT, BrokenOff, MalformedResponse
from outrider.sender.guard import Call
from outrider.sender.reception import LONGEST_HEADER, Reception

STALE_WITHIN_S = 1
"""A kept connection that ends this soon after a request, unanswered, was closed before it."""

LONGEST_FIELD = 16 * 1024
MOST_FIELDS = 200
READ_AHEAD = 32 * 1024

ONE_WRITE = 16 * 1024
"""Smaller bodies are joined to the head: one packet instead of two."""


class Stale(Exception):
    """A kept connection had been closed by the far end when it was used again."""


class Exchange:
    """A request and its response. `is_reusable` tells whether the connection can serve another."""

    def __init__(self, connection: Connection, call: Call, most_body_bytes: int) -> None:
        self._connection = connection
        self._call = call
        self._most_body_bytes = most_body_bytes
        self._is_kept = not call.opened
        self.is_reusable = False

    async def run(self, head: bytes, body: bytes) -> Response:
        """Write the request, read the response.

        Raises:
            Stale: a kept connection ended with no answer, so soon that it had ended before.
            BrokenOff, MalformedResponse, ClientError, OSError, HttpProcessingError: no whole response came.
        """
        protocol = self._prepare()
        self._call.phase = "waiting for the answer"
        self._write(head, body)
        message, payload = await self._read_head(protocol)
        headers = _headers(message)
        kept, is_whole = await self._read_body(protocol, message, payload)
        self.is_reusable = is_whole and message.code != 101 and self._is_written()
        return Response(message.code, headers, kept, truncated=not is_whole)

    def _prepare(self) -> Reception:
        protocol = self._connection.protocol
        if not isinstance(protocol, Reception):
            raise ServerDisconnectedError  # it closed in this very moment
        protocol.expect_head()
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_AHEAD,
            max_line_size=LONGEST_FIELD,
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
        )
        return protocol

    def _write(self, head: bytes, body: bytes) -> None:
        transport = self._connection.transport
        if transport is None:
            raise Stale if self._is_kept else ServerDisconnectedError
        if len(body) <= ONE_WRITE:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)

    def _is_written(self) -> bool:
        """Whether the far end took the whole request; one may answer earlier, to refuse it."""
        transport = self._connection.transport
        return transport is not None and transport.get_write_buffer_size() == 0

    async def _read_head(self, protocol: Reception) -> tuple[RawResponseMessage, StreamReader]:
        loop = asyncio.get_running_loop()
        written_at = loop.time()
        may_be_stale = self._is_kept
        try:
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                may_be_stale = False
                protocol.expect_head()
                message, payload = await protocol.read()
        except (ServerDisconnectedError, ClientOSError) as lost:
            if may_be_stale and protocol.received == 0 and loop.time() - written_at < STALE_WITHIN_S:
                raise Stale from lost
            raise
        except asyncio.CancelledError:
            if not self._is_written():
                self._call.phase = "sending the request"
            raise
        return message, payload

    async def _read_body(
        self, protocol: ResponseHandler, message: RawResponseMessage, payload: StreamReader
    ) -> tuple[bytes, bool]:
        """The body up to the limit, and whether that is all of it."""
        call = self._call
        call.phase = "reading the body of the answer"
        _fail_when_closed(protocol, payload)
        chunks = []
        while chunk := await payload.readany():
            chunks.append(chunk)
            call.received += len(chunk)
            if call.received > self._most_body_bytes:
                return b"".join(chunks)[: self._most_body_bytes], False
        if isinstance(protocol.exception(), ClientOSError) and _ends_with_connection(message):
            raise BrokenOff  # a reset is no end
        return b"".join(chunks), True


def _fail_when_closed(protocol: ResponseHandler, payload: StreamReader) -> None:
    """Let a reader of the body learn that the connection was closed over a malformed chunk: aiohttp does not."""
    closed = None if payload.is_eof() else protocol.closed
    if closed is not None:
        closed.add_done_callback(lambda _: _fail(protocol, payload))


def _fail(protocol: ResponseHandler, payload: StreamReader) -> None:
    if not payload.is_eof() and payload.exception() is None:
        payload.set_exception(protocol.exception() or BrokenOff())


def _headers(message: RawResponseMessage) -> Headers:
    if sum(len(name) + len(value) for name, value in message.raw_headers) > LONGEST_HEADER:
        raise MalformedResponse(HEADER_OVER_LIMIT)
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in message.raw_headers)


def _ends_with_connection(message: RawResponseMessage) -> bool:
    return not message.chunked and "Content-Length" not in message.headers

"""The answers that arrive on a connection, one after the other. No I/O.

    expect → feed … feed → Response
                        ↘ end, when the connection is lost

The parser is llhttp, as lenient as destinations in the wild need it to be. It bounds nothing itself, so
that is done here: a hundred hostile destinations could make it hold headers that never end.
"""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from outrider.domain.attempt import Response
from outrider.domain.options import Headers
from outrider.sender.failures import HEADER_OVER_LIMIT, NOT_HTTP, BrokenOff, Disconnected, Lost, MalformedResponse

LONGEST_HEADER = 64 * 1024
"""Also the most that may come without a byte of the body once that has begun: chunk extensions and trailers."""

LONGEST_FIELD = 16 * 1024
MOST_FIELDS = 200

SWITCHING_PROTOCOLS = 101


class Reception:
    """Makes a response of what arrives.

    Attributes:
        has_heard: whether anything came since the request.
        has_head: whether the head of the answer is there.
        is_reusable: whether the answer is whole, nothing came behind it, and the connection is to stay open.
    """

    __slots__ = (
        "_body_bytes",
        "_chunks",
        "_fault",
        "_fields",
        "_headers",
        "_is_persistent",
        "_most_body_bytes",
        "_overhead",
        "_parser",
        "_part",
        "_reason_bytes",
        "_response",
        "_status",
        "has_head",
        "has_heard",
        "is_reusable",
    )

    def __init__(self, most_body_bytes: int) -> None:
        self._most_body_bytes = most_body_bytes
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self.expect()

    def expect(self) -> None:
        """Begin anew: a request is about to go out, and what comes next is its answer."""
        self.has_heard = False
        self.has_head = False
        self.is_reusable = False
        self._status = 0
        self._reason_bytes = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers: Headers = ()
        self._overhead = 0
        self._part = 0
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._response: Response | None = None
        self._fault = ""
        self._is_persistent = False

    def feed(self, data: bytes) -> Response | None:
        """The response, once it is whole or its body over the cap. Raises MalformedResponse."""
        self.has_heard = True
        if self.has_head or len(data) <= LONGEST_HEADER:
            return self._parse(data)
        response = None
        for start in range(0, len(data), LONGEST_HEADER):
            response = self._parse(data[start : start + LONGEST_HEADER])
        return response

    def end(self, failure: Exception | None) -> Response:
        """The response, if the end of the connection is its end; `failure` is None for an orderly end.

        Raises:
            Disconnected, Lost: not even its head was there.
            BrokenOff: its body was not whole.
        """
        if not self.has_head:
            raise Disconnected if failure is None else Lost(failure)
        if failure is None and _ends_with_connection(self._headers):
            return self._respond()
        raise BrokenOff(self._body_bytes)

    def close(self) -> None:
        """Let go of the parser, which holds on to this."""
        self._parser = None

    def _parse(self, data: bytes) -> Response | None:
        assert self._parser is not None
        self._part = len(data)
        self._overhead += self._part
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if self._status != SWITCHING_PROTOCOLS:
                raise MalformedResponse(self._fault or self._find_fault() or NOT_HTTP) from None
        if self._fault:
            raise MalformedResponse(self._fault)
        if self._response is None:
            if self._body_bytes > self._most_body_bytes:
                self._response = self._respond()
            elif self._overhead > LONGEST_HEADER:
                raise MalformedResponse(HEADER_OVER_LIMIT)
        return self._response

    def on_message_begin(self) -> None:
        if self._response is not None:
            self.is_reusable = False

    def on_status(self, reason: bytes) -> None:
        self._reason_bytes += len(reason)
        if self._reason_bytes > LONGEST_FIELD:
            self._fault = HEADER_OVER_LIMIT

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._response is not None:
            return
        parser = self._parser
        assert parser is not None
        fields = self._fields
        self._status = status = parser.get_status_code()
        self._headers = tuple(
            [(name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")) for name, value in fields]
        )
        self._fault = self._fault or self._find_fault()
        self._overhead = 0
        if status < 200 and status != SWITCHING_PROTOCOLS:
            return
        self.has_head = True
        self._is_persistent = parser.should_keep_alive() and status != SWITCHING_PROTOCOLS

    def on_body(self, data: bytes) -> None:
        self._overhead = 0
        if self.has_head and self._response is None:
            if self._body_bytes < self._most_body_bytes:
                self._chunks.append(data)
            self._body_bytes += len(data)

    def on_message_complete(self) -> None:
        if self._response is not None:
            return
        if not self.has_head:  # an interim response: the answer is yet to come
            self._fields = []
            self._reason_bytes = 0
            self._overhead = self._part  # at most so much of the next has come
            return
        if len(self._fields) > MOST_FIELDS:  # with those of the trailer
            self._fault = HEADER_OVER_LIMIT
        self._response = self._respond()
        self.is_reusable = self._is_persistent and not self._response.truncated

    def _respond(self) -> Response:
        body = b"".join(self._chunks)
        if self._body_bytes > self._most_body_bytes:
            return Response(self._status, self._headers, body[: self._most_body_bytes], truncated=True)
        return Response(self._status, self._headers, body)

    def _find_fault(self) -> str:
        fields = self._fields
        if len(fields) > MOST_FIELDS:
            return HEADER_OVER_LIMIT
        if self._overhead > LONGEST_FIELD:  # else nothing can be too long
            lengths = [len(name) + len(value) for name, value in fields]
            if max(lengths, default=0) > LONGEST_FIELD or sum(lengths) > LONGEST_HEADER:
                return HEADER_OVER_LIMIT
        for _, value in self._headers:
            if "\0" in value:
                return NOT_HTTP
        return ""


def _ends_with_connection(headers: Headers) -> bool:
    """Whether a body with such a head has no other end. Of several codings the last tells, as for the parser."""
    is_chunked = False
    for name, value in headers:
        lowered = name.lower()
        if lowered == "content-length":
            return False
        if lowered == "transfer-encoding":
            is_chunked = value.rpartition(",")[2].strip().lower() == "chunked"
    return not is_chunked

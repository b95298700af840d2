"""Bytes to requests, strictly. What two parties on the way could read differently is refused.

llhttp refuses most of it: bare LF, folded headers, control characters, spaces before colons, repeated or
conflicting lengths, bad chunks. Here is what it lets pass: heads without bounds, other transfer codings,
other versions, no `Host` or two; and a body that comes with an `Upgrade`, which it does not read.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from outrider.domain.errors import Malformed, OutriderError
from outrider.http.errors import HeadTooLarge
from outrider.http.requests import Body, Pairs, Request

LONGEST_HEAD: Final = 64 * 1024
MOST_HEADERS: Final = 200

PIECE: Final = 4 * 1024
"""At most so many bytes are fed at once, which bounds how many requests are parsed ahead: 120, in 77 KiB and 1 ms."""


class RequestReader:
    """Reads one connection's requests. Its public `on_…` methods are for the parser.

    Attributes:
        requests: those whose heads have been read, in order. A refusal is the last of them.
        is_in_head: whether a head has begun and not ended.
    """

    def __init__(self) -> None:
        self.requests: deque[Request | OutriderError] = deque()
        self.is_in_head = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: Body | None = None
        self._keep_alive = True
        self._is_over = False
        self._is_upgrading = False
        self._barren = 0
        self._parser: HttpRequestParser | None = HttpRequestParser(self)

    def feed(self, data: bytes | memoryview) -> None:
        """Read on. At most PIECE bytes at once; nothing is read after a refusal or a request that ends it all."""
        if self._is_over:
            return
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._read_on_unchanged(data[upgrade.args[0] :])
        except HttpParserCallbackError as error:
            if not isinstance(error.__context__, OutriderError):
                raise
            self.refuse(error.__context__)
        except HttpParserError as error:
            if not self._is_over:  # else it is about what follows a request after which the connection ends
                self.refuse(_not_http(error))
        self._barren += len(data)
        if self._barren > LONGEST_HEAD + PIECE:
            self.refuse(_head_too_long())

    def refuse(self, why: Exception) -> None:
        """End here: the request that is being read is answered by this error."""
        if self._is_over:
            return
        self.end(why)
        if self._body is None and isinstance(why, OutriderError):
            self.requests.append(why)

    def end(self, why: Exception) -> None:
        """Nothing more will come; a body that is not whole fails with this."""
        self._is_over = True
        self.is_in_head = False
        self._parser = None
        if self._body is not None:
            self._body.fail(why)

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self.is_in_head = True
        self._barren = 0

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        # Seen to at once: kept, each would take many times the bytes it was sent as.
        if len(self._headers) == MOST_HEADERS:
            raise HeadTooLarge(f"the headers are more than the limit of {MOST_HEADERS}", hint="send fewer headers")
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        headers, self._headers = self._headers, []  # what follows are trailers, which nobody reads
        if self._barren > LONGEST_HEAD - PIECE and _size(self._target, headers) > LONGEST_HEAD:
            raise _head_too_long()
        fields = dict(headers)
        is_current = _check_head(self._parser.get_http_version(), headers, fields)
        if not is_current:
            fields.pop(b"expect", None)  # an older client does not know what it would be answered
        path, mark, query = _origin(self._target).partition(b"?")
        length = fields.get(b"content-length")
        self._is_upgrading = self._parser.should_upgrade()
        self._keep_alive = is_current and not self._is_upgrading and self._parser.should_keep_alive()
        self._body = Body(None if length is None else int(length))
        self.is_in_head = False
        self.requests.append(
            Request(
                method=self._parser.get_method().decode(),
                path=path,
                query=query,
                ends_in_mark=mark != b"" and not query,
                headers=headers,
                fields=fields,
                body=self._body,
                keep_alive=self._keep_alive,
            )
        )

    def on_body(self, piece: bytes) -> None:
        assert self._body is not None
        self._body.add(piece)
        self._barren = 0

    def on_message_complete(self) -> None:
        if self._is_upgrading:
            return  # llhttp says so before the body
        assert self._body is not None
        self._body.end()
        self._body = None
        self._barren = 0
        self._is_over = not self._keep_alive

    def _read_on_unchanged(self, data: bytes | memoryview) -> None:
        """Ignore the wish for another protocol, as a server may: read the body as if it had not been said.

        The connection ends after this request.
        """
        request = self.requests[-1]
        assert isinstance(request, Request)
        self._is_upgrading = False
        self._parser = HttpRequestParser(_BodyAlone(self))
        self._parser.feed_data(b"POST / HTTP/1.1\r\n")
        for name in (b"content-length", b"transfer-encoding"):
            if name in request.fields:
                self._parser.feed_data(name + b":" + request.fields[name] + b"\r\n")
        self._parser.feed_data(b"\r\n")
        if data:
            self.feed(data)


class _BodyAlone:
    """What a parser tells that is primed with a head of ours."""

    def __init__(self, reader: RequestReader) -> None:
        self.on_body = reader.on_body
        self.on_message_complete = reader.on_message_complete


def _check_head(version: str, headers: Pairs, fields: dict[bytes, bytes]) -> bool:
    """Refuse what llhttp lets pass; whether the version is 1.1."""
    is_current = version == "1.1"
    if not is_current and version != "1.0":
        raise _refused(f"HTTP/{version} is not spoken here", "use HTTP/1.1")
    if len(fields) != len(headers):
        for name in (b"host", b"content-length", b"transfer-encoding"):
            if name in fields and sum(found == name for found, _ in headers) > 1:
                raise _refused(f"the header {name.decode()} stands more than once", "send it once")
    if is_current and b"host" not in fields:
        raise _refused("the header host is missing", "HTTP/1.1 asks for it; send it, or use HTTP/1.0")
    coding = fields.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or not is_current):
        shown = coding[:80].decode("latin-1")
        raise _refused(f"Transfer-Encoding '{shown}' is not taken", "chunked alone is, in HTTP/1.1")
    return is_current


def _origin(target: bytes) -> bytes:
    """The target's path and query. A proxy may be sent the whole URL; its host is not looked at."""
    if b"#" in target:
        raise _refused(
            "the request's target has a '#'", "leave the fragment out, it is never sent; a '#' itself is %23"
        )
    if target.startswith(b"/") or target == b"*":
        return target
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in {b"http", b"https"}:
        start = next((at for at, mark in enumerate(rest) if mark in b"/?"), len(rest))
        return rest[start:] if rest[start:].startswith(b"/") else b"/" + rest[start:]
    shown = target[:80].decode("latin-1")
    raise _refused(f"the request's target '{shown}' is no path", "write a path that begins with '/'")


def _size(target: bytes, headers: Pairs) -> int:
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)


def _head_too_long() -> HeadTooLarge:
    return HeadTooLarge(f"the headers are over the limit of {LONGEST_HEAD} bytes", hint="send long values in the body")


def _not_http(error: HttpParserError) -> Malformed:
    return _refused(f"the request is not valid HTTP/1.1: {error}", "see RFC 9112; a client library keeps its rules")


def _refused(sentence: str, hint: str) -> Malformed:
    return Malformed(sentence, code="invalid_request", hint=hint)

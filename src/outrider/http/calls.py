"""What comes in: a call as handlers see it, and the one reader of bodies."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from outrider.domain.errors import TooLarge
from outrider.engine.runtime import Engine
from outrider.http.answers import Receive

Pairs = Sequence[tuple[bytes, bytes]]
"""Header fields as they came: names in lower case, order and repetition kept."""


SEND_A_REFERENCE = "store the payload elsewhere and publish a reference to it"
"""What to do about a message's body that is too large."""


class Disconnected(Exception):
    """The client went away before its body had arrived whole; there is nobody to answer and nothing to store."""


class Call(Struct, frozen=True, kw_only=True):
    """An authenticated request on its way to a handler.

    Attributes:
        tenant: whose token it carried; empty on routes that need none.
        params: the parts of the raw path that the route names, nothing decoded.
        query: the raw query.
        trailing_slash: whether the path ended with a slash that its route does not have.
        fields: headers by name, the last of each; for what occurs once.
    """

    engine: Engine
    tenant: str
    params: dict[str, bytes]
    query: bytes
    headers: Pairs
    fields: dict[bytes, bytes]
    caller_ip: str | None
    trailing_slash: bool
    receive: Receive

    def param(self, name: str) -> str:
        """A part of the path as text, percent-decoded; bytes that are no UTF-8 become U+FFFD, which names nothing."""
        return unquote_to_bytes(self.params[name]).decode("utf-8", "replace")

    def header_texts(self) -> list[tuple[str, str]]:
        """The headers as text, byte for character: what the parser of options takes."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]

    async def body(self, limit: int, hint: str) -> bytes:
        """The whole body, at most `limit` bytes; `hint` says what to do about a larger one.

        Raises TooLarge, before reading if the size is declared. Raises Disconnected.
        """
        return await read_body(self.receive, self.fields.get(b"content-length"), limit, hint)


async def read_body(receive: Receive, declared: bytes | None, limit: int, hint: str) -> bytes:
    """Read a body to its declared or marked end; a client that went away is not taken for that end."""
    if declared is not None and declared.isdigit() and _exceeds(declared, limit):
        raise _too_large(f"a body of {declared.decode()[:_DIGITS]} bytes", limit, hint)
    received = await receive()
    if received["type"] != "http.request":
        raise Disconnected
    body: bytes = received.get("body", b"")
    if not received.get("more_body", False):
        if len(body) > limit:
            raise _too_large(f"a body of {len(body)} bytes", limit, hint)
        return body
    parts, size = [body], len(body)
    while received.get("more_body", False):
        if size > limit:
            raise _too_large(f"a body of more than {size - 1} bytes", limit, hint)
        received = await receive()
        if received["type"] != "http.request":
            raise Disconnected
        part = received.get("body", b"")
        parts.append(part)
        size += len(part)
    if size > limit:
        raise _too_large(f"a body of {size} bytes", limit, hint)
    return b"".join(parts)


_DIGITS = 19
"""A length of more digits is beyond every limit, and not worth reading as a number."""


def _exceeds(declared: bytes, limit: int) -> bool:
    return len(declared) > _DIGITS or int(declared) > limit


def _too_large(what: str, limit: int, hint: str) -> TooLarge:
    return TooLarge(f"{what} is over the limit of {limit} bytes", code="body_too_large", hint=hint)

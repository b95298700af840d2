"""An outgoing request as bytes. Pure.

The target and the Host are the URL's own bytes: an application rebuilds its URL from them, and
the signature is over that URL. Header values are strings whose Latin-1 encoding goes on the wire.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from outrider.ports import OutgoingRequest

MOST_KNOWN = 512
"""How many destinations' URLs are remembered as taken apart and checked; each is at most 8 KiB."""


class Unsendable(Exception):
    """The request cannot be put on the wire; says why."""


class Target(Struct, frozen=True, cache_hash=True):
    """A URL taken apart, nothing decoded.

    Attributes:
        origin: scheme, host and port in lower case, one for each place that is connected to.
        authority: host and port as written, for the Host header.
        path: path and query as written; a fragment is never sent.
        user_info: what stands before the `@`, None without one.
    """

    origin: str
    authority: str
    path: str
    user_info: str | None


_URL = re.compile(r"(?P<scheme>https?)://(?:(?P<user>[^/?#]*)@)?(?P<authority>[^/?#@]+)(?P<path>[^#]*)", re.IGNORECASE)


@lru_cache(maxsize=MOST_KNOWN)
def parse_target(url: str) -> Target:
    """Take apart a URL that the address policy has passed. Raises Unsendable."""
    match = _URL.match(url)
    if match is None:
        raise Unsendable(f"the URL {url[:80]!r} has no host")
    path = match["path"]
    authority = match["authority"].removesuffix(":")
    return Target(
        origin=f"{match['scheme']}://{authority}".lower(),
        authority=authority,
        path=path if path.startswith("/") else f"/{path}",
        user_info=match["user"],
    )


def encode_head(request: OutgoingRequest, target: Target) -> bytes:
    """The request's line and headers: Host first, then those given as they stand, then the length.

    What frames the message or belongs to the connection is the sender's, and left out of those
    given. User information in the URL becomes Basic authorization, unless one was given.

    Raises:
        Unsendable: the method, a name or a value would break the message.
    """
    lines = [_opening(request.method, target)]
    is_authorized = False
    for name, value in request.headers:
        kind = _kind(name)
        if kind == _LEFT_OUT:
            continue
        if kind == _INVALID or not (value.isprintable() or _CONTROL.search(value) is None):
            raise Unsendable(f"the header {name!r} has a name or a value with characters that are not allowed")
        is_authorized = is_authorized or kind == _AUTHORIZATION
        lines.append(f"{name}: {value}\r\n")
    if target.user_info and not is_authorized:
        credentials = base64.b64encode(unquote_to_bytes(target.user_info)).decode()
        lines.append(f"Authorization: Basic {credentials}\r\n")
    if request.body or request.method in _EXPECTS_BODY:
        lines.append(f"Content-Length: {len(request.body)}\r\n")
    lines.append("\r\n")
    return _encode(lines)


@lru_cache(maxsize=MOST_KNOWN)
def _opening(method: str, target: Target) -> str:
    if not _TOKEN.fullmatch(method):
        raise Unsendable(f"the method {method!r} is not a word")
    if not _VISIBLE.fullmatch(target.path) or not _VISIBLE.fullmatch(target.authority):
        raise Unsendable("the URL has characters that must be percent-encoded")
    return f"{method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n"


def _encode(lines: Sequence[str]) -> bytes:
    try:
        return "".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        return b"".join(map(_encode_line, lines))


def _encode_line(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:  # text that somebody decoded: its UTF-8 is the best guess
        return line.encode("utf-8", "replace")


_PLAIN, _AUTHORIZATION, _LEFT_OUT, _INVALID = range(4)


@lru_cache(maxsize=256)
def _kind(name: str) -> int:
    lowered = name.lower()
    if lowered in _OURS:
        return _LEFT_OUT
    if not _TOKEN.fullmatch(name):
        return _INVALID
    return _AUTHORIZATION if lowered == "authorization" else _PLAIN


_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_EXPECTS_BODY = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

"""Where to connect. Pure."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from outrider.domain.networks import parse_address


class Place(Struct, frozen=True, cache_hash=True):
    """A scheme, host and port: what may share connections.

    Attributes:
        is_tls: whether it is called over TLS.
        host: name or address, without brackets.
        port: the scheme's own where the URL has none.
        is_literal: whether the host is an address already.
        shown: host and port, an IPv6 address in brackets.
    """

    is_tls: bool
    host: str
    port: int
    is_literal: bool
    shown: str


@lru_cache(maxsize=1024)
def parse_place(origin: str) -> Place:
    """The place of a target's origin (`https://example.com:8443`)."""
    scheme, _, authority = origin.partition("://")
    is_tls = scheme == "https"
    name, colon, digits = authority.rpartition(":")
    if not colon or digits.endswith("]"):
        name, digits = authority, ""
    port = int(digits or (443 if is_tls else 80))
    host = name.removeprefix("[").removesuffix("]")
    return Place(
        is_tls=is_tls,
        host=host,
        port=port,
        is_literal=parse_address(host) is not None,
        shown=f"{name}:{port}",
    )

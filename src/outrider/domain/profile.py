"""Destination profiles: headers that every delivery to a host carries, and to no other.

A host is written as `host`, `host:port`, `*.suffix` or `*.suffix:port`, in lower case. Without a
port it means the scheme's own port alone: another port of a machine may be another service's, and
what a profile holds is secret.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from msgspec import Struct

from outrider.domain.instant import Instant
from outrider.domain.options import Headers

_OWN_PORT = {"https": 443, "http": 80}


class Profile(Struct, frozen=True):
    """The headers of a host. `updated_at` is when they were put."""

    host: str
    headers: Headers
    updated_at: Instant

    def __repr__(self) -> str:
        return f"Profile({self.host!r}, [{len(self.headers)} hidden headers])"


def profile_for(url: str, hosts: Container[str]) -> str | None:
    """The host, of those that have a profile, whose profile the URL's deliveries carry; None if there is none.

    The whole host counts before a suffix, a longer suffix before a shorter, one with a port before one without.
    """
    return next((host for host in _names_of(url) if host in hosts), None)


def _names_of(url: str) -> Iterator[str]:
    """Everything under which a profile may apply to the URL, the closest first."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    own = _OWN_PORT[parts.scheme]
    port = parts.port or own
    if ":" in host:
        host = f"[{IPv6Address(host)}]"
    endings = ["", f":{port}"] if port == own else [f":{port}"]
    for name in (host, *_suffixes(host)):
        for ending in reversed(endings):
            yield name + ending


def _suffixes(host: str) -> Iterator[str]:
    _, dot, rest = host.partition(".")
    while dot:
        yield f"*.{rest}"
        _, dot, rest = rest.partition(".")

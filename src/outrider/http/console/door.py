"""What a browser may do by a session's cookie, and from where.

A browser sends the cookie with every request to this host, whoever caused it. SameSite=Strict keeps other sites'
requests without it; these rules hold where that does not: for pages of other ports of this machine, and for names
that somebody makes point here (DNS rebinding).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from outrider.domain.errors import Forbidden
from outrider.http.requests import Request

COOKIE = "outrider_session"
CHANGE_HEADER = b"outrider-console"
"""A page of another origin cannot send a header of its own unless we allow it, which we never do."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Door(Struct, frozen=True):
    """Judges requests of browsers.

    Attributes:
        hosts: the names under which a browser may call; None for any.
        public_host: the host, and port if it says one, of the URL that clients use; empty where none is set.
    """

    hosts: frozenset[str] | None = None
    public_host: str = ""

    def check_host(self, request: Request) -> None:
        """Raise Forbidden for a name that is not ours."""
        if self.hosts is None:
            return
        host = request.fields.get(b"host", b"").decode("latin-1")
        if _name_of(host) not in self.hosts:
            raise Forbidden(
                f"the console is not served under the name '{host[:100]}'",
                code="host_not_allowed",
                hint="use localhost or 127.0.0.1, or set public_url to the URL that browsers use",
            )

    def check_reading(self, request: Request) -> None:
        """Raise Forbidden for what a page of elsewhere asks with the cookie."""
        self.check_host(request)
        self._check_origin(request, must_be_said=False)

    def check_changing(self, request: Request) -> None:
        """The same for what may change something, which takes the header and a browser's word of where it is from."""
        self.check_host(request)
        if request.fields.get(CHANGE_HEADER) != b"1":
            raise Forbidden(
                "a change by a session needs the header Outrider-Console",
                code="console_header_missing",
                hint="send 'Outrider-Console: 1', or a token instead of the cookie",
            )
        self._check_origin(request, must_be_said=True)

    def _check_origin(self, request: Request, *, must_be_said: bool) -> None:
        site = request.fields.get(b"sec-fetch-site")
        origin = request.fields.get(b"origin")
        if site is not None:
            # `none` is a person who typed the address, which is how a GET may begin, and no change.
            allowed = site == b"same-origin" or (site == b"none" and not must_be_said)
        elif origin is not None:
            allowed = self._is_own(origin, request)
        else:
            allowed = not must_be_said
        if not allowed:
            raise Forbidden(
                "this request comes from a page that is not the console's",
                code="cross_origin",
                hint="send a token in the Authorization header instead of the cookie",
            )

    def _is_own(self, origin: bytes, request: Request) -> bool:
        host = urlsplit(origin.decode("latin-1")).netloc.lower()
        return host != "" and host in {request.fields.get(b"host", b"").decode("latin-1").lower(), self.public_host}


def door_of(*, listens_on_loopback: bool, public_url: str | None) -> Door:
    """The door of a server that listens there, and that browsers may call by its public URL."""
    url = urlsplit(public_url or "")
    hosts = _LOOPBACK | ({url.hostname} if url.hostname else set())
    return Door(hosts if listens_on_loopback else None, url.netloc.lower())


def cookie_of(request: Request) -> str | None:
    """The session's cookie, if the request has one."""
    header = request.fields.get(b"cookie")
    if header is None:
        return None
    for part in header.decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None


def _name_of(host: str) -> str:
    """The name without its port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()

"""What comes in: a call as handlers see it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from outrider.domain.audit import Actor
from outrider.engine.runtime import Engine
from outrider.http.requests import Request
from outrider.wire.destination import Target, parse_target

SEND_A_REFERENCE = "store the payload elsewhere and publish a reference to it"
"""What to do about a message's body that is too large."""


class Call(Struct, frozen=True):
    """An authenticated request on its way to a handler.

    Attributes:
        tenant: whose token it carried; empty on routes that need none.
        params: the parts of the raw path that the route names, nothing decoded.
        trailing_slash: whether the path ended with a slash that its route does not have.
        actor: whose token it was; None on routes that need none.
    """

    engine: Engine
    request: Request
    tenant: str
    params: dict[str, bytes]
    trailing_slash: bool
    actor: Actor | None = None

    @property
    def query(self) -> bytes:
        """The raw query."""
        return self.request.query

    @property
    def caller_ip(self) -> str | None:
        return self.request.caller_ip

    async def audit(self, action: str, subject: str) -> None:
        """Have it remembered that this call changed something."""
        assert self.actor is not None, "nobody changes anything without a token"
        await self.engine.audit.record(self.tenant, self.actor, action, subject)

    def param(self, name: str) -> str:
        """A part of the path as text, percent-decoded; bytes that are no UTF-8 become U+FFFD, which names nothing."""
        return unquote_to_bytes(self.params[name]).decode("utf-8", "replace")

    def target(self) -> Target:
        """Where the path and the query say that a message goes. Raises Malformed."""
        written = self.params["destination"]
        if self.request.ends_in_mark and _URL.match(written):
            written += b"?"  # an empty query is a part of a URL; a group has none
        return parse_target(written, self.request.query)

    async def body(self, limit: int, hint: str) -> bytes:
        """The whole body, at most `limit` bytes; `hint` says what to do about a larger one.

        Raises TooLarge, before reading if the size is declared. Raises Disconnected.
        """
        return await self.request.body.read(limit, hint)


_URL = re.compile(rb"https?(?::|%3a)", re.IGNORECASE)

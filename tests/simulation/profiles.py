"""The rules of destination profiles: what a host's has, and nothing else, is sent with requests to it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from tests.simulation.network import Attempt
from tests.simulation.records import History

from outrider.engine.cache import TRUSTED_MS

HEADER = "X-Bypass"

Violate = Callable[[str, str, str], None]


def host_of(url: str) -> str:
    return urlsplit(url).hostname


class ProfileRule:
    """The one header that the profile of a host may have.

    Attributes:
        value: None while there is no profile.
    """

    def __init__(self, host: str, *, violate: Violate) -> None:
        self.host = host
        self.value: History[str | None] = History(None)
        self._violate = violate

    def begins(self, name: str, attempt: Attempt, leased: int) -> None:
        """A request to the host, of what was leased then: nodes may not know of a change for a second."""
        sent = dict(attempt.request.headers).get(HEADER)
        allowed = self.value.since(leased - 2 * TRUSTED_MS)
        if sent not in allowed:
            self._violate("profile", name, f"is sent to {self.host} with {sent} instead of one of {allowed}")

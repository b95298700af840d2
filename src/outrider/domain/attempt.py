"""One call of a destination, and how it ended.

    Outcome = Delivered | Refused | TimedOut | Unreachable | Blocked

A failure at the far end is a value, never an exception. `judge` alone says what
counts as success.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from outrider.domain.instant import Instant
from outrider.domain.options import Headers


class Response(Struct, frozen=True, omit_defaults=True):
    """What the destination answered.

    Attributes:
        headers: in order, spelled as they came.
        body: at most the limit on kept response bodies.
        truncated: whether the body was cut there.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    truncated: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header, its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Delivered(Struct, frozen=True, tag=True):
    """A 2xx whose body arrived whole, or was cut by us at the cap."""

    response: Response

    error = None


class Refused(Struct, frozen=True, tag=True):
    """An answer that is no success."""

    response: Response
    error: str


class TimedOut(Struct, frozen=True, tag=True):
    """The attempt did not end within the message's timeout."""

    after_ms: int
    error: str

    response = None


class Failure(StrEnum):
    """Why no answer came, as far as figures tell it apart."""

    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    BLOCKED = "blocked"
    OTHER = "other"


class Unreachable(Struct, frozen=True, tag=True):
    """No complete answer came: no address, no connection, a reset, a malformed or broken-off response."""

    error: str
    why: Failure = Failure.OTHER

    response = None


class Blocked(Struct, frozen=True, tag=True):
    """The address guard refused to connect. Trying again changes nothing."""

    error: str

    response = None


Outcome = Delivered | Refused | TimedOut | Unreachable | Blocked


class Attempt(Struct, frozen=True):
    """One call of a destination.

    Attributes:
        retried: 0 for the first attempt, n for the nth retry.
    """

    message_id: str
    retried: int
    started_at: Instant
    ended_at: Instant
    outcome: Outcome


def judge(response: Response) -> Delivered | Refused:
    """Success is a 2xx and nothing else; redirects are not followed."""
    status = response.status
    if 200 <= status < 300:
        return Delivered(response)
    if 300 <= status < 400:
        location = response.header("Location")
        where = f" (it points to {location})" if location else ""
        return Refused(
            response, f"destination answered {status}{where}: redirects are not followed, publish to the final URL"
        )
    return Refused(response, f"destination answered {status}")


def failure_of(outcome: Outcome) -> Failure | None:
    """Why no answer came; None if one did."""
    match outcome:
        case TimedOut():
            return Failure.TIMEOUT
        case Blocked():
            return Failure.BLOCKED
        case Unreachable(why=why):
            return why
        case _:
            return None


def forbids_retry(response: Response) -> bool:
    """Whether the destination asked for no more attempts, by `Upstash-NonRetryable-Error: true`."""
    value = response.header("Upstash-NonRetryable-Error")
    return value is not None and value.strip().lower() == "true"

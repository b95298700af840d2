"""What can go wrong, and a sentence of it for people: no library's or operating system's internals.

Unsendable          nothing was sent: the request would break HTTP
Stopping            nothing was sent: the sender is closed
AddressRefused      nothing was sent: the guard turned every address down
NoAddress           the name has none
CannotConnect       no connection, or no TLS on it
Disconnected, Lost  no answer: the connection was closed, or broke
MalformedResponse   an answer that is not HTTP, or over a limit
BrokenOff           an answer whose body ended before its end
Late                the time was over
"""

from __future__ import annotations

import errno
import os
import ssl

from outrider.domain.attempt import Failure
from outrider.sender.request import Unsendable

HEADER_OVER_LIMIT = "its header is over the limit"
NOT_HTTP = "it is not HTTP"


class Stopping(Exception):
    """The sender is closed."""


class AddressRefused(Exception):
    """The guard turned an address down; says why."""


class NoAddress(Exception):
    """A name could not be looked up."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self.cause = cause


class CannotConnect(Exception):
    """There is no connection, or no TLS on it."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self.cause = cause


class Disconnected(Exception):
    """The far end closed the connection, and its answer was not there."""


class Lost(Exception):
    """The connection broke, and the answer was not there."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class MalformedResponse(Exception):
    """The response is not HTTP, or over a limit; says which."""


class BrokenOff(Exception):
    """The response body ended before its end.

    Attributes:
        received: how many bytes of it had come.
    """

    def __init__(self, received: int) -> None:
        super().__init__()
        self.received = received


class Late(Exception):
    """The time was over.

    Attributes:
        phase: what was being done.
        limit_ms: the limit that was met, None if it is the attempt's own.
    """

    def __init__(self, phase: str, limit_ms: int | None = None) -> None:
        super().__init__()
        self.phase = phase
        self.limit_ms = limit_ms


def describe(failure: Exception, host: str) -> str | None:
    """The sentence for a failure of the network or the far end, `host` and port; None for anything else."""
    sentence: str | None = None
    match failure:
        case Unsendable():
            sentence = f"the request cannot be sent: {failure}"
        case Stopping():
            sentence = "the request was not sent: the server is stopping"
        case NoAddress():
            sentence = f"host '{_name(host)}' has no address: {_reason(failure.cause)}"
        case CannotConnect():
            sentence = _connecting(failure.cause, host)
        case Disconnected():
            sentence = "destination closed the connection before it had answered"
        case Lost():
            sentence = f"the connection to {host} was lost before the answer had come: {_reason(failure.cause)}"
        case MalformedResponse():
            sentence = f"destination sent a malformed response: {failure}"
        case BrokenOff():
            sentence = f"destination broke off its response after {failure.received} bytes of the body"
    return sentence


def why_of(failure: Exception) -> Failure:
    """Which kind of failure figures count it as."""
    match failure:
        case NoAddress():
            return Failure.DNS
        case CannotConnect(cause=ssl.SSLError()):
            return Failure.TLS
        case CannotConnect():
            return Failure.CONNECT
        case _:
            return Failure.OTHER


def _name(host: str) -> str:
    return host.rpartition(":")[0] or host


def _connecting(cause: OSError, host: str) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        verdict = (cause.verify_message or "refused").rstrip(".")
        return f"the TLS certificate of {host} is not valid: {verdict}"
    if isinstance(cause, ssl.SSLError):
        return f"the TLS handshake with {host} failed: {_reason(cause)}"
    return f"cannot connect to {host}: {_reason(cause)}"


_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection closed",
    errno.ECONNABORTED: "connection closed",
    errno.ETIMEDOUT: "no answer from the network",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.EMFILE: "this server has too many open files",
}


def _reason(cause: Exception) -> str:
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "no TLS").replace("_", " ").lower()
    if isinstance(cause, ConnectionResetError):
        return "connection reset"
    code = cause.errno if isinstance(cause, OSError) else None
    if code in _REASONS:
        return _REASONS[code]
    if code is not None and code < 0:  # a resolver's code, whose text is its own
        return (getattr(cause, "strerror", None) or "unknown name").lower()
    return os.strerror(code).lower() if code else "connection failed"

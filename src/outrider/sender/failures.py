"""What went wrong, in a sentence for people: no library's or operating system's internals."""

from __future__ import annotations

import errno
import os
import ssl

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientPayloadError,
    ServerDisconnectedError,
)
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from outrider.sender.request import Unsendable

HEADER_OVER_LIMIT = "its header is over the limit"


class BrokenOff(Exception):
    """The response body ended before its end."""


class MalformedResponse(Exception):
    """The response is not HTTP, or over a limit; says which."""


def describe(failure: BaseException, host: str, received: int) -> str | None:
    """The sentence for a failure of the network or the far end; None for anything else.

    Args:
        failure: what was raised.
        host: whom it was about.
        received: how many bytes of the response body had come.
    """
    sentence: str | None = None
    match failure:
        case Unsendable():
            sentence = f"the request cannot be sent: {failure}"
        case ClientConnectorDNSError():
            sentence = f"host '{_name(host)}' has no address: {_reason(failure.os_error)}"
        case ClientConnectorCertificateError():
            sentence = f"the TLS certificate of {host} is not valid: {_verdict(failure.certificate_error)}"
        case ClientConnectorError():
            sentence = _connecting(failure.os_error, host)
        case BrokenOff() | ClientPayloadError():
            sentence = f"destination broke off its response after {received} bytes of the body"
        case MalformedResponse():
            sentence = f"destination sent a malformed response: {failure}"
        case HttpProcessingError():
            sentence = f"destination sent a malformed response: {_malformation(failure)}"
        case ServerDisconnectedError():
            sentence = "destination closed the connection before it had answered"
        case OSError():
            sentence = f"the connection to {host} was lost before the answer had come: {_reason(failure)}"
    return sentence


def _name(host: str) -> str:
    return host.rpartition(":")[0] or host


def _connecting(failure: OSError, host: str) -> str:
    if isinstance(failure, ssl.SSLError):
        reason = (failure.reason or "no TLS").replace("_", " ").lower()
        return f"the TLS handshake with {host} failed: {reason}"
    return f"cannot connect to {host}: {_reason(failure)}"


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


def _reason(failure: OSError) -> str:
    code = failure.errno
    if isinstance(failure, ConnectionResetError):
        return "connection reset"
    if code in _REASONS:
        return _REASONS[code]
    if code is not None and code < 0:  # a resolver's code, whose text is its own
        return (failure.strerror or "unknown name").lower()
    return os.strerror(code).lower() if code else "connection failed"


def _verdict(failure: Exception) -> str:
    return (getattr(failure, "verify_message", "") or "refused").rstrip(".")


def _malformation(failure: HttpProcessingError) -> str:
    is_too_long = isinstance(failure, LineTooLong) or isinstance(failure.__cause__, LineTooLong)
    return HEADER_OVER_LIMIT if is_too_long or "Too many headers" in failure.message else "it is not HTTP"

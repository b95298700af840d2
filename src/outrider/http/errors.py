"""The one place where errors get statuses, and the one shape in which they go out.

Every error is `{"error": "<sentence>", "code": "<snake_case>", "hint"?: "<remedy>"}`.
"""

from __future__ import annotations

from outrider.domain.errors import (
    Conflict,
    Forbidden,
    LimitReached,
    Malformed,
    Misconfigured,
    NotFound,
    OutriderError,
    Refusal,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Undeliverable,
)
from outrider.domain.instant import SECOND_MS, Instant
from outrider.http import answers
from outrider.http.answers import Answer, Fields


class MethodNotAllowed(Refusal):
    """The path exists, but not for this method; `allowed` are those it has."""

    default_code = "method_not_allowed"

    def __init__(self, method: str, path: str, allowed: tuple[str, ...]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"{path} does not take {method}; it takes {methods}")
        self.allowed = allowed


class HeadTooLarge(Refusal):
    """A request's target and headers are over their limit."""

    default_code = "head_too_large"


class RequestTimedOut(Refusal):
    """A request began and did not go on."""

    default_code = "request_timed_out"


STATUSES: dict[type[OutriderError], int] = {
    OutriderError: 500,
    Refusal: 400,
    Malformed: 400,
    Undeliverable: 400,
    TooMany: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    RequestTimedOut: 408,
    Conflict: 409,
    TooLarge: 413,
    HeadTooLarge: 431,
    LimitReached: 429,
    Misconfigured: 500,
    Unavailable: 503,
}
"""A class that is not named here has the status of its parent."""

FAULT = answers.json(
    {
        "error": "something went wrong in the server; nothing you sent caused it",
        "code": "internal_error",
        "hint": "the server's log has the cause; try again, and report it if it stays",
    },
    status=500,
)
"""What a client is told of a fault of ours; details are for the log alone."""

_RETRY_SOON: Fields = ((b"retry-after", b"1"),)

_WINDOW_PREFIXES = {"daily": b"ratelimit", "burst": b"burst-ratelimit"}
"""Clients take a 429 with `RateLimit-Limit` for the daily limit, so a burst 429 must not carry it."""


def status_of(error: OutriderError) -> int:
    """The status of the error's class, or of the nearest parent that has one."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def describe(error: OutriderError) -> dict[str, str]:
    """The error as clients read it."""
    said = {"error": _encodable(error.sentence), "code": error.code}
    if error.hint is not None:
        said["hint"] = _encodable(error.hint)
    return said


def _encodable(text: str) -> str:
    """The text without what JSON cannot hold: an error may quote half a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def answer(error: OutriderError, now: Instant) -> Answer:
    """The error as a response, with the headers that belong to its kind."""
    return answers.json(describe(error), status_of(error), _fields_of(error, now))


def _fields_of(error: OutriderError, now: Instant) -> Fields:
    match error:
        case LimitReached():
            return _quota_fields(error, now)
        case Unavailable():
            return _RETRY_SOON
        case Unauthenticated():
            return ((b"www-authenticate", b"Bearer"),)
        case MethodNotAllowed():
            return ((b"allow", ", ".join(error.allowed).encode()),)
        case _:
            return ()


def _quota_fields(error: LimitReached, now: Instant) -> Fields:
    prefix = _WINDOW_PREFIXES[error.window]
    quota = error.quota
    wait_s = max(1, quota.resets_at_s - now // SECOND_MS)
    return (
        (prefix + b"-limit", b"%d" % quota.limit),
        (prefix + b"-remaining", b"%d" % quota.remaining),
        (prefix + b"-reset", b"%d" % quota.resets_at_s),
        (b"retry-after", b"%d" % wait_s),
    )

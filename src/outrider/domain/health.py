"""How the endpoints of a URL group fare, told from the attempts that the log remembers.

Flags, each for an endpoint:

    dead              no attempt of the window succeeded, and there were at least DEAD_AFTER
    never_succeeding  no attempt that the log remembers succeeded, and there were at least DEAD_AFTER
    duplicate         another endpoint of the group is the same URL, spelled otherwise
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from outrider.domain.duration import format_duration
from outrider.domain.instant import DAY_MS, Instant
from outrider.domain.url_group import Endpoint

MOST_ATTEMPTS = 1000
"""Of an endpoint; older ones are left out of its figures."""

DEAD_AFTER = 3
"""Fewer failures may be one message that waits for its retry."""

DEFAULT_WINDOW_MS = DAY_MS


class Flag(StrEnum):
    DEAD = "dead"
    NEVER_SUCCEEDING = "never_succeeding"
    DUPLICATE = "duplicate"


class EndedAttempt(Struct, frozen=True):
    """An attempt as the log remembers it."""

    ended_at: Instant
    duration_ms: int
    succeeded: bool


class EndpointAttempts(Struct, frozen=True):
    """The attempts of an endpoint that the log remembers, latest first, at most MOST_ATTEMPTS.

    Attributes:
        last_error: the sentence of the latest that failed.
    """

    attempts: tuple[EndedAttempt, ...] = ()
    last_error: str | None = None


class EndpointHealth(Struct, frozen=True, kw_only=True):
    """How an endpoint fared in a window.

    Attributes:
        attempts, successes: that ended in the window; of more than MOST_ATTEMPTS, the latest.
        last_error, last_error_at: of the latest failure in the window.
        p50_ms, p95_ms: how long the window's successes took; None without one.
        duplicate_of: the URLs of the other endpoints that are the same.
    """

    endpoint: Endpoint
    attempts: int
    successes: int
    last_success_at: Instant | None = None
    last_error: str | None = None
    last_error_at: Instant | None = None
    p50_ms: int | None = None
    p95_ms: int | None = None
    duplicate_of: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()

    @property
    def success_rate(self) -> float | None:
        """From 0 to 1; None without an attempt."""
        return self.successes / self.attempts if self.attempts else None


def assess(
    endpoints: Sequence[Endpoint], remembered: Sequence[EndpointAttempts], since: Instant
) -> list[EndpointHealth]:
    """How each endpoint of one group fared since then, in order; `remembered` has one for each."""
    same = duplicates([endpoint.url for endpoint in endpoints])
    return [
        _assess_one(endpoint, attempts, since, same.get(endpoint.url, ()))
        for endpoint, attempts in zip(endpoints, remembered, strict=True)
    ]


def check_window(window_ms: int | None, retained_ms: int) -> int:
    """The window to look at, by default a day. Raises ValueError with the rule for one the log does not cover."""
    if window_ms is None:
        return min(DEFAULT_WINDOW_MS, retained_ms)
    if not 0 < window_ms <= retained_ms:
        raise ValueError(f"is not between 1s and {format_duration(retained_ms)}, for which the log is kept")
    return window_ms


def percentile(durations_ms: Sequence[int], percent: int) -> int | None:
    """The least value that `percent` of them do not exceed (nearest rank); None of nothing."""
    if not durations_ms:
        return None
    rank = -(-len(durations_ms) * percent // 100)
    return sorted(durations_ms)[max(rank, 1) - 1]


def duplicates(urls: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each URL that has any, the others that `canonical` makes the same."""
    spellings: dict[str, list[str]] = {}
    for url in urls:
        spellings.setdefault(canonical(url), []).append(url)
    return {
        url: tuple(other for other in same if other != url)
        for same in spellings.values()
        if len(same) > 1
        for url in same
    }


def canonical(url: str) -> str:
    """One spelling for URLs that lead to one place.

    Scheme and host in lower case (RFC 3986, 6.2.2), without the default port, a dot after the host,
    or a slash at the end of the path; escapes in upper case.
    """
    match = _URL.match(url)
    if match is None:
        return url
    scheme, host = match["scheme"].lower(), match["host"].lower().removesuffix(".")
    port = "" if match["port"] in {None, "", _DEFAULT_PORTS.get(scheme)} else f":{match['port']}"
    path, mark, query = match["rest"].partition("?")
    rest = _ESCAPE.sub(lambda escape: escape[0].upper(), f"{path.rstrip('/')}{mark}{query}")
    return f"{scheme}://{match['user'] or ''}{host}{port}{rest}"


_URL = re.compile(
    r"(?P<scheme>https?)://(?P<user>[^/?#@]*@)?(?P<host>\[[^\]]*\]|[^:/?#]*)(?::(?P<port>[0-9]*))?(?P<rest>[^#]*)",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def _assess_one(
    endpoint: Endpoint, remembered: EndpointAttempts, since: Instant, duplicate_of: tuple[str, ...]
) -> EndpointHealth:
    attempts = [attempt for attempt in remembered.attempts if attempt.ended_at >= since]
    successes = [attempt for attempt in attempts if attempt.succeeded]
    failed_at = next((attempt.ended_at for attempt in attempts if not attempt.succeeded), None)
    durations = [attempt.duration_ms for attempt in successes]
    raised = {
        Flag.DEAD: _all_failed(attempts),
        Flag.NEVER_SUCCEEDING: _all_failed(remembered.attempts),
        Flag.DUPLICATE: bool(duplicate_of),
    }
    return EndpointHealth(
        endpoint=endpoint,
        attempts=len(attempts),
        successes=len(successes),
        last_success_at=successes[0].ended_at if successes else None,
        last_error=None if failed_at is None else remembered.last_error,
        last_error_at=failed_at,
        p50_ms=percentile(durations, 50),
        p95_ms=percentile(durations, 95),
        duplicate_of=duplicate_of,
        flags=tuple(flag for flag, is_raised in raised.items() if is_raised),
    )


def _all_failed(attempts: Sequence[EndedAttempt]) -> bool:
    return len(attempts) >= DEAD_AFTER and not any(attempt.succeeded for attempt in attempts)

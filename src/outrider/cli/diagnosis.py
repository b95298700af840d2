"""What `outrider doctor` makes of what it found: a sentence with value, rule and remedy for each check. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

from msgspec import Struct

from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Blocked, Delivered, Outcome, Refused, TimedOut, Unreachable
from outrider.domain.duration import format_duration
from outrider.domain.instant import DAY_MS, SECOND_MS, Instant
from outrider.domain.networks import parse_address, special_purpose, unmapped

Verdict = Literal["ok", "warn", "fail"]

EXPIRES_SOON_DAYS = 14
SLOW_MS = SECOND_MS

_REFUSALS = frozenset({400, 401, 403})
"""Statuses by which verifiers of signatures refuse."""


class Check(Struct, frozen=True):
    """One line of the diagnosis."""

    check: str
    verdict: Verdict
    sentence: str


def check_url(policy: AddressPolicy, url: str) -> Check:
    """Whether the URL may be called, as far as it can be told without a look-up."""
    refusal = policy.refuse_url(url)
    if refusal is not None:
        return Check("url", "fail", refusal)
    if url[:8].lower() != "https://":
        return Check(
            "url",
            "warn",
            "http:// is not encrypted, and `outrider serve` refuses it unless allow_http is set; offer https://",
        )
    return Check("url", "ok", "https:// and nothing in it is refused")


def check_names(host: str, addresses: Sequence[str]) -> Check:
    if not addresses:
        return Check("dns", "fail", f"'{host}' has no address; create its DNS record, or correct the URL")
    return Check("dns", "ok", f"'{host}' has the address{'es' * (len(addresses) > 1)} {', '.join(addresses)}")


def check_addresses(addresses: Sequence[str], refusals: Mapping[str, str]) -> Check:
    """Whether the addresses may be connected to; `refusals` says of those that may not, why."""
    if not refusals:
        return Check("address", "ok", ", ".join(f"{address} is {_class(address)}" for address in addresses))
    if len(refusals) < len(addresses):
        first = next(iter(refusals.values()))
        return Check("address", "warn", f"{len(refusals)} of {len(addresses)} addresses would never be called: {first}")
    return Check("address", "fail", next(iter(refusals.values())))


def _class(address: str) -> str:
    """What kind of address it is, which may be called."""
    parsed = parse_address(address.partition("%")[0])
    special = None if parsed is None else special_purpose(unmapped(parsed))
    return "public" if special is None else f"{special}, which the settings allow"


def check_certificate(host: str, expires_at: Instant, now: Instant) -> Check:
    """What a certificate that was found valid has left."""
    days = (expires_at - now) // DAY_MS
    sentence = f"the certificate of {host} is valid for {days} more days"
    if days < EXPIRES_SOON_DAYS:
        return Check(
            "tls", "warn", f"{sentence}, less than {EXPIRES_SOON_DAYS}; renew it, and see why that was not done"
        )
    return Check("tls", "ok", sentence)


def check_refused_certificate(host: str, verdict: str) -> Check:
    """A certificate that deliveries would not accept; `verdict` is what the verification said."""
    return Check(
        "tls",
        "fail",
        f"the certificate of {host} is not valid: {verdict.rstrip('.')}; install one that a public authority issued "
        "for this host, with its whole chain",
    )


def check_latency(durations_ms: Sequence[int]) -> Check:
    middle = round(median(durations_ms))
    sentence = f"the median of {len(durations_ms)} requests took {format_duration(middle)}"
    if middle > SLOW_MS:
        return Check(
            "latency", "warn", f"{sentence}, over {format_duration(SLOW_MS)}; answer first and do the work afterwards"
        )
    return Check("latency", "ok", sentence)


def check_answer(outcome: Outcome) -> Check | None:
    """What keeps every delivery from succeeding, whatever its signature: no answer, or a redirect; None if nothing."""
    match outcome:
        case TimedOut(error=error) | Unreachable(error=error) | Blocked(error=error):
            return Check("answer", "fail", f"{error}; deliveries would fail and be retried")
        case Refused(response, error) if 300 <= response.status < 400:
            return Check("redirect", "fail", error)
        case _:
            return None


def check_refusal(check: str, outcome: Outcome, *, request: str) -> Check:
    """Whether a request that must not pass was refused; `request` says what was wrong with it."""
    match outcome:
        case Delivered(response):
            return Check(
                check,
                "fail",
                f"{request} was answered {response.status}, as if it were a delivery: anybody may call it; verify "
                "Upstash-Signature before anything else and answer 401",
            )
        case Refused(response) if response.status in _REFUSALS:
            return Check(check, "ok", f"{request} was refused with {response.status}")
        case Refused(response):
            return Check(
                check,
                "warn",
                f"{request} was answered {response.status}: not accepted, but perhaps not for its signature; see that "
                "the path is right and takes POST, and refuse signatures with 401",
            )
        case _:
            return Check(check, "fail", f"{request} had no answer: {outcome.error}")


def check_acceptance(outcome: Outcome) -> Check:
    """Whether a rightly signed request passed."""
    match outcome:
        case Delivered(response):
            return Check("signed", "ok", f"a rightly signed request was accepted with {response.status}")
        case Refused(response) if response.status in _REFUSALS:
            return Check(
                "signed",
                "fail",
                f"a rightly signed request was refused with {response.status}; see that the receiver has this key, "
                "verifies the raw body, and compares the URL it is called by from outside",
            )
        case _:
            return Check("signed", "fail", f"a rightly signed request failed: {outcome.error}; a 2xx is a success")


def no_key() -> Check:
    return Check(
        "signed",
        "warn",
        "whether a rightly signed request is accepted was not tried; give the key: --key or QSTASH_CURRENT_SIGNING_KEY",
    )

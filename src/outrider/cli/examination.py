"""What `outrider doctor` does: look up, connect, and send a few harmless requests."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Sequence

from outrider.cli.diagnosis import (
    Check,
    check_acceptance,
    check_addresses,
    check_answer,
    check_certificate,
    check_latency,
    check_names,
    check_refusal,
    check_refused_certificate,
    check_url,
    no_key,
)
from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Outcome
from outrider.domain.instant import SECOND_MS, Instant
from outrider.domain.message import new_id
from outrider.domain.networks import parse_address
from outrider.domain.tenant import new_signing_key
from outrider.ports import Clock, OutgoingRequest
from outrider.sender import HttpSender
from outrider.sender.request import parse_target
from outrider.sender.resolver import Resolver
from outrider.signing import sign

USER_AGENT = "Outrider-Doctor"
BODY = b"{}"
UNSIGNED_REQUESTS = 3

_KEPT_BODY_BYTES = 1024


class Examination:
    """One receiver under examination; its requests say who sends them.

    Args:
        policy: what may be called. What it refuses is neither connected to nor sent anything.
        key: the signing key that the receiver knows, if it was given.
        timeout_ms: of each look-up, handshake and request.
    """

    def __init__(self, url: str, *, policy: AddressPolicy, clock: Clock, key: str | None, timeout_ms: int) -> None:
        self._url = url
        self._policy = policy
        self._clock = clock
        self._key = key
        self._timeout_ms = timeout_ms
        self._ssl_context = ssl.create_default_context()
        origin = parse_target(url).origin
        self._scheme, _, self._authority = origin.partition("://")
        name, _, port = self._authority.rpartition(":") if _has_port(self._authority) else (self._authority, "", "")
        self._host = name.strip("[]")
        self._port = int(port or (443 if self._scheme == "https" else 80))

    async def run(self) -> list[Check]:
        """The checks in order, up to one that makes those after it impossible."""
        checks = [check_url(self._policy, self._url)]
        addresses = await self._look_up()
        checks.append(check_names(self._host, addresses))
        if not addresses:
            return checks
        refusals = self._refusals(addresses)
        checks.append(check_addresses(addresses, refusals))
        callable_ = [address for address in addresses if address not in refusals]
        if checks[0].verdict == "fail" or not callable_:
            return checks
        if self._scheme == "https":
            checks.append(await self._check_tls(callable_))
            if checks[-1].verdict == "fail":
                return checks
        return [*checks, *await self._check_answers()]

    async def _look_up(self) -> list[str]:
        """Every address of the host, in the order they are tried; none if there is none in time."""
        if parse_address(self._host) is not None:
            return [self._host]
        resolver = Resolver()
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                found = await resolver.resolve(self._host, self._port)
        except OSError:  # a TimeoutError is one, too
            return []
        finally:
            await resolver.close()
        return list(dict.fromkeys(place["host"] for place in found))

    def _refusals(self, addresses: Sequence[str]) -> dict[str, str]:
        place = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        judged = {address: self._policy.refuse_address(address, place) for address in addresses}
        return {address: refusal for address, refusal in judged.items() if refusal is not None}

    async def _check_tls(self, addresses: Sequence[str]) -> Check:
        """The certificate at the first address that TLS can be spoken with."""
        reason = ""
        for address in addresses:
            try:
                return check_certificate(self._host, await self._certificate_expires_at(address), self._clock.now())
            except ssl.SSLCertVerificationError as failure:
                return check_refused_certificate(self._host, failure.verify_message)
            except OSError as failure:
                reason = f"{address}: {self._reason(failure)}"
        return Check("tls", "fail", f"no TLS with {self._authority} at {reason}; see that it listens there with TLS")

    def _reason(self, failure: OSError) -> str:
        if isinstance(failure, TimeoutError) and failure.errno is None:
            return f"no handshake within {self._timeout_ms / 1000:g} s"
        if isinstance(failure, ssl.SSLError):
            return (failure.reason or "handshake failed").replace("_", " ").lower()
        return (os.strerror(failure.errno) if failure.errno else "connection failed").lower()

    async def _certificate_expires_at(self, address: str) -> Instant:
        async with asyncio.timeout(self._timeout_ms / 1000):
            _, writer = await asyncio.open_connection(
                address, self._port, ssl=self._ssl_context, server_hostname=self._host.removesuffix(".")
            )
        try:
            certificate = writer.get_extra_info("peercert")
        finally:
            writer.transport.abort()
        return int(ssl.cert_time_to_seconds(certificate["notAfter"])) * SECOND_MS

    async def _check_answers(self) -> list[Check]:
        sender = HttpSender(
            self._policy,
            response_body_bytes=_KEPT_BODY_BYTES,
            connect_timeout_ms=self._timeout_ms,
            ssl_context=self._ssl_context,
        )
        try:
            return await self._question(sender)
        finally:
            await sender.close()

    async def _question(self, sender: HttpSender) -> list[Check]:
        loop = asyncio.get_running_loop()
        durations = []
        for _ in range(UNSIGNED_REQUESTS):
            started = loop.time()
            unsigned = await sender.send(self._request())
            durations.append(round((loop.time() - started) * 1000))
            failed = check_answer(unsigned)
            if failed is not None:
                return [failed]
        forged = await sender.send(self._request(self._signature(new_signing_key())))
        checks = [
            check_latency(durations),
            check_refusal("unsigned", unsigned, request="a request without a signature"),
            check_refusal("forged", forged, request="a request signed with another key"),
        ]
        if self._key is None:
            return [*checks, no_key()]
        signed: Outcome = await sender.send(self._request(self._signature(self._key)))
        return [*checks, check_acceptance(signed)]

    def _signature(self, key: str) -> str:
        now = self._clock.now()
        return sign(key, url=self._url, body=BODY, now_s=now // SECOND_MS, jti=new_id("jwt", now))

    def _request(self, signature: str | None = None) -> OutgoingRequest:
        signed = () if signature is None else (("Upstash-Signature", signature),)
        headers = (("User-Agent", USER_AGENT), ("Content-Type", "application/json"), *signed)
        return OutgoingRequest(method="POST", url=self._url, headers=headers, body=BODY, timeout_ms=self._timeout_ms)


def _has_port(authority: str) -> bool:
    return ":" in authority.rpartition("]")[2]

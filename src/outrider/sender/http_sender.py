"""Calls a destination once, and says how it ended.

    guard → parse → connect or reuse → write → read the head → read the body → judge

The client is written here, on httptools' parser: what was published must go out byte for byte, every
final address must be shown to the guard, and no request may be repeated of a library's own accord.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache

from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Blocked, Outcome, TimedOut, Unreachable, judge
from outrider.ports import OutgoingRequest
from outrider.sender.connections import Connections
from outrider.sender.exchange import exchange
from outrider.sender.failures import AddressRefused, Late, Stopping, describe, why_of
from outrider.sender.place import parse_place
from outrider.sender.request import MOST_KNOWN, encode_head, parse_target
from outrider.sender.resolver import Lookup, Resolver


class HttpSender:
    """A `Sender` over HTTP/1.1 and TLS. Made while the event loop runs."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        response_body_bytes: int,
        connect_timeout_ms: int = 10_000,
        idle_connections: int = 256,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Lookup | None = None,
    ) -> None:
        """Make a sender.

        Args:
            policy: what may be called.
            response_body_bytes: how much of a response's body is kept.
            connect_timeout_ms: how long look-up, connection and TLS handshake may take together.
            idle_connections: how many connections are kept for reuse at most.
            ssl_context: how certificates are checked; against the system's authorities unless given.
            resolver: looks up names; the system's unless given.
        """
        self._loop = asyncio.get_running_loop()
        self._refuse_url = lru_cache(maxsize=MOST_KNOWN)(policy.refuse_url)
        self._connections = Connections(
            policy,
            connect_timeout_ms=connect_timeout_ms,
            most_idle=idle_connections,
            most_body_bytes=response_body_bytes,
            ssl_context=_default_ssl_context() if ssl_context is None else ssl_context,
            resolver=Resolver() if resolver is None else resolver,
        )

    async def send(self, request: OutgoingRequest) -> Outcome:
        """Call the destination once, all within the request's timeout. Raises nothing but CancelledError."""
        refusal = self._refuse_url(request.url)
        if refusal is not None:
            return Blocked(f"destination {refusal}")
        deadline = self._loop.time() + request.timeout_ms / 1000
        host = ""
        try:
            if self._connections.is_closed:
                raise Stopping  # noqa: TRY301 - as if it came from beneath
            target = parse_target(request.url)
            head = encode_head(request, target)
            place = parse_place(target.origin)
            host = place.shown
            return judge(await exchange(self._connections, place, head, request.body, deadline))
        except Exception as failure:  # noqa: BLE001 - an outcome is a value, whatever happened
            return _outcome_of(failure, host, request.timeout_ms)

    async def close(self) -> None:
        """Close the kept connections; those in use are cut."""
        await self._connections.close()


def _outcome_of(failure: Exception, host: str, timeout_ms: int) -> Outcome:
    if isinstance(failure, AddressRefused):
        return Blocked(f"destination {failure}")
    if isinstance(failure, Late):
        limit_ms = timeout_ms if failure.limit_ms is None else failure.limit_ms
        return TimedOut(limit_ms, f"destination did not answer within {limit_ms / 1000:g} s: {failure.phase}")
    sentence = describe(failure, host)
    if sentence is None:
        # A fault of ours: the loop's handler is where it is seen, the message goes its way.
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a request to {host} could not be made", "exception": failure}
        )
        sentence = f"the request to {host} could not be made: an internal fault"
    return Unreachable(sentence, why_of(failure))


def _default_ssl_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

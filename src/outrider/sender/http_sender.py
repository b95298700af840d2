"""Calls a destination once, and says how it ended.

    guard → parse → connect or reuse → write → read the head → read the body → judge

The connections and the parsing of responses are aiohttp's. The request is written here: what
was published must go out byte for byte, and aiohttp's client session would repeat a GET, PUT
or DELETE that was lost, of its own accord.

A request is written twice in one attempt in a single case: it went out on a kept connection
which the far end then closed, within a second and with nothing of an answer. That is how a
connection looks that was closed while idle. The alternative, a failed attempt and a retry after
its backoff, would repeat the request just as well, only later.
"""

from __future__ import annotations

import asyncio
import ssl

from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection

from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Blocked, Outcome, Response, TimedOut, Unreachable, judge
from outrider.ports import OutgoingRequest
from outrider.sender.connections import Connections
from outrider.sender.exchange import Exchange, Stale
from outrider.sender.failures import describe
from outrider.sender.guard import Call, current_call
from outrider.sender.request import encode_head, parse_target
from outrider.sender.resolver import Resolver


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
        resolver: AbstractResolver | None = None,
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
        self._policy = policy
        self._response_body_bytes = response_body_bytes
        self._connect_timeout_ms = connect_timeout_ms
        self._resolver = Resolver() if resolver is None else resolver
        self._connections = Connections(
            policy,
            connect_timeout_ms=connect_timeout_ms,
            most_idle=idle_connections,
            ssl_context=_default_ssl_context() if ssl_context is None else ssl_context,
            resolver=self._resolver,
        )

    async def send(self, request: OutgoingRequest) -> Outcome:
        """Call the destination once, all within the request's timeout. Raises nothing but CancelledError."""
        refusal = self._policy.refuse_url(request.url)
        if refusal is not None:
            return Blocked(f"destination {refusal}")
        if self._connections.is_closed:
            return Unreachable("the request was not sent: the server is stopping")
        call = Call()
        token = current_call.set(call)
        try:
            async with asyncio.timeout(request.timeout_ms / 1000) as whole:
                return judge(await self._send(request, call))
        except TimeoutError:
            limit_ms = request.timeout_ms if whole.expired() else self._connect_timeout_ms
            return TimedOut(limit_ms, f"destination did not answer within {limit_ms / 1000:g} s: {call.phase}")
        except Exception as failure:  # noqa: BLE001 - an outcome is a value, whatever happened
            return _outcome_of(failure, call)
        finally:
            current_call.reset(token)

    async def close(self) -> None:
        """Close the kept connections; those in use are cut."""
        await self._connections.close()
        await self._resolver.close()

    async def _send(self, request: OutgoingRequest, call: Call) -> Response:
        target = parse_target(request.url)
        head = encode_head(request, target)
        try:
            connection = await self._connections.connect(target.origin, call)
            return await self._exchange(connection, head, request.body, call)
        except Stale:
            connection = await self._connections.connect_anew(target.origin, call)
            return await self._exchange(connection, head, request.body, call)

    async def _exchange(self, connection: Connection, head: bytes, body: bytes, call: Call) -> Response:
        exchange = Exchange(connection, call, self._response_body_bytes)
        try:
            return await exchange.run(head, body)
        finally:
            if exchange.is_reusable:
                self._connections.keep(connection)
            else:
                self._connections.drop(connection)


def _outcome_of(failure: Exception, call: Call) -> Outcome:
    if call.refusals and not call.opened:
        return Blocked(f"destination {call.refusals[0]}")
    sentence = describe(failure, call.host, call.received)
    if sentence is None:
        # A fault of ours: the loop's handler is where it is seen, the message goes its way.
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a request to {call.host} could not be made", "exception": failure}
        )
        sentence = f"the request to {call.host} could not be made: an internal fault"
    return Unreachable(sentence)


def _default_ssl_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

"""One connection to a destination: carries a request out and its answer in, and ends in time."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from outrider.domain.attempt import Response
from outrider.sender.failures import Disconnected, Late, MalformedResponse
from outrider.sender.place import Place
from outrider.sender.reception import Reception

ONE_WRITE = 16 * 1024
"""Smaller bodies are joined to the head: one packet instead of two."""

SLACK_S = 0.001
"""Event loops count in steps as coarse as this: a timer may be called so much before its time."""


class Owner(Protocol):
    """Knows which connections there are."""

    def opened(self, connection: Connection) -> None: ...

    def ended(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """Serves one request after the other. Made while the event loop runs.

    Attributes:
        place: where it leads.
        since: when it was given back or taken up again, by the loop's time.
    """

    def __init__(self, place: Place, most_body_bytes: int, owner: Owner) -> None:
        self.place = place
        self.since = 0.0
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reception = Reception(most_body_bytes)
        self._answer: asyncio.Future[Response] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, head: bytes, body: bytes, deadline: float) -> asyncio.Future[Response]:
        """Write a request. The future is of its answer; whoever does not wait for that must abort.

        Raises, or fails the future with:
            Disconnected, Lost, BrokenOff, MalformedResponse: no whole response came.
            Late: it was not there at the deadline, by the loop's time.
        """
        transport = self._transport
        if transport is None or transport.is_closing():  # in this very moment
            raise Disconnected
        self._reception.expect()
        self._answer = answer = self._loop.create_future()
        if len(body) <= ONE_WRITE:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        self._deadline = deadline
        if self._timer is None or deadline < self._timer.when():
            self._set_timer()
        return answer

    @property
    def has_heard(self) -> bool:
        """Whether anything came since the request."""
        return self._reception.has_heard

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange is complete, the far end took the whole request, and another can follow."""
        transport = self._transport
        return (
            self._reception.is_reusable
            and transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
        )

    def close(self) -> None:
        """End it in an orderly way; with TLS that takes a moment."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut it, whatever is still under way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:  # nobody asked: whatever it is, it must not pass for the answer to what comes next
            self.abort()
            return
        try:
            response = self._reception.feed(data)
        except MalformedResponse as malformed:
            self._fail(malformed)
            return
        if response is not None:
            self._answer = None
            if not answer.done():
                answer.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._answer is not None:
            self._end(self._answer, exc)
        self._reception.close()
        self._owner.ended(self)

    def _end(self, answer: asyncio.Future[Response], exc: Exception | None) -> None:
        self._answer = None
        if answer.done():
            return
        try:
            answer.set_result(self._reception.end(exc))
        except Exception as failure:  # noqa: BLE001 - told to whoever waits
            answer.set_exception(failure)

    def _fail(self, failure: Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(failure)
        self.abort()

    def _set_timer(self) -> None:
        """One timer serves many requests: it is set anew when it goes off early, or would go off late."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() < self._deadline - SLACK_S:
            self._set_timer()
        else:
            self._fail(Late(self._phase()))

    def _phase(self) -> str:
        if self._reception.has_head:
            return "reading the body of the answer"
        if self._transport is not None and self._transport.get_write_buffer_size() > 0:
            return "sending the request"
        return "waiting for the answer"

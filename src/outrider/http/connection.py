"""One client's connection: bytes in, answers out, in order and within bounds.

uvicorn accepts connections, shuts down gracefully and waits for what runs; everything between a
connection's bytes and the API is here. ASGI would be between them otherwise, and its messages and its
two writes an answer cost 16 µs of the 56 that a small request cost with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from asyncio import TimerHandle, Transport
from typing import Any, cast

from uvicorn import Config
from uvicorn.server import ServerState

from outrider.domain.errors import OutriderError
from outrider.http import answers
from outrider.http.answers import Answer, Stream
from outrider.http.app import App
from outrider.http.errors import RequestTimedOut
from outrider.http.framing import PIECE, RequestReader
from outrider.http.places import Places
from outrider.http.proxies import Proxies
from outrider.http.requests import Body, Disconnected, Request

LINGER_BYTES = 8 * 1024 * 1024
"""So much of what is still sent is thrown away, so that the answer that ends it all can be read."""

UNTAKEN_BYTES = 8 * 1024
"""So much of the answers may wait for a client to take it before no more of its requests are answered.

uvloop keeps 1 KiB for each write that waits, however short it is: in the 64 KiB that it lets wait unless told
otherwise, the 590 shortest answers took 590 KiB.
"""

SLOWEST = 1024
"""Bytes a second that a body has to come with on the whole, once `stall_s` are over."""

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Reads requests and has one at a time answered; while that takes, at most a piece more is parsed.

    Attributes:
        stall_s: how long a first request may take to begin, a head to end, a body may pause, and a reader of answers
            may not read.
        deadline: when the client's time is over, by the loop's time; infinite while it waits for us.
        linger_s: how long the rest of a request that was refused is thrown away.
    """

    stall_s = 30.0
    linger_s = 2.0

    def __init__(
        self,
        app: App,
        proxies: Proxies,
        places: Places,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn gives it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._places = places
        self._server = server_state
        self._keep_alive_s = config.timeout_keep_alive
        self._idle_s = self.stall_s  # for a client that has asked nothing yet
        self._loop = _loop or asyncio.get_running_loop()
        self._reader = RequestReader()
        self._unread: bytes | memoryview = b""
        self._current: Request | None = None
        self._is_read_paused = False
        self._is_write_paused = False
        self._is_stopping = False
        self._is_streaming = False  # the last that is answered here
        self._is_ending = False  # nothing is read any more; what was written may be on its way
        self._has_ended = False  # the client's side
        self._thrown_away = 0
        self._unsent = 0
        self._head_until = math.inf
        self._body_since = 0.0
        self.deadline = math.inf
        self._timer: TimerHandle | None = None
        self._timer_at = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        self._transport.set_write_buffer_limits(UNTAKEN_BYTES)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else None
        self._is_proxy = self._proxies.trust(self._peer)
        self._server.connections.add(self)  # type: ignore[arg-type] # a set of uvicorn's own kinds
        if refusal := self._places.take(self):
            self._refuse(refusal)
        else:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server.connections.discard(self)
        self._places.leave(self)
        self._is_ending = True
        self._reader.end(Disconnected())
        if self._is_streaming:
            self._task.cancel()
        self.deadline = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            self._thrown_away += len(data)
            if self._thrown_away > LINGER_BYTES:
                self._transport.abort()
            return
        if self._unread or len(data) > PIECE or not self._may_read():
            # A view is cut without copying what is left of it.
            self._unread = memoryview(b"".join((self._unread, data)) if self._unread else data)
        else:
            self._reader.feed(data)
        self._advance()

    def eof_received(self) -> bool:
        """Whether the connection stays open: until everything that was asked is answered."""
        self._has_ended = True
        self._reader.end(Disconnected())
        if self._is_ending or self._is_streaming:
            return False
        return self._current is not None or bool(self._reader.requests)

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._unsent = self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._advance()

    def shutdown(self) -> None:
        """End after the answer that is being made, now if there is none."""
        self._is_stopping = True
        if self._current is None:
            self._close()
        elif self._is_streaming:
            self._task.cancel()

    @property
    def may_be_cut(self) -> bool:
        """Whether no request is under way; one that has been answered may be, and its answer not yet be read."""
        return self._current is None

    def cut(self) -> None:
        """End now, for another's sake."""
        self._places.leave(self)
        self._transport.abort()

    def _advance(self) -> None:
        """Do what can be done now: parse what came, answer what was parsed."""
        while not self._is_ending:
            if self._current is None and self._reader.requests and not self._is_write_paused:
                self._begin(self._reader.requests.popleft())
            elif self._unread and self._may_read():
                piece, self._unread = self._unread[:PIECE], self._unread[PIECE:]
                self._reader.feed(piece)
            else:
                break
        self._settle()

    def _may_read(self) -> bool:
        """Whether what comes next is of use now: nothing is being answered, or only its body's rest is missing."""
        current = self._current
        if current is None:
            return not self._is_write_paused and not self._reader.requests
        return not current.body.is_whole and current.body.has_room

    def _begin(self, request: Request | OutriderError) -> None:
        if isinstance(request, OutriderError):
            self._refuse(request)
            return
        self._current = request
        self._idle_s = self._keep_alive_s
        self._head_until = math.inf
        request.caller_ip = self._peer
        if self._is_proxy and self._peer is not None:
            request.caller_ip = self._proxies.caller(self._peer, request.headers)
        if not request.body.is_whole:
            request.body.on_wanted = self._go_on
            self._body_since = self._loop.time()
        self._task = self._loop.create_task(self._answer(request))
        self._server.tasks.add(self._task)

    def _refuse(self, why: OutriderError) -> None:
        self._write(self._app.refuse(why), is_bodiless=False, is_last=True)
        self._linger()

    async def _answer(self, request: Request) -> None:
        task = self._task  # of this request; that of the next one may begin before this one ends
        try:
            answer = await self._app.answer(request)
            if isinstance(answer, Stream):
                await self._stream(request, answer)
                answer = None
            self._finish(request, answer)
        except BaseException:  # the server stops and waits no longer
            self._close()
            raise
        finally:
            self._server.tasks.discard(task)

    async def _stream(self, request: Request, stream: Stream) -> None:
        """Send what comes as it comes, for as long as it is read."""
        if self._is_stopping or self._transport.is_closing():
            return
        self._transport.set_write_buffer_limits()  # one that reads may be a little late
        self._transport.write(answers.render_head(stream))
        if request.method == "HEAD":
            return
        self._is_streaming = True
        async with contextlib.aclosing(stream.pieces()) as pieces:
            async for piece in pieces:
                if self._is_write_paused:
                    self._transport.abort()
                    return
                self._transport.write(piece)

    def _go_on(self) -> None:
        """The body is waited for."""
        current = self._current
        if current is None or self._is_ending:
            return
        if not current.body.has_begun and current.fields.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(_GO_ON)
        self._advance()

    def _finish(self, request: Request, answer: Answer | None) -> None:
        self._current = None
        self._server.total_requests += 1
        if self._transport.is_closing():
            return
        if answer is None:
            self._close()
            return
        is_last = self._is_stopping or not request.keep_alive or not request.body.is_whole
        self._write(answer, is_bodiless=request.method == "HEAD", is_last=is_last)
        if not is_last:
            self._advance()
        elif request.body.is_whole:
            self._close()
        else:
            self._linger()

    def _write(self, answer: Answer, *, is_bodiless: bool, is_last: bool) -> None:
        self._transport.write(answers.render(answer, is_bodiless=is_bodiless, is_last=is_last))

    def _close(self) -> None:
        """End, once what was written is sent."""
        self._is_ending = True
        if not self._transport.is_closing():
            self._transport.close()
            self._expect_within(self.stall_s)

    def _linger(self) -> None:
        """End, but read on for a while: a client that is still sending would find its answer reset."""
        self._is_ending = True
        self._unread = b""
        self._reader.end(Disconnected())
        if self._has_ended or not self._transport.can_write_eof():
            self._close()
            return
        try:
            self._transport.write_eof()
        except OSError:  # the client is gone
            self._close()
            return
        self._read_on()
        self._expect_within(self.linger_s)

    def _settle(self) -> None:
        """Read or not, and wait so long, as it stands now."""
        if self._is_ending:
            return
        current = self._current
        if current is None and self._has_ended and not self._reader.requests:
            self._close()
            return
        if self._unread or self._is_write_paused or not (current is None or current.body.is_whole or self._may_read()):
            self._hold()
        elif self._is_read_paused:
            self._read_on()
        if self._is_write_paused:
            self._expect_within(self.stall_s)
        elif current is None:
            self._expect_request()
        elif current.body.is_wanted:
            self._expect_body(current.body)
        else:
            self.deadline = math.inf

    def _expect_request(self) -> None:
        if not self._reader.is_in_head:
            self._head_until = math.inf
            self._expect_within(self._idle_s)
            return
        if self._head_until == math.inf:
            self._head_until = self._loop.time() + self.stall_s
        self._expect_by(self._head_until)

    def _expect_body(self, body: Body) -> None:
        """It may pause, but not come so slowly that it would keep the connection for hours."""
        in_all_by = self._body_since + self.stall_s + body.size / SLOWEST
        self._expect_by(min(self._loop.time() + self.stall_s, in_all_by))

    def _hold(self) -> None:
        if not self._is_read_paused and not self._has_ended:
            self._is_read_paused = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._is_read_paused and not self._has_ended:
            self._is_read_paused = False
            self._transport.resume_reading()

    # One timer a connection, that looks at the deadline when it fires: deadlines move with every request.

    def _expect_within(self, seconds: float) -> None:
        self._expect_by(self._loop.time() + seconds)

    def _expect_by(self, deadline: float) -> None:
        self.deadline = deadline
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._look_at_time)
            self._timer_at = deadline

    def _look_at_time(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._loop.time() >= self.deadline:
            self._expire()
        elif self.deadline != math.inf:
            self._expect_by(self.deadline)

    def _expire(self) -> None:
        if self._is_write_paused or self._transport.is_closing():
            self._give_up_sending()
        elif self._is_ending:
            self._close()
        elif self._current is not None:
            self._current.body.fail(
                _timed_out(f"the request's body paused for {self.stall_s:g} s, or came at less than {SLOWEST} bytes/s")
            )
        elif self._reader.is_in_head:
            self._reader.refuse(_timed_out(f"the request's head did not come within {self.stall_s:g} s"))
            self._advance()
        else:
            self._close()

    def _give_up_sending(self) -> None:
        """Abort, unless some of what was written was taken since."""
        left = self._transport.get_write_buffer_size()
        if 0 < left < self._unsent or (left and not self._unsent):
            self._unsent = left
            self._expect_within(self.stall_s)
        else:
            self._transport.abort()


def _timed_out(sentence: str) -> RequestTimedOut:
    return RequestTimedOut(sentence, hint="send it again, without pauses")

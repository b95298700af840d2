"""A TCP proxy that breaks what passes through it, as networks do.

    with TcpProxy(server.port) as proxy:
        … connect to proxy.port …
        lost = proxy.cut_after(b"COMMIT")
        … the client's COMMIT is done, and the client does not hear of it …

It lives on a thread of its own; every method may be called from any thread, and has its effect when it returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.free_port import free_port

CHUNK = 65_536
LONGEST_PATTERN = 256
WAIT_S = 30.0

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
"""Of Linux; Python does not name them."""

_DROP = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
"""A filter of one instruction, BPF_RET: nothing of the packet is kept, before TCP sees it."""


class Cut:
    """One cut, on the first connection whose client sends a pattern."""

    def __init__(self, pattern: bytes, answered: bytes = b"") -> None:
        self.pattern = pattern
        self._answered = answered
        self._happened = threading.Event()

    @property
    def has_happened(self) -> bool:
        return self._happened.is_set()

    def wait(self, timeout_s: float = WAIT_S) -> None:
        """Block until it has happened."""
        assert self._happened.wait(timeout_s), f"no client sent {self.pattern!r} within {timeout_s} s"

    async def meet(self, connection: _Connection, passed: bytes, caught: bytes) -> None:
        """Cut the connection; `caught` begins with the pattern, or with the last part of it."""
        raise NotImplementedError


class CutBefore(Cut):
    """The server never gets the pattern's last byte."""

    async def meet(self, connection: _Connection, passed: bytes, caught: bytes) -> None:
        await connection.to_server(passed)
        connection.abort()
        self._happened.set()


class CutAfter(Cut):
    """The server gets the pattern, and the client not the answer."""

    async def meet(self, connection: _Connection, passed: bytes, caught: bytes) -> None:
        connection.hears_nothing = True
        try:
            await connection.to_server(passed + caught)
            await connection.answer(self._answered)
        finally:
            connection.abort()
            self._happened.set()


class CutHolding(Cut):
    """The client is cut off, and the server gets the pattern later."""

    def __init__(self, pattern: bytes, answered: bytes = b"") -> None:
        super().__init__(pattern, answered)
        self._released = asyncio.Event()
        self._delivered = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def release(self) -> None:
        """Let the server have what was held; return when it has answered, or its connection has ended."""
        self.wait()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._released.set)
        assert self._delivered.wait(WAIT_S), f"the server did not answer {self.pattern!r} within {WAIT_S} s"

    async def meet(self, connection: _Connection, passed: bytes, caught: bytes) -> None:
        connection.hears_nothing = True
        self._loop = asyncio.get_running_loop()
        try:
            await connection.to_server(passed)
            connection.abort_client()
            self._happened.set()
            await self._released.wait()
            connection.forget_answers()
            await connection.to_server(caught)
            await connection.answer(self._answered)
        finally:
            connection.abort()
            self._delivered.set()


C = TypeVar("C", bound=Cut)


class TcpProxy:
    """Between clients of its `port` and a server's, both of 127.0.0.1.

    Attributes:
        port: where it listens; the same for all its life.
        accepted: how many connections it has taken.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[_Connection] = set()
        self._cuts: list[Cut] = []
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay_s = 0.0
        self._listener: asyncio.Server | None = None
        self.accepted = 0
        self.port = free_port()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def cut(self) -> None:
        """Reset every connection there is, at both its ends. New ones are taken."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Take no new connections: who tries is refused. Those there are stay."""
        self._do(self._refuse())

    def accept(self) -> None:
        """Take new connections again."""
        self._do(self._listen())

    def stall(self) -> None:
        """Forward nothing, either way, as if no packet came through; new connections are taken all the same."""
        self._do(self._stall())

    def flow(self) -> None:
        """Forward again, first what was held back."""
        self._do(self._flow())

    def swallow(self) -> None:
        """A black hole: what is sent on connections there are is not even received, at no end. New ones are served.

        On Linux alone. What was sent comes through once there is no hole any more, by `flow`, if it is sent again.
        """
        self._do(self._swallow())

    def delay(self, seconds: float) -> None:
        """Forward everything from now on that much later, each way; 0: at once."""
        self._do(self._delay(seconds))

    def cut_before(self, pattern: bytes) -> Cut:
        """Cut the next connection whose client sends the pattern; its last byte never reaches the server."""
        return self._arm(CutBefore(pattern))

    def cut_after(self, pattern: bytes, *, answered: bytes = b"") -> Cut:
        """Cut the next connection whose client sends the pattern, when the server has answered it.

        The answer does not reach the client. It is complete when `answered` was in it; without that, as it begins.
        """
        return self._arm(CutAfter(pattern, answered))

    def cut_holding(self, pattern: bytes, *, answered: bytes = b"") -> CutHolding:
        """Cut the next client that sends the pattern off; the server notices nothing, and gets it on `release()`.

        `answered` is as for `cut_after`.
        """
        return self._arm(CutHolding(pattern, answered))

    def _arm(self, cut: C) -> C:
        self._do(self._add(cut))
        return cut

    def _do(self, change: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(change, self._loop).result(WAIT_S)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _cut(self) -> None:
        ending = [connection.task for connection in self._connections]
        for connection in self._connections:
            connection.abort()
            connection.task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _stall(self) -> None:
        self._flows.clear()

    async def _flow(self) -> None:
        self._flows.set()
        for connection in self._connections:
            connection.receive()

    async def _swallow(self) -> None:
        for connection in self._connections:
            connection.swallow()

    async def _delay(self, seconds: float) -> None:
        self._delay_s = seconds

    async def _add(self, cut: Cut) -> None:
        self._cuts.append(cut)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer)
        self._connections.add(connection)
        self.accepted += 1
        try:
            await connection.reach(self._to)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump_requests(connection))
                pumps.create_task(self._pump_answers(connection))
        except* OSError:
            await self._pass()  # that one end is gone is no news that comes through a stalled network
        except* asyncio.CancelledError:
            pass  # cut
        finally:
            connection.abort()
            self._connections.discard(connection)

    async def _pump_requests(self, connection: _Connection) -> None:
        recent = b""
        while True:
            data = await connection.from_client.read(CHUNK)
            await self._pass()
            if not data:
                connection.end_requests()
                return
            for cut in self._cuts:
                # A pattern may come in two pieces, of which the second is new.
                at = (recent + data).find(cut.pattern, max(len(recent) - len(cut.pattern) + 1, 0))
                if at >= 0:
                    self._cuts.remove(cut)
                    start = max(at - len(recent), 0)
                    await cut.meet(connection, data[:start], data[start:])
                    return
            recent = (recent + data)[-LONGEST_PATTERN:]
            await connection.to_server(data)

    async def _pump_answers(self, connection: _Connection) -> None:
        while True:
            data = await connection.from_server.read(CHUNK)
            await self._pass()
            if not data:
                connection.end_answers()
                return
            await connection.to_client(data)

    async def _pass(self) -> None:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        await self._flows.wait()


class _Connection:
    """A client's connection, and the one to the server that goes with it."""

    from_server: asyncio.StreamReader
    _server: asyncio.StreamWriter | None = None

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.from_client = reader
        self.hears_nothing = False
        self._client = writer
        self._withheld = b""
        self._answered = asyncio.Event()

    async def reach(self, port: int) -> None:
        self.from_server, self._server = await asyncio.open_connection("127.0.0.1", port)

    async def to_server(self, data: bytes) -> None:
        assert self._server is not None
        self._server.write(data)
        await self._server.drain()

    async def to_client(self, data: bytes) -> None:
        if self.hears_nothing:
            self._withheld += data
            self._answered.set()
        else:
            self._client.write(data)
            await self._client.drain()

    def swallow(self) -> None:
        for connected in self._sockets():
            connected.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(_DROP)))

    def receive(self) -> None:
        for connected in self._sockets():
            with contextlib.suppress(FileNotFoundError):  # it has received all the time
                connected.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def _sockets(self) -> list[socket.socket]:
        return [one.get_extra_info("socket") for one in (self._client, self._server) if one is not None]

    def forget_answers(self) -> None:
        self._withheld = b""

    async def answer(self, wanted: bytes) -> None:
        """Return when the server's withheld answer has these bytes in it, or its connection has ended."""
        while not self.from_server.at_eof() and not (self._withheld and wanted in self._withheld):
            self._answered.clear()
            await self._answered.wait()

    def end_requests(self) -> None:
        if self._server is not None and self._server.can_write_eof():
            self._server.write_eof()

    def end_answers(self) -> None:
        self._answered.set()
        if not self.hears_nothing:
            self._client.write_eof()

    def abort_client(self) -> None:
        _reset(self._client)

    def abort(self) -> None:
        _reset(self._client)
        if self._server is not None:
            _reset(self._server)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, whatever is on its way."""
    connected = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

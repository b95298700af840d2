"""Destinations on real sockets, and senders that may call them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
from collections.abc import Awaitable, Callable
from functools import cache

import pytest
from tests.loop_time import LoopTime

from outrider.domain.addresses import AddressPolicy
from outrider.ports import OutgoingRequest
from outrider.sender import HttpSender
from outrider.sender.http_sender import _default_ssl_context

Answer = Callable[["Peer"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

LOOPBACK = AddressPolicy.development()


class Peer:
    """One connection, as the destination sees it."""

    def __init__(self, reader, writer, number, requests):
        self.reader = reader
        self.writer = writer
        self.number = number
        self._requests = requests

    async def read_request(self) -> bytes:
        """The bytes of one request with a Content-Length or no body."""
        request = await self.reader.readuntil(b"\r\n\r\n")
        for line in request.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                request += await self.reader.readexactly(int(value))
        self._requests.append(request)
        return request

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, data: bytes = OK) -> bytes:
        """Read a request, then answer it."""
        request = await self.read_request()
        self.write(data)
        await self.writer.drain()
        return request

    def reset(self) -> None:
        """Close with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Take in whatever comes until the caller closes."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    async def is_closed_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.until_closed(), seconds)
        except TimeoutError:
            return False
        return True


class Destination:
    """A server that plays one answer on every connection; keeps what it was sent."""

    def __init__(self, answer: Answer, scheme: str = "http"):
        self._answer = answer
        self._scheme = scheme
        self._handlers = set()
        self.connections = 0
        self.requests: list[bytes] = []

    async def start(self, ssl=None):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{self._scheme}://127.0.0.1:{self.port}"
        return self

    async def _serve(self, reader, writer):
        self.connections += 1
        self._handlers.add(asyncio.current_task())
        peer = Peer(reader, writer, self.connections, self.requests)
        try:
            await self._answer(peer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def close(self):
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()


@pytest.fixture
async def serve():
    """Start a destination with an answer."""
    started = []

    async def start(answer: Answer, **options):
        destination = Destination(answer, "https" if "ssl" in options else "http")
        started.append(destination)
        return await destination.start(**options)

    yield start
    for destination in started:
        await destination.close()


system_authorities = cache(_default_ssl_context)
"""What a sender makes for itself; to load them takes 19 ms."""


@pytest.fixture
async def make_sender():
    """Make a sender; it may call this machine unless a policy is given."""
    made = []

    def make(policy: AddressPolicy = LOOPBACK, **options) -> HttpSender:
        sender = HttpSender(policy, **({"response_body_bytes": 1000, "ssl_context": system_authorities()} | options))
        made.append(sender)
        return sender

    yield make
    for sender in made:
        await sender.close()


@pytest.fixture
async def sender(make_sender):
    return make_sender()


@pytest.fixture
async def loop_time():
    return LoopTime(asyncio.get_running_loop())


def outgoing(url, *, method="POST", headers=(), body=b"hello", timeout_ms=5_000) -> OutgoingRequest:
    return OutgoingRequest(method=method, url=url, headers=headers, body=body, timeout_ms=timeout_ms)


@pytest.fixture(scope="session")
def request_to():
    return outgoing


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for `destination.test`, made for this run: (certificate, key)."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ),
            *("-subj", "/CN=destination.test", "-addext", "subjectAltName=DNS:destination.test"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key

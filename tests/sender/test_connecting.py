"""From a name to a connection: look-ups, several addresses, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from tests.free_port import free_port

from outrider.domain.attempt import Delivered, Failure, TimedOut, Unreachable
from outrider.sender import connecting, names
from outrider.sender.guard import Guard
from outrider.sender.names import Names
from outrider.sender.place import Place, parse_place


class Resolver:
    """Gives these addresses for any name, once it is let; counts how often it was asked."""

    def __init__(self, *addresses, failure=None):
        self._addresses = addresses
        self._failure = failure
        self.asked = []
        self.was_asked = asyncio.Event()
        self.let = asyncio.Event()
        self.let.set()

    async def resolve(self, host, port):
        self.asked.append(host)
        self.was_asked.set()
        await self.let.wait()
        if self._failure is not None:
            raise self._failure
        return [{"host": address} for address in self._addresses]

    async def close(self):
        pass


async def answer_all(peer):
    while True:
        await peer.answer()


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("https://example.com", Place(True, "example.com", 443, False, "example.com:443")),
        ("http://example.com.", Place(False, "example.com.", 80, False, "example.com.:80")),
        ("https://example.com:8443", Place(True, "example.com", 8443, False, "example.com:8443")),
        ("http://192.0.2.1", Place(False, "192.0.2.1", 80, True, "192.0.2.1:80")),
        ("https://[2001:db8::1]", Place(True, "2001:db8::1", 443, True, "[2001:db8::1]:443")),
        ("http://[2001:db8::1]:8080", Place(False, "2001:db8::1", 8080, True, "[2001:db8::1]:8080")),
    ],
)
def test_place_of_an_origin(origin, place):
    assert parse_place(origin) == place


class TestNames:
    async def test_name_is_looked_up_once_and_its_addresses_take_turns(self):
        resolver = Resolver("192.0.2.1", "192.0.2.2", "192.0.2.3")
        known = Names(resolver, 10)

        found = [await known.find("host.test", 80) for _ in range(4)]

        assert [addresses[0] for addresses in found] == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1"]
        assert all(len(addresses) == 3 for addresses in found)
        assert resolver.asked == ["host.test"]

    async def test_look_up_is_shared_and_outlives_whoever_began_it(self):
        resolver = Resolver("192.0.2.1")
        resolver.let.clear()
        known = Names(resolver, 10)
        first, second = (asyncio.create_task(known.find("host.test", 80)) for _ in range(2))
        await resolver.was_asked.wait()

        first.cancel()
        resolver.let.set()

        assert await second == ["192.0.2.1"]
        assert first.cancelled()
        assert resolver.asked == ["host.test"]

    async def test_failure_is_told_to_all_and_not_remembered(self):
        resolver = Resolver(failure=socket.gaierror(socket.EAI_AGAIN, "try again"))
        known = Names(resolver, 10)

        failures = await asyncio.gather(*(known.find("host.test", 80) for _ in range(3)), return_exceptions=True)

        assert [type(failure) for failure in failures] == [socket.gaierror] * 3
        assert resolver.asked == ["host.test"]
        with pytest.raises(socket.gaierror):
            await known.find("host.test", 80)
        assert len(resolver.asked) == 2

    async def test_name_without_addresses_is_a_failure(self):
        with pytest.raises(socket.gaierror):
            await Names(Resolver(), 10).find("host.test", 80)

    async def test_names_that_are_remembered_are_bounded(self, monkeypatch):
        monkeypatch.setattr(names, "MOST_NAMES", 2)
        resolver = Resolver("192.0.2.1")
        known = Names(resolver, 10)

        for host in ("a", "b", "c", "c", "b", "a"):
            await known.find(host, 80)

        assert resolver.asked == ["a", "b", "c", "a"]


@pytest.fixture
def silent_port():
    """A port of 127.0.0.2 that neither takes nor refuses connections: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.2", free_port()))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def serve_at(address, port):
    """A server at this very place that answers every request."""

    async def answer(reader, writer):
        while await reader.read(65536):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    return await asyncio.start_server(answer, address, port)


async def test_next_address_is_tried_beside_a_silent_one(make_sender, request_to, silent_port, monkeypatch):
    monkeypatch.setattr(connecting, "STAGGER_S", 0.01)
    sender = make_sender(resolver=Resolver("127.0.0.2", "127.0.0.1"))

    async with await serve_at("127.0.0.1", silent_port):
        outcome = await sender.send(request_to(f"http://host.test:{silent_port}/"))
        await sender.close()

    assert isinstance(outcome, Delivered)


async def test_silent_address_times_out_while_connecting(make_sender, request_to, silent_port):
    sender = make_sender(connect_timeout_ms=50)

    outcome = await sender.send(request_to(f"http://127.0.0.2:{silent_port}/"))

    assert outcome == TimedOut(50, f"destination did not answer within 0.05 s: connecting to 127.0.0.2:{silent_port}")


async def test_requests_do_not_wait_for_receipts(serve, sender, request_to):
    destination = await serve(answer_all)
    await sender.send(request_to(destination.url))

    (connection,) = sender._connections._open

    made = connection._transport.get_extra_info("socket")
    assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("addresses", [("127.0.0.2",), ("127.0.0.2", "127.0.0.2")])
async def test_attempt_that_is_cancelled_while_connecting_leaves_no_socket(
    make_sender, request_to, silent_port, monkeypatch, addresses
):
    monkeypatch.setattr(connecting, "STAGGER_S", 0.001)
    made, all_made = [], asyncio.Event()
    make_socket = Guard.make_socket

    def make_and_note(*arguments):
        made.append(make_socket(*arguments))
        if len(made) == len(addresses):
            all_made.set()
        return made[-1]

    monkeypatch.setattr(Guard, "make_socket", make_and_note)
    sender = make_sender(resolver=Resolver(*addresses))
    attempt = asyncio.create_task(sender.send(request_to(f"http://host.test:{silent_port}/")))
    await all_made.wait()

    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert [one.fileno() for one in made] == [-1] * len(addresses)


async def test_last_failure_is_told_when_no_address_answers(make_sender, request_to):
    port = free_port()
    sender = make_sender(resolver=Resolver("127.0.0.1", "127.0.0.2", "127.0.0.3"))

    outcome = await sender.send(request_to(f"http://host.test:{port}/"))

    assert outcome == Unreachable(f"cannot connect to host.test:{port}: connection refused", Failure.CONNECT)


def test_families_take_turns():
    addresses = ["::1", "::2", "::3", "192.0.2.1", "192.0.2.2"]

    assert list(connecting._interleaved(addresses)) == ["::1", "192.0.2.1", "::2", "192.0.2.2", "::3"]


async def test_ipv6_literal_is_connected_to(make_sender, request_to):
    try:
        server = await serve_at("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    sender = make_sender()

    async with server:
        outcome = await sender.send(request_to(f"http://[::1]:{server.sockets[0].getsockname()[1]}/"))
        await sender.close()

    assert isinstance(outcome, Delivered)


async def test_address_that_fails_at_tls_is_followed_by_the_next(serve, make_sender, request_to, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    destination = await serve(answer_all, ssl=context)
    sender = make_sender(
        ssl_context=ssl.create_default_context(cafile=certificate[0]), resolver=Resolver("127.0.0.2", "127.0.0.1")
    )

    async with await serve_at("127.0.0.2", destination.port):
        outcome = await sender.send(request_to(f"https://destination.test:{destination.port}/"))

    assert isinstance(outcome, Delivered)


@pytest.mark.parametrize("host", ["destination.test", "destination.test."])
async def test_name_is_shown_in_the_tls_handshake(serve, make_sender, request_to, certificate, host):
    shown = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _, name, __: shown.append(name)
    destination = await serve(answer_all, ssl=context)
    sender = make_sender(ssl_context=ssl.create_default_context(cafile=certificate[0]), resolver=Resolver("127.0.0.1"))

    for _ in range(2):
        outcome = await sender.send(request_to(f"https://{host}:{destination.port}/"))
        assert isinstance(outcome, Delivered)

    assert shown == ["destination.test"]
    assert (destination.connections, len(destination.requests)) == (1, 2)

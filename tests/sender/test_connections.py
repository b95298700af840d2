"""How connections are made, kept, reused and lost."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from tests.free_port import free_port

from outrider.domain.attempt import Delivered, Failure, Unreachable
from outrider.sender import HttpSender, exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Names:
    """Names with fixed addresses."""

    def __init__(self, **addresses):
        self._addresses = {name.replace("_", "."): found for name, found in addresses.items()}

    async def resolve(self, host, port):
        return [{"host": address} for address in self._addresses[host]]

    async def close(self):
        pass


async def answer_all(peer):
    while True:
        await peer.answer()


async def test_connection_is_used_again(serve, sender, request_to):
    destination = await serve(answer_all)

    for _ in range(3):
        await sender.send(request_to(destination.url))

    assert (destination.connections, len(destination.requests)) == (1, 3)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
)
async def test_connection_is_not_used_again_when_it_cannot_be(serve, sender, request_to, response):
    async def answer(peer):
        await peer.answer(response)
        await peer.answer(response)

    destination = await serve(answer)

    for _ in range(2):
        await sender.send(request_to(destination.url))

    assert (destination.connections, len(destination.requests)) == (2, 2)


async def test_connection_is_not_used_again_when_its_request_was_not_taken(serve, sender, request_to):
    async def refuse_early(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.write(OK)
        await peer.writer.wait_closed()

    destination = await serve(refuse_early)

    for _ in range(2):
        await sender.send(request_to(destination.url, body=b"x" * 20_000_000))

    assert destination.connections == 2


async def test_idle_connections_are_bounded(serve, make_sender, request_to):
    sender = make_sender(idle_connections=2)
    arrived = 0
    everyone = asyncio.Event()

    async def answer(peer):
        nonlocal arrived
        while True:
            await peer.read_request()
            arrived += 1
            if arrived == 5:
                everyone.set()
            await everyone.wait()
            peer.write(OK)

    destination = await serve(answer)

    await asyncio.gather(*(sender.send(request_to(destination.url)) for _ in range(5)))
    assert destination.connections == 5
    await asyncio.gather(*(sender.send(request_to(destination.url)) for _ in range(5)))

    assert destination.connections == 5 + 3


async def close_on_the_second_request(peer):
    """The first connection serves one request; later ones serve all."""
    await peer.answer()
    if peer.number == 1:
        await peer.read_request()
        return
    await answer_all(peer)


async def test_kept_connection_that_had_closed_is_replaced_within_the_attempt(serve, sender, request_to):
    destination = await serve(close_on_the_second_request)
    await sender.send(request_to(destination.url))

    outcome = await sender.send(request_to(destination.url, body=b"again"))

    assert isinstance(outcome, Delivered)
    assert destination.connections == 2
    assert [request[-5:] for request in destination.requests] == [b"hello", b"again", b"again"]


async def test_all_kept_connections_that_had_closed_are_replaced_by_one_fresh_one(serve, sender, request_to):
    everyone = asyncio.Event()

    async def answer(peer):
        await peer.read_request()
        if peer.number <= 3:
            if peer.number == 3:
                everyone.set()
            await everyone.wait()
            peer.write(OK)
            await peer.read_request()
            return
        peer.write(OK)
        await peer.until_closed()

    destination = await serve(answer)
    await asyncio.gather(*(sender.send(request_to(destination.url)) for _ in range(3)))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (destination.connections, len(destination.requests)) == (4, 3 + 2)


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
async def test_request_lost_on_a_fresh_connection_is_not_repeated(serve, sender, request_to, method):
    destination = await serve(lambda peer: peer.read_request())

    outcome = await sender.send(request_to(destination.url, method=method))

    assert isinstance(outcome, Unreachable)
    assert len(destination.requests) == 1


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nX-Half: ", b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_request_of_which_an_answer_began_is_not_repeated(serve, sender, request_to, beginning):
    async def answer(peer):
        await peer.answer()
        await peer.answer(beginning)

    destination = await serve(answer)
    await sender.send(request_to(destination.url))

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable("destination closed the connection before it had answered")
    assert len(destination.requests) == 2


async def test_request_that_was_held_for_long_before_the_connection_closed_is_not_repeated(
    serve, sender, request_to, monkeypatch
):
    monkeypatch.setattr(exchange, "STALE_WITHIN_S", 0)
    destination = await serve(close_on_the_second_request)
    await sender.send(request_to(destination.url))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Unreachable)
    assert len(destination.requests) == 2


async def test_what_came_on_an_idle_connection_is_no_answer(serve, sender, request_to):
    is_idle, said = asyncio.Event(), asyncio.Event()

    async def answer(peer):
        if peer.number == 1:
            await peer.answer()
            await is_idle.wait()
            peer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate")
            await peer.writer.drain()
            said.set()
        await answer_all(peer)

    destination, other = await serve(answer), await serve(answer_all)
    await sender.send(request_to(destination.url))
    is_idle.set()
    await said.wait()
    await sender.send(request_to(other.url))  # what was said has arrived by then

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (destination.connections, len(destination.requests)) == (2, 2)


async def test_refused_connection_is_named(sender, request_to):
    port = free_port()

    outcome = await sender.send(request_to(f"http://127.0.0.1:{port}/"))

    assert outcome == Unreachable(f"cannot connect to 127.0.0.1:{port}: connection refused", Failure.CONNECT)


async def test_next_address_of_a_name_is_tried(serve, make_sender, request_to):
    destination = await serve(answer_all)
    sender = make_sender(resolver=Names(destination_test=["127.0.0.2", "127.0.0.1"]))

    outcome = await sender.send(request_to(f"http://destination.test:{destination.port}/"))

    assert isinstance(outcome, Delivered)


async def test_name_without_address_is_named(sender, request_to):
    outcome = await sender.send(request_to("http://name.invalid/"))

    assert isinstance(outcome, Unreachable)
    assert outcome.error.startswith("host 'name.invalid' has no address: ")
    assert outcome.why is Failure.DNS


async def test_fault_of_ours_is_an_outcome_and_told_to_the_loop(make_sender, request_to):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    sender = make_sender(resolver=Names())

    outcome = await sender.send(request_to("http://missing.test/"))

    assert outcome == Unreachable("the request to missing.test:80 could not be made: an internal fault")
    assert [type(fault) for fault in told] == [KeyError]


async def test_closed_sender_calls_nobody(serve, make_sender, request_to):
    destination = await serve(answer_all)
    sender = make_sender()
    await sender.close()

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable("the request was not sent: the server is stopping")
    assert destination.connections == 0


class TestTls:
    @pytest.fixture
    async def destination(self, serve, certificate):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        return await serve(answer_all, ssl=context)

    @pytest.fixture
    def make_trusting(self, make_sender, certificate) -> HttpSender:
        def make(name):
            context = ssl.create_default_context(cafile=certificate[0])
            return make_sender(ssl_context=context, resolver=Names(**{name: ["127.0.0.1"]}))

        return make

    async def test_trusted_certificate_is_accepted(self, destination, make_trusting, request_to):
        sender = make_trusting("destination_test")

        for _ in range(2):
            outcome = await sender.send(request_to(f"https://destination.test:{destination.port}/"))

        assert isinstance(outcome, Delivered)
        assert destination.connections == 1

    async def test_unknown_authority_is_named(self, destination, make_sender, request_to):
        sender = make_sender(resolver=Names(destination_test=["127.0.0.1"]))

        outcome = await sender.send(request_to(f"https://destination.test:{destination.port}/"))

        assert outcome == Unreachable(
            f"the TLS certificate of destination.test:{destination.port} is not valid: self-signed certificate",
            Failure.TLS,
        )
        assert destination.requests == []

    async def test_wrong_host_name_is_named(self, destination, make_trusting, request_to):
        sender = make_trusting("other_test")

        outcome = await sender.send(request_to(f"https://other.test:{destination.port}/"))

        assert outcome == Unreachable(
            f"the TLS certificate of other.test:{destination.port} is not valid: "
            "Hostname mismatch, certificate is not valid for 'other.test'",
            Failure.TLS,
        )

    async def test_destination_without_tls_is_named(self, serve, sender, request_to):
        async def speak_http(peer):
            await peer.reader.read(10)
            peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await peer.until_closed()

        destination = await serve(speak_http)

        outcome = await sender.send(request_to(f"https://127.0.0.1:{destination.port}/"))

        assert isinstance(outcome, Unreachable)
        assert outcome.error.startswith(f"the TLS handshake with 127.0.0.1:{destination.port} failed: ")

    async def test_connection_cut_in_the_handshake_is_named(self, serve, sender, request_to):
        async def cut(peer):
            await peer.reader.read(10)
            peer.reset()

        destination = await serve(cut)

        outcome = await sender.send(request_to(f"https://127.0.0.1:{destination.port}/"))

        assert outcome == Unreachable(
            f"cannot connect to 127.0.0.1:{destination.port}: connection reset", Failure.CONNECT
        )

"""No private address is connected to, by whatever way a request gets there."""

from __future__ import annotations

import pytest

from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Blocked, Delivered, Unreachable
from outrider.sender import connections

PUBLIC_ONLY = AddressPolicy.production(allow_http=True)
FIRST_ONLY = AddressPolicy.production(allow_http=True, allowed_networks=("127.0.0.1/32",))


class Answers:
    """Gives these addresses for any name; they can be changed."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host, port):
        return [{"host": address} for address in self.addresses]

    async def close(self):
        pass


async def answer_once(peer):
    await peer.answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fc00::1",
        "fe80::1",
        "fe80::1%lo",
        "ff02::1",
        "localhost",
        "127.1",
        "2130706433",
        "not-an-address",
    ],
)
async def test_name_with_a_private_address_is_blocked(serve, make_sender, request_to, address):
    destination = await serve(answer_once)
    sender = make_sender(PUBLIC_ONLY, resolver=Answers(address))

    outcome = await sender.send(request_to(f"http://public.example:{destination.port}/"))

    assert isinstance(outcome, Blocked)
    assert outcome.error.startswith("destination 'public.example' is refused: its address ")
    assert destination.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "0.0.0.0",
        "0",
        "me@127.0.0.1",
    ],
)
async def test_literal_private_address_is_blocked(serve, make_sender, request_to, host):
    destination = await serve(answer_once)

    outcome = await make_sender(PUBLIC_ONLY).send(request_to(f"http://{host}:{destination.port}/"))

    assert isinstance(outcome, Blocked)
    assert destination.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_guard_at_the_socket_blocks_on_its_own(serve, make_sender, request_to, monkeypatch, host):
    """Literals never reach a resolver: what is judged at the socket must not depend on the URL's check."""
    destination = await serve(answer_once)
    sender = make_sender(PUBLIC_ONLY)
    monkeypatch.setattr(AddressPolicy, "refuse_url", lambda *_: None)

    outcome = await sender.send(request_to(f"http://{host}:{destination.port}/"))

    assert isinstance(outcome, Blocked)
    assert destination.connections == 0


async def test_name_that_changes_its_address_is_blocked(serve, make_sender, request_to, monkeypatch):
    monkeypatch.setattr(connections, "DNS_CACHE_S", 0)
    destination = await serve(answer_once)
    resolver = Answers("127.0.0.1")
    sender = make_sender(FIRST_ONLY, resolver=resolver)
    url = f"http://rebound.example:{destination.port}/"
    assert isinstance(await sender.send(request_to(url)), Delivered)

    resolver.addresses = ("127.0.0.2",)
    outcome = await sender.send(request_to(url))

    assert isinstance(outcome, Blocked)
    assert destination.connections == 1


@pytest.mark.parametrize("addresses", [("127.0.0.2", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::1", "127.0.0.1")])
async def test_allowed_address_among_refused_ones_is_used(serve, make_sender, request_to, addresses):
    destination = await serve(answer_once)
    sender = make_sender(FIRST_ONLY, resolver=Answers(*addresses))

    outcome = await sender.send(request_to(f"http://mixed.example:{destination.port}/"))

    assert isinstance(outcome, Delivered)


async def test_unreachable_allowed_address_beside_a_refused_one_may_be_tried_again(make_sender, request_to):
    sender = make_sender(FIRST_ONLY, resolver=Answers("127.0.0.2", "127.0.0.1"))

    outcome = await sender.send(request_to("http://mixed.example:1/"))

    assert isinstance(outcome, Unreachable)


async def test_several_refused_addresses_are_blocked(make_sender, request_to):
    sender = make_sender(PUBLIC_ONLY, resolver=Answers("10.0.0.1", "::1", "192.168.0.1"))

    outcome = await sender.send(request_to("http://inside.example/"))

    assert isinstance(outcome, Blocked)


async def test_redirect_to_a_private_address_is_not_followed(serve, make_sender, request_to):
    private = await serve(answer_once)

    async def redirect(peer):
        location = f"http://127.0.0.2:{private.port}/".encode()
        await peer.answer(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")
        await peer.until_closed()

    destination = await serve(redirect)

    await make_sender(FIRST_ONLY).send(request_to(destination.url))

    assert (destination.connections, private.connections) == (1, 0)


async def test_allowed_host_may_have_any_address(serve, make_sender, request_to):
    destination = await serve(answer_once)
    policy = AddressPolicy.production(allow_http=True, allowed_hosts=("inside.example",))
    sender = make_sender(policy, resolver=Answers("127.0.0.1"))

    allowed = await sender.send(request_to(f"http://inside.example:{destination.port}/"))
    other = await sender.send(request_to(f"http://other.example:{destination.port}/"))

    assert isinstance(allowed, Delivered)
    assert isinstance(other, Blocked)


async def test_plain_http_is_blocked_where_it_is_not_allowed(make_sender, request_to):
    outcome = await make_sender(AddressPolicy.production()).send(request_to("http://example.com/"))

    assert outcome == Blocked(
        "destination 'http://example.com' is refused: only https is allowed; write https://, or set allow_http"
    )

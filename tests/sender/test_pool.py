"""Which connections are kept, for how long, and which one is taken."""

from __future__ import annotations

import asyncio

import pytest

from outrider.domain.attempt import Delivered, TimedOut, Unreachable
from outrider.sender import connections

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

LONG_S = 60


class Anywhere:
    """Every name leads to this machine."""

    async def resolve(self, host, port):
        return [{"host": "127.0.0.1"}]

    async def close(self):
        pass


async def answer_all(peer):
    while True:
        await peer.answer()


async def test_idle_connection_is_closed_after_a_while(serve, make_sender, request_to, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_S", 0.02)
    closed = asyncio.Event()

    async def answer(peer):
        await peer.answer()
        await peer.until_closed()
        closed.set()

    destination = await serve(answer)

    await make_sender().send(request_to(destination.url))

    await asyncio.wait_for(closed.wait(), LONG_S / 2)


async def test_connection_that_was_idle_for_too_long_is_not_used(serve, sender, request_to, monkeypatch):
    destination = await serve(answer_all)
    await sender.send(request_to(destination.url))
    monkeypatch.setattr(connections, "IDLE_S", -1)

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert destination.connections == 2


async def test_connection_used_last_is_used_first(serve, sender, request_to):
    used = []
    both = asyncio.Barrier(2)

    async def answer(peer):
        await peer.read_request()
        await both.wait()
        peer.write(OK)
        while True:
            await peer.answer()
            used.append(peer.number)

    destination = await serve(answer)
    await asyncio.gather(*(sender.send(request_to(destination.url)) for _ in range(2)))

    for _ in range(3):
        await sender.send(request_to(destination.url))

    assert len(used) == 3
    assert len(set(used)) == 1


async def test_each_host_has_connections_of_its_own(serve, make_sender, request_to):
    destination = await serve(answer_all)
    sender = make_sender(resolver=Anywhere())
    urls = [f"http://host-{number}.test:{destination.port}/" for number in range(50)]

    for _ in range(2):
        outcomes = await asyncio.gather(*(sender.send(request_to(url)) for url in urls))
        assert {type(outcome) for outcome in outcomes} == {Delivered}

    assert (destination.connections, len(destination.requests)) == (50, 100)


async def test_idle_connections_of_all_hosts_together_are_bounded(serve, make_sender, request_to):
    destination = await serve(answer_all)
    sender = make_sender(resolver=Anywhere(), idle_connections=10)
    urls = [f"http://host-{number}.test:{destination.port}/" for number in range(20)]

    for _ in range(2):
        for url in urls:
            await sender.send(request_to(url))

    assert destination.connections == 20 + 10


async def test_spellings_of_a_place_share_its_connections(serve, sender, request_to, make_sender):
    destination = await serve(answer_all)
    sender = make_sender(resolver=Anywhere())

    for host in ("host.test", "HOST.test", "me:secret@host.test"):
        await sender.send(request_to(f"http://{host}:{destination.port}/"))

    assert destination.connections == 1


async def test_kept_connection_that_is_reset_by_the_request_is_replaced(serve, sender, request_to):
    async def answer(peer):
        await peer.answer()
        if peer.number == 1:
            await peer.read_request()
            peer.reset()
        await answer_all(peer)

    destination = await serve(answer)
    await sender.send(request_to(destination.url))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (destination.connections, len(destination.requests)) == (2, 3)


async def test_other_kept_connections_are_not_used_once_one_was_stale(serve, sender, request_to):
    everyone, fifth_began = asyncio.Barrier(3), asyncio.Event()

    async def answer(peer):
        await peer.read_request()
        if peer.number <= 3:
            await everyone.wait()
            peer.write(OK)
            await peer.read_request()
            return
        peer.write(OK)
        if peer.number == 4:
            await peer.read_request()
            await fifth_began.wait()
            peer.write(OK)
        else:
            fifth_began.set()
        await peer.until_closed()

    destination = await serve(answer)
    await asyncio.gather(*(sender.send(request_to(destination.url)) for _ in range(3)))
    await sender.send(request_to(destination.url))

    outcomes = await asyncio.gather(*(sender.send(request_to(destination.url)) for _ in range(2)))

    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert (destination.connections, len(destination.requests)) == (5, 3 + 2 + 2)


async def test_connection_that_is_being_closed_gets_no_request(serve, sender, request_to):
    destination = await serve(answer_all)
    await sender.send(request_to(destination.url))
    (kept,) = sender._connections._open
    kept.abort()

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (destination.connections, len(destination.requests)) == (2, 2)


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_connection_that_ended_while_idle_gets_no_request(serve, sender, request_to, ending):
    ended = asyncio.Event()

    async def answer(peer):
        await peer.answer()
        if peer.number == 1:
            peer.reset() if ending == "reset" else peer.writer.close()
            await peer.writer.wait_closed()
            ended.set()
            return
        await answer_all(peer)

    destination, other = await serve(answer), await serve(answer_all)
    await sender.send(request_to(destination.url))
    await ended.wait()
    await sender.send(request_to(other.url))  # the end has arrived by then

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (destination.connections, len(destination.requests)) == (2, 2)


@pytest.mark.parametrize("surplus", [OK, b"HTTP/1.1 2"])
async def test_connection_with_something_behind_its_answer_is_not_used_again(serve, sender, request_to, surplus):
    async def answer(peer):
        await peer.answer(OK + surplus)
        await answer_all(peer)

    destination = await serve(answer)

    for _ in range(2):
        assert isinstance(await sender.send(request_to(destination.url)), Delivered)

    assert (destination.connections, len(destination.requests)) == (2, 2)


async def test_shorter_timeout_holds_on_a_connection_that_served_a_longer_one(serve, sender, request_to):
    async def answer(peer):
        await peer.answer()
        await peer.until_closed()

    destination = await serve(answer)
    await sender.send(request_to(destination.url, timeout_ms=60_000))

    outcome = await sender.send(request_to(destination.url, timeout_ms=50))

    assert isinstance(outcome, TimedOut)
    assert outcome.after_ms == 50
    assert destination.connections == 1


async def test_longer_timeout_holds_on_a_connection_that_served_a_shorter_one(serve, sender, request_to, loop_time):
    async def answer(peer):
        await peer.answer()
        await peer.read_request()
        await loop_time.advance(59)
        peer.write(OK)
        await peer.until_closed()

    destination = await serve(answer)
    await sender.send(request_to(destination.url, timeout_ms=30_000))

    outcome = await sender.send(request_to(destination.url, timeout_ms=90_000))

    assert isinstance(outcome, Delivered)
    assert destination.connections == 1


async def test_closing_cuts_connections_in_use_and_idle(serve, make_sender, request_to):
    arrived = asyncio.Event()

    async def hold(peer):
        await peer.read_request()
        arrived.set()
        await peer.until_closed()

    holding, idle = await serve(hold), await serve(answer_all)
    sender = make_sender()
    await sender.send(request_to(idle.url))
    attempt = asyncio.create_task(sender.send(request_to(holding.url, timeout_ms=LONG_S * 1000)))
    await arrived.wait()

    await asyncio.wait_for(sender.close(), LONG_S / 2)

    assert await attempt == Unreachable("destination closed the connection before it had answered")


async def test_closing_ends_a_look_up_that_is_waited_for(make_sender, request_to):
    asked = asyncio.Event()

    class Silent(Anywhere):
        async def resolve(self, host, port):
            asked.set()
            await asyncio.Event().wait()

    sender = make_sender(resolver=Silent())
    attempt = asyncio.create_task(sender.send(request_to("http://example.com/", timeout_ms=LONG_S * 1000)))
    await asked.wait()

    await asyncio.wait_for(sender.close(), LONG_S / 2)

    assert await attempt == Unreachable("the request was not sent: the server is stopping")

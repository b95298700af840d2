"""The whole attempt ends in time, whatever the far end does.

A limit that must not pass before something has happened is long, and the loop's time is put forward to it;
where nothing else can happen it is real and short.
"""

from __future__ import annotations

import asyncio
import itertools

import pytest

from outrider.domain.attempt import Delivered, TimedOut

LIMIT_MS = 100
LONG_S = 60


class SilentResolver:
    """A resolver that never answers."""

    async def resolve(self, host, port):
        await asyncio.Event().wait()

    async def close(self):
        pass


async def say_nothing(peer):
    await peer.read_request()
    await peer.until_closed()


async def stall_in_the_body(peer):
    await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly")
    await peer.until_closed()


async def drip_headers(peer):
    await peer.answer(b"HTTP/1.1 200 OK\r\n")
    while not await peer.is_closed_within(0.01):
        peer.write(b"X: y\r\n")


async def drip_body(peer):
    await peer.answer(b"HTTP/1.1 200 OK\r\n\r\n")
    while not await peer.is_closed_within(0.01):
        peer.write(b"x")


async def continue_for_ever(peer):
    await peer.read_request()
    while not await peer.is_closed_within(0.01):
        peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def read_nothing(peer):
    await peer.reader.readuntil(b"\r\n\r\n")
    await peer.writer.wait_closed()


async def until_phase(sender, phase):
    """Return when the only connection of a sender has been asked, and is at this phase."""
    while [connection._phase() for connection in sender._connections._open if connection._answer] != [phase]:  # noqa: ASYNC110 - it has no event for that
        await asyncio.sleep(0)


PHASES = {
    say_nothing: "waiting for the answer",
    drip_headers: "waiting for the answer",
    continue_for_ever: "waiting for the answer",
    read_nothing: "sending the request",
    stall_in_the_body: "reading the body of the answer",
    drip_body: "reading the body of the answer",
}


@pytest.mark.parametrize("answer", PHASES)
async def test_attempt_ends_at_its_timeout(serve, sender, request_to, loop_time, answer):
    phase = PHASES[answer]
    destination = await serve(answer)
    request = request_to(destination.url, body=b"x" * 5_000_000, timeout_ms=LONG_S * 1000)
    attempt = asyncio.create_task(sender.send(request))
    await until_phase(sender, phase)

    await loop_time.advance(LONG_S / 2)
    assert not attempt.done()
    await loop_time.advance(LONG_S / 2)

    assert attempt.done()
    assert attempt.result() == TimedOut(LONG_S * 1000, f"destination did not answer within {LONG_S} s: {phase}")


async def test_body_that_drips_is_waited_for_no_longer_than_the_timeout(serve, sender, request_to, loop_time):
    dripped = asyncio.Queue()

    async def drip(peer):
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while await dripped.get():
            peer.write(b"x")

    destination = await serve(drip)
    attempt = asyncio.create_task(sender.send(request_to(destination.url, timeout_ms=15 * 60_000)))
    await until_phase(sender, "reading the body of the answer")

    for waited_s in itertools.count(29, 29):
        dripped.put_nowait("a byte")
        await loop_time.advance(29)
        if attempt.done():
            break
        assert waited_s < 15 * 60

    assert attempt.result() == TimedOut(
        15 * 60_000, "destination did not answer within 900 s: reading the body of the answer"
    )
    assert waited_s > 14 * 60


async def test_silent_resolver_times_out(make_sender, request_to):
    sender = make_sender(resolver=SilentResolver())

    outcome = await sender.send(request_to("http://example.com/", timeout_ms=LIMIT_MS))

    assert outcome == TimedOut(LIMIT_MS, "destination did not answer within 0.1 s: looking up example.com")


async def test_silent_tls_handshake_times_out(serve, sender, request_to):
    destination = await serve(lambda peer: peer.until_closed())

    outcome = await sender.send(request_to(f"https://127.0.0.1:{destination.port}/", timeout_ms=LIMIT_MS))

    assert outcome == TimedOut(
        LIMIT_MS, f"destination did not answer within 0.1 s: connecting to 127.0.0.1:{destination.port}"
    )


async def test_connecting_has_a_limit_of_its_own(make_sender, request_to):
    sender = make_sender(resolver=SilentResolver(), connect_timeout_ms=50)

    outcome = await sender.send(request_to("http://example.com/", timeout_ms=60_000))

    assert outcome == TimedOut(50, "destination did not answer within 0.05 s: looking up example.com")


async def test_connection_of_a_timed_out_attempt_is_cut(serve, sender, request_to, loop_time):
    arrived, cut = asyncio.Event(), asyncio.Event()

    async def answer(peer):
        await peer.read_request()
        arrived.set()
        await peer.until_closed()
        cut.set()

    destination = await serve(answer)
    attempt = asyncio.create_task(sender.send(request_to(destination.url, timeout_ms=LONG_S * 1000)))
    await arrived.wait()

    await loop_time.advance(LONG_S)

    assert isinstance(await attempt, TimedOut)
    await cut.wait()


async def test_cancelled_attempt_cuts_its_connection_and_stays_cancelled(serve, sender, request_to):
    arrived, cut = asyncio.Event(), asyncio.Event()

    async def answer(peer):
        await peer.read_request()
        arrived.set()
        await peer.until_closed()
        cut.set()

    destination = await serve(answer)
    attempt = asyncio.create_task(sender.send(request_to(destination.url, timeout_ms=LONG_S * 1000)))
    await arrived.wait()

    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    await asyncio.wait_for(cut.wait(), LONG_S / 2)


async def test_one_silent_destination_holds_up_no_other(serve, sender, request_to, loop_time):
    silent, lively = await serve(say_nothing), await serve(lambda peer: peer.answer())
    waiting = [asyncio.create_task(sender.send(request_to(silent.url, timeout_ms=LONG_S * 1000))) for _ in range(50)]

    outcome = await sender.send(request_to(lively.url))

    assert isinstance(outcome, Delivered)
    assert not any(attempt.done() for attempt in waiting)
    await loop_time.advance(LONG_S)
    assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {TimedOut}

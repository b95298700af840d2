"""The whole attempt ends in time, whatever the far end does. The limits here are real and short."""

from __future__ import annotations

import asyncio
import gc

import pytest

from outrider.domain.attempt import Delivered, TimedOut

LIMIT_MS = 100


@pytest.fixture(autouse=True)
def collected():
    """A collection of all that the test process holds takes tens of ms: it must not fall into these limits."""
    gc.collect()


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


@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        (say_nothing, "waiting for the answer"),
        (drip_headers, "waiting for the answer"),
        (continue_for_ever, "waiting for the answer"),
        (read_nothing, "sending the request"),
        (stall_in_the_body, "reading the body of the answer"),
        (drip_body, "reading the body of the answer"),
    ],
)
async def test_attempt_ends_at_its_timeout(serve, sender, request_to, answer, phase):
    destination = await serve(answer)
    loop = asyncio.get_running_loop()
    started_at = loop.time()

    outcome = await sender.send(request_to(destination.url, body=b"x" * 5_000_000, timeout_ms=LIMIT_MS))

    assert outcome == TimedOut(LIMIT_MS, f"destination did not answer within 0.1 s: {phase}")
    assert loop.time() - started_at < 1


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


async def test_connection_of_a_timed_out_attempt_is_cut(serve, sender, request_to):
    cut = asyncio.Event()

    async def answer(peer):
        await say_nothing(peer)
        cut.set()

    destination = await serve(answer)

    await sender.send(request_to(destination.url, timeout_ms=LIMIT_MS))

    await asyncio.wait_for(cut.wait(), 1)


async def test_cancelled_attempt_cuts_its_connection_and_stays_cancelled(serve, sender, request_to):
    arrived, cut = asyncio.Event(), asyncio.Event()

    async def answer(peer):
        await peer.read_request()
        arrived.set()
        await peer.until_closed()
        cut.set()

    destination = await serve(answer)
    attempt = asyncio.create_task(sender.send(request_to(destination.url)))
    await arrived.wait()

    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    await asyncio.wait_for(cut.wait(), 1)


async def test_one_silent_destination_holds_up_no_other(serve, make_sender, request_to):
    sender = make_sender()
    silent, lively = await serve(say_nothing), await serve(lambda peer: peer.answer())
    waiting = [asyncio.create_task(sender.send(request_to(silent.url, timeout_ms=LIMIT_MS))) for _ in range(50)]

    outcome = await sender.send(request_to(lively.url))

    assert isinstance(outcome, Delivered)
    assert not any(attempt.done() for attempt in waiting)
    assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {TimedOut}

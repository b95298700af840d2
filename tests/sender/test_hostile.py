"""A hundred hostile destinations at once: every attempt ends, as it should, and little memory is held."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

from outrider.domain.attempt import Delivered, TimedOut, Unreachable

OF_EACH = 11
CAP = 10_000
MOST_HELD = 64 * 1024 * 1024
"""By the sender and the destinations together: each connection may have a few full buffers at either end."""

BOMB = gzip.compress(bytes(5_000_000))


def endless(beginning: bytes, piece: bytes):
    async def answer(peer):
        await peer.answer(beginning)
        while True:
            peer.write(piece)
            await peer.writer.drain()

    return answer


async def drip(peer):
    await peer.answer(b"HTTP/1.1 200 OK\r\n\r\n")
    while not await peer.is_closed_within(0.01):
        peer.write(b"x")


async def break_off(peer):
    await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nonly")
    peer.reset()


async def say_no_tls(peer):
    await peer.until_closed()


async def send_a_bomb(peer):
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
    await peer.answer(head + BOMB)
    await peer.until_closed()


ENDS = {
    drip: TimedOut,
    say_no_tls: TimedOut,
    endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000): TimedOut,
    endless(b"HTTP/1.1 200 OK\r\n", b"X-Field: y\r\n" * 5000): Unreachable,
    endless(b"HTTP/1.1 200 OK\r\nX-Field: ", b"y" * 65536): Unreachable,
    endless(b"", b"\x16\x03\x01garbage" * 5000): Unreachable,
    break_off: Unreachable,
    endless(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 65536): Delivered,
    send_a_bomb: Delivered,
}


async def test_hundred_hostile_destinations_are_survived(serve, make_sender, request_to):
    sender = make_sender(response_body_bytes=CAP)
    lively = await serve(lambda peer: peer.answer())
    requests, ends = [], []
    for answer, end in ENDS.items():
        url = (await serve(answer)).url
        url = url.replace("http:", "https:") if answer is say_no_tls else url
        requests += [request_to(url, timeout_ms=500 if end is TimedOut else 30_000)] * OF_EACH
        ends += [end] * OF_EACH
    tracemalloc.start()
    try:
        hostile = asyncio.gather(*map(sender.send, requests))
        assert isinstance(await sender.send(request_to(lively.url, timeout_ms=30_000)), Delivered)
        outcomes = await hostile
        most_held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [type(outcome) for outcome in outcomes] == ends
    assert all(len(outcome.response.body) <= CAP for outcome in outcomes if outcome.response)
    assert [outcome.response.body for outcome in outcomes[-OF_EACH:]] == [BOMB] * OF_EACH
    assert most_held < MOST_HELD, f"{most_held:,} bytes were held"

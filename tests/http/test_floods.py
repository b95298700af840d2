"""Over real sockets: more clients than there are places, and clients that take their time on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from tests.http.raw import answer_of, connection, ended, exchange, head, publish, until
from tests.loop_time import LoopTime

from outrider.http.connection import SLOWEST, Connection
from outrider.http.framing import MOST_HEADERS
from outrider.http.places import CUT_AT_ONCE, QUIET_S, Places

SLOW = b"POST /v2/publish/https://example.com HTTP/1.1\r\nHost: a\r\nX"
STALL_S = Connection.stall_s


@pytest.fixture
async def loop_time():
    return LoopTime(asyncio.get_running_loop())


@pytest.fixture
async def crowd():
    """Opens connections that each send the same, and stay."""
    async with contextlib.AsyncExitStack() as opened:

        async def come(port, count, sent=b""):
            came = [await opened.enter_async_context(connection(port)) for _ in range(count)]
            for _, writer in came:
                writer.write(sent)
            return [reader for reader, _ in came]

        yield come


@pytest.fixture
def told():
    return []


@pytest.fixture
async def small(api_with, told):
    """An API with 40 places."""
    async with api_with(places=Places(40, lambda: told.append("full"))) as api:
        yield api


@pytest.mark.parametrize(("sent", "status"), [(b"", None), (SLOW, 408)])
async def test_every_slow_connection_ends_30_s_after_it_began(api, crowd, loop_time, sent, status):
    began = loop_time.now()
    readers = await crowd(api.port, 200, sent)
    await until(lambda: len(api.server.connections) == 200)
    await until(lambda: all(one._reader.is_in_head == bool(sent) for one in api.server.connections))
    all_began = loop_time.now()
    await loop_time.advance_to(began + STALL_S - 1)
    assert len(api.server.connections) == 200
    assert not any(reader._buffer for reader in readers)
    await loop_time.advance_to(all_began + STALL_S)
    for reader in readers:
        if status is not None:
            assert (await answer_of(reader))[0] == status
        assert await ended(reader)


async def test_a_head_that_drips_ends_30_s_after_it_began(api, port, loop_time):
    began = loop_time.now()
    async with connection(port) as (reader, writer):
        writer.write(SLOW)
        await until(lambda: any(one._reader.is_in_head for one in api.server.connections))
        in_head = loop_time.now()
        for second in range(1, 30):
            await loop_time.advance_to(began + second)
            writer.write(b"x")
            await asyncio.sleep(0)
        assert not reader._buffer
        await loop_time.advance_to(in_head + 30)
        assert (await answer_of(reader))[0] == 408


async def test_a_client_that_has_asked_may_pause_longer_than_one_that_has_not(api, port, loop_time):
    async with connection(port) as (reader, writer):
        began = loop_time.now()
        writer.write(head(api, b"/healthz", method=b"GET"))
        assert (await answer_of(reader))[0] == 200
        await loop_time.advance_to(began + 74)
        writer.write(head(api, b"/healthz", method=b"GET"))
        assert (await answer_of(reader))[0] == 200
        await loop_time.advance(75)
        assert await ended(reader)


async def test_a_body_that_drips_ends_when_it_is_too_slow_on_the_whole(api, port, loop_time):
    async with connection(port) as (reader, writer):
        writer.write(head(api, b"/v2/publish/https://example.com", b"Content-Length: 100000"))
        await until(lambda: [one for one in api.server.connections if one._current and one._current.body.is_wanted])
        (served,) = api.server.connections
        for sent in range(1, 31):
            writer.write(b"x")
            await until(lambda sent=sent: served._current is None or served._current.body.size == sent)
            await loop_time.advance(1)
        status, _, body = await answer_of(reader)
        assert (status, json.loads(body)["code"]) == (408, "request_timed_out")
        assert await ended(reader)
    assert await api.stored_ids() == set()


async def test_a_body_that_is_quick_enough_is_taken_however_long_it_takes(api, port, loop_time):
    async with connection(port) as (reader, writer):
        size = 50 * SLOWEST
        writer.write(head(api, b"/v2/publish/https://example.com", b"Content-Length: %d" % size))
        await until(lambda: [one for one in api.server.connections if one._current and one._current.body.is_wanted])
        (served,) = api.server.connections
        for sent in range(SLOWEST, size, SLOWEST):
            writer.write(b"x" * SLOWEST)
            await until(lambda sent=sent: served._current is None or served._current.body.size == sent)
            await loop_time.advance(1)
        writer.write(b"x" * SLOWEST)
        assert (await answer_of(reader))[0] == 200


@pytest.mark.parametrize("sent", [b"", SLOW])
async def test_slow_clients_keep_nobody_out(small, crowd, told, sent):
    await crowd(small.port, 40, sent)
    for _ in range(100):
        assert (await exchange(small.port, publish(small, b"abc")))[0] == 200
        assert len(small.server.connections) <= 40
    assert len(await small.stored_ids()) == 100
    assert told == ["full"]


async def test_those_that_wait_longest_go_first(small, crowd, loop_time):
    await crowd(small.port, CUT_AT_ONCE, SLOW)
    await until(lambda: sum(one._reader.is_in_head for one in small.server.connections) == CUT_AT_ONCE)
    await loop_time.advance(1)
    later = await crowd(small.port, 40 - CUT_AT_ONCE)
    assert (await exchange(small.port, publish(small, b"abc")))[0] == 200
    await until(lambda: len(small.server.connections) == 40 - CUT_AT_ONCE)
    assert not any(reader.at_eof() for reader in later)


async def test_requests_under_way_are_left_alone_and_one_more_is_refused(small, crowd):
    begun = head(small, b"/v2/publish/https://example.com", b"Content-Length: 3")
    async with contextlib.AsyncExitStack() as opened:
        busy = [await opened.enter_async_context(connection(small.port)) for _ in range(40)]
        for _, writer in busy:
            writer.write(begun)
        await until(lambda: sum(one._current is not None for one in small.server.connections) == 40)
        status, headers, body = await exchange(small.port, publish(small, b"abc"))
        assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
        assert json.loads(body)["code"] == "too_many_connections"
        for _ in range(3):
            await crowd(small.port, 1)
            assert len(small.server.connections) <= 42
        for reader, writer in busy:
            writer.write(b"abc")
            assert (await answer_of(reader))[0] == 200
    assert len(await small.stored_ids()) == 40


async def test_it_is_told_once_a_minute_that_all_places_are_taken(small, crowd, told, loop_time):
    for times in (1, 2):
        for _ in range(3):
            await crowd(small.port, 41)
        assert told == ["full"] * times
        await loop_time.advance(QUIET_S)


async def test_more_headers_than_are_taken_are_not_kept(api, port):
    async with connection(port) as (reader, writer):
        writer.write(SLOW + b":y\r\n" + b"X:\r\n" * MOST_HEADERS)
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (431, "close")

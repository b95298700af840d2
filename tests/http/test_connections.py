"""Over real sockets: what one client may make us wait for, and hold for it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import httpx
import pytest
from tests.http.raw import PATIENCE_S, answer_of, connection, ended, exchange, head, publish, until
from tests.loop_time import LoopTime

from outrider.http.answers import Answer
from outrider.http.connection import Connection

MIB = 1024 * 1024


async def test_a_declared_body_over_the_limit_is_refused_before_it_is_sent(api, port):
    request = head(api, b"/v2/publish/https://example.com", b"Content-Length: 1048577", b"Expect: 100-continue")
    status, _, body = await exchange(port, request)
    assert status == 413
    assert json.loads(body)["error"] == "a body of 1048577 bytes is over the limit of 1048576 bytes"


async def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(api, port):
    async with connection(port) as (reader, writer):
        writer.write(head(api, b"/v2/publish/https://example.com", b"Transfer-Encoding: chunked"))
        chunk = b"%x\r\n" % (600 * 1024) + b"x" * (600 * 1024) + b"\r\n"
        writer.write(chunk + chunk)
        status, _, body = await answer_of(reader)
    assert status == 413
    assert "the limit of 1048576 bytes" in json.loads(body)["error"]
    assert await api.stored_ids() == set()


async def test_a_client_library_gets_to_read_the_413(api, port):
    async with httpx.AsyncClient() as client:
        headers = {"authorization": f"Bearer {api.token}"}
        url = f"http://127.0.0.1:{port}/v2/publish/https://example.com"
        response = await client.post(url, content=b"x" * (4 * 1024 * 1024), headers=headers)
        assert response.status_code == 413
        assert (await client.post(url, content=b"x", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        (b"Content-Length: 10", b""),
        (b"Content-Length: 10", b"abc"),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n"),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\nnonsense"),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n5\r\nab"),
    ],
)
async def test_a_client_that_goes_away_within_its_body_stores_nothing(api, port, framing, sent):
    ended = asyncio.Event()
    serve = api.app._serve

    async def watched(request):
        try:
            return await serve(request)
        finally:
            ended.set()

    api.app._serve = watched
    async with connection(port) as (_, writer):
        writer.write(head(api, b"/v2/publish/https://example.com", framing) + sent)
        await writer.drain()
    async with asyncio.timeout(PATIENCE_S):
        await ended.wait()
    assert await api.stored_ids() == set()
    assert api.observer.notes == []


async def test_requests_on_one_connection_follow_one_another(api, port):
    async with connection(port) as (reader, writer):
        request = head(api, b"/v2/publish/https://example.com", b"Content-Length: 2")
        writer.write(request + b"ab" + request + b"cd")
        bodies = []
        for _ in range(2):
            status, _, body = await answer_of(reader)
            assert status == 200
            bodies.append((await api.stored(json.loads(body)["messageId"])).body)
    assert bodies == [b"ab", b"cd"]


async def test_head_sends_no_body(api, port):
    async with connection(port) as (reader, writer):
        writer.write(head(api, b"/v2/keys", method=b"HEAD") + head(api, b"/healthz", method=b"GET"))
        async with asyncio.timeout(PATIENCE_S):
            first = await reader.readuntil(b"\r\n\r\n")
            second = await reader.readuntil(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 200")


class Impatient(Connection):
    stall_s = 0.05


@pytest.fixture
async def impatient(api_with):
    async with api_with(connection=Impatient) as api:
        yield api


class Curt(Connection):
    linger_s = 0.05


@pytest.fixture
async def curt(api_with):
    async with api_with(connection=Curt) as api:
        yield api


class Gate:
    """Holds back every answer until it is opened."""

    def __init__(self, app):
        self._serve = app._serve
        self._open = asyncio.Event()
        self.begun = 0
        self._more = asyncio.Event()
        app._serve = self.serve

    async def serve(self, request):
        self.begun += 1
        self._more.set()
        await self._open.wait()
        return await self._serve(request)

    def open(self):
        self._open.set()

    async def reached(self, count):
        async with asyncio.timeout(PATIENCE_S):
            while self.begun < count:
                self._more.clear()
                await self._more.wait()


async def test_one_request_at_a_time_is_answered_and_little_is_parsed_ahead(api, port):
    gate = Gate(api.app)
    request = head(api, b"/healthz", method=b"GET")
    many = MIB // len(request)
    async with connection(port, limit=64 * MIB) as (reader, writer):
        sending = asyncio.create_task(send(writer, request * many))
        await gate.reached(1)
        (served,) = api.server.connections
        await until(lambda: served._is_read_paused)
        assert gate.begun == 1
        assert len(served._unread) <= MIB
        assert len(served._reader.requests) < 120
        gate.open()
        for _ in range(many):
            assert (await answer_of(reader))[0] == 200
        await sending
    assert gate.begun == many


async def send(writer, data):
    writer.write(data)
    await writer.drain()


async def test_a_client_that_does_not_read_its_answers_gets_no_more_of_them(api, port):
    body = b"x" * MIB
    asked = 0

    async def large(_request):
        nonlocal asked
        asked += 1
        return Answer(200, body)

    api.app._serve = large
    async with connection(port, limit=1024) as (reader, writer):
        writer.write(head(api, b"/healthz", method=b"GET") * 64)
        await until(lambda: api.server.connections and next(iter(api.server.connections))._is_write_paused)
        assert asked < 32
        for _ in range(64):
            status, _, came = await answer_of(reader)
            assert (status, len(came)) == (200, MIB)
    assert asked == 64


async def test_a_client_that_reads_nothing_for_too_long_is_cut_off(impatient):
    async def large(_request):
        return Answer(200, b"x" * 64 * MIB)

    impatient.app._serve = large
    async with connection(impatient.port, limit=1024) as (reader, writer):
        reader._transport.pause_reading()
        writer.write(head(impatient, b"/healthz", method=b"GET"))
        await until(lambda: impatient.server.connections)
        await until(lambda: not impatient.server.connections)


@pytest.mark.parametrize("part", [b"P", b"POST /v2/keys HTTP/1.1\r\n", b"POST /v2/keys HTTP/1.1\r\nHost: a\r\nX"])
async def test_a_head_that_does_not_end_in_time_is_answered_408(impatient, part):
    async with connection(impatient.port) as (reader, writer):
        writer.write(part)
        status, headers, body = await answer_of(reader)
        assert (status, headers["connection"], json.loads(body)["code"]) == (408, "close", "request_timed_out")
        assert await ended(reader)


async def test_a_head_that_drips_is_not_waited_for_any_longer(impatient):
    async with connection(impatient.port) as (reader, writer):
        writer.write(b"POST /v2/keys HTTP/1.1\r\n")
        while not reader._buffer:
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.005)
        assert (await answer_of(reader))[0] == 408


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
async def test_a_body_that_stalls_is_answered_408(impatient, framing):
    async with connection(impatient.port) as (reader, writer):
        writer.write(head(impatient, b"/v2/publish/https://example.com", framing) + b"3\r\nabc")
        status, headers, body = await answer_of(reader)
        assert (status, headers["connection"], json.loads(body)["code"]) == (408, "close", "request_timed_out")
        assert await ended(reader)
    assert await impatient.stored_ids() == set()


async def test_a_handler_may_take_longer_than_a_client(api, port):
    gate, loop_time = Gate(api.app), LoopTime(asyncio.get_running_loop())
    async with connection(port) as (reader, writer):
        writer.write(publish(api, b"abc"))
        await gate.reached(1)
        await loop_time.advance(3 * Connection.stall_s)
        gate.open()
        assert (await answer_of(reader))[0] == 200


async def test_an_idle_connection_ends_without_a_word(api, port):
    async with connection(port) as (reader, writer):
        writer.write(head(api, b"/healthz", method=b"GET"))
        assert (await answer_of(reader))[0] == 200
        (served,) = api.server.connections
        assert 0 < served.deadline - asyncio.get_running_loop().time() <= 75
        served._expire()
        assert await ended(reader)


async def test_a_refused_body_is_not_read_for_ever(curt):
    async with connection(curt.port) as (reader, writer):
        writer.write(head(curt, b"/v2/publish/https://example.com", b"Content-Length: 99999999999"))
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (413, "close")
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 - it takes until the socket knows
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    await asyncio.sleep(0)
    assert await curt.stored_ids() == set()


async def test_a_body_that_nobody_reads_ends_the_connection(api, port):
    async with connection(port) as (reader, writer):
        writer.write(head(api, b"/healthz", b"Content-Length: 10", method=b"GET"))
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await ended(reader)


async def test_a_client_that_asks_whether_to_go_on_is_told_so(api, port):
    async with connection(port) as (reader, writer):
        writer.write(head(api, b"/v2/publish/https://example.com", b"Content-Length: 3", b"Expect: 100-Continue"))
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        status, headers, body = await answer_of(reader)
        assert (status, "connection" in headers) == (200, False)
        assert (await api.stored(json.loads(body)["messageId"])).body == b"abc"
        writer.write(publish(api, b"abc", b"Expect: 100-continue"))
        assert (await answer_of(reader))[0] == 200


async def test_a_client_without_a_token_is_not_told_to_go_on(api, port):
    request = b"POST /v2/publish/https://a.b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    status, headers, _ = await exchange(port, request)
    assert (status, headers["connection"]) == (401, "close")


async def test_an_older_client_gets_one_answer(api, port):
    async with connection(port) as (reader, writer):
        target = b"/v2/publish/https://example.com"
        older = head(api, target, b"Content-Length: 3", b"Expect: 100-continue", version=b"HTTP/1.0")
        writer.write(older + b"abc")
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await ended(reader)


async def test_a_client_that_says_close_is_closed_and_what_follows_ignored(api, port):
    async with connection(port) as (reader, writer):
        writer.write(publish(api, b"one", b"Connection: close") + publish(api, b"two"))
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await ended(reader)
    assert len(await api.stored_ids()) == 1


async def test_a_client_that_has_said_all_gets_its_answers(api, port):
    gate = Gate(api.app)
    async with connection(port) as (reader, writer):
        writer.write(publish(api, b"one") + publish(api, b"two"))
        writer.write_eof()
        await gate.reached(1)
        gate.open()
        assert [(await answer_of(reader))[0] for _ in range(2)] == [200, 200]
        assert await ended(reader)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_message_is_stored_though_its_producer_went_away(api, port, reset):
    gate = Gate(api.app)
    async with connection(port) as (_, writer):
        writer.write(publish(api, b"abc"))
        await gate.reached(1)
        (served,) = api.server.connections
        linger = struct.pack("ii", reset, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    await until(lambda: served._has_ended or not api.server.connections)
    assert reset == (not api.server.connections)
    gate.open()
    await asyncio.gather(*api.server.tasks)
    assert len(await api.stored_ids()) == 1
    await until(lambda: not api.server.connections)


async def test_a_shutdown_waits_for_the_answer_and_says_that_it_is_the_last(api, port):
    gate = Gate(api.app)
    async with connection(port) as (reader, writer), connection(port) as (idle, _):
        writer.write(publish(api, b"abc") + publish(api, b"never begun"))
        await gate.reached(1)
        await until(lambda: len(api.server.connections) == 2)
        for one in list(api.server.connections):
            one.shutdown()
        assert await ended(idle)
        gate.open()
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await ended(reader)
    assert len(await api.stored_ids()) == 1
    assert api.server.total_requests == 1


async def test_a_server_that_waits_no_longer_ends_without_an_answer(api, port):
    gate = Gate(api.app)
    async with connection(port) as (reader, writer):
        writer.write(publish(api, b"abc"))
        await gate.reached(1)
        (task,) = api.server.tasks
        task.cancel()
        assert await ended(reader)
    assert api.server.tasks == set()


async def test_head_and_body_go_out_in_one_piece(api, port):
    async with connection(port) as (reader, writer):
        await until(lambda: api.server.connections)
        (served,) = api.server.connections
        written = []
        send_on = served._transport
        served._transport = Recording(send_on, written)
        writer.write(publish(api, b"abc"))
        assert (await answer_of(reader))[0] == 200
        served._transport = send_on
    (answer,) = written
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


class Recording:
    """A transport that keeps what is written."""

    def __init__(self, transport, written):
        self._transport, self._written = transport, written

    def write(self, data):
        self._written.append(data)
        self._transport.write(data)

    def __getattr__(self, name):
        return getattr(self._transport, name)

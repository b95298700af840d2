"""What the console is told while it is open, on real sockets."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from tests.http.raw import PATIENCE_S, connection, head, until

from outrider.domain.attempt import Delivered, Refused, Response
from outrider.domain.event import EventKind
from outrider.domain.instant import SECOND_MS
from outrider.engine.live import MOST_LISTENERS, TICK_MS
from outrider.http.console import Door
from outrider.http.console.stream import KEEP_ALIVE_MS, LONGEST_MS

LIVE = b"/console/api/live"


@pytest.fixture
async def api(api_with, deliver):
    async with api_with(door=Door()) as opened, deliver(opened.engine):
        yield opened


async def lines(reader, count):
    """The next pieces of the stream."""
    async with asyncio.timeout(PATIENCE_S):
        return [(await reader.readuntil(b"\n\n")).decode() for _ in range(count)]


async def began(reader):
    """The head, once the stream has begun."""
    async with asyncio.timeout(PATIENCE_S):
        told = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert await lines(reader, 1) == [": here\n\n"]
    return told


async def hears(api, reader, word):
    """The first piece with that word, while time goes on."""

    async def read():
        while word not in (piece := (await reader.readuntil(b"\n\n")).decode()):
            pass
        return piece

    reading = asyncio.ensure_future(read())
    async with asyncio.timeout(PATIENCE_S):
        while not reading.done():
            await api.clock.advance(TICK_MS)
    return await reading


def data_of(piece):
    return json.loads(piece.partition("data: ")[2])


def listeners(api):
    return sum(len(room.listeners) for room in api.engine.live._rooms.values())


async def until_nobody_listens(api):
    await until(lambda: listeners(api) == 0)
    await until(lambda: not api.server.tasks)


async def test_who_listens_is_told(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        told = await began(reader)
        assert "content-type: text/event-stream\r\n" in told
        assert "cache-control: no-store\r\n" in told
        assert "connection: close\r\n" in told
        await api.published()
        changed = await hears(api, reader, "event: changed\n")
        assert {"messages", "logs"} <= set(data_of(changed)["topics"])
        pulse = data_of(await hears(api, reader, "event: pulse\n"))
        assert pulse.pop("time") <= api.clock.now()
        assert pulse == {"accepted": 1, "delivered": 1, "failed": 0, "deadLettered": 0}


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/dlq/retry/{}"),
        ("POST", "/v2/dlq/retry?dlqIds={}"),
        ("DELETE", "/v2/dlq/{}"),
        ("DELETE", "/v2/dlq?dlqIds={}"),
    ],
)
async def test_who_listens_is_told_of_a_dead_letter_that_is_one_no_more(api_with, deliver, method, path, shared):
    async with api_with(door=Door(), shared=shared) as api, deliver(api.engine):
        api.sender.outcome = Refused(Response(500), "destination answered 500")
        await api.published(Upstash_Retries="0")
        await api.observer.saw(EventKind.FAILED, 1)
        ((letter,),) = [(await api.call("GET", "/v2/dlq")).json()["messages"]]
        api.sender.outcome = Delivered(Response(200))
        await api.clock.advance(SECOND_MS)
        async with connection(api.port) as (reader, writer):
            writer.write(head(api, LIVE, method=b"GET"))
            await began(reader)
            await hears(api, reader, "event: pulse\n")
            await hears(api, reader, "event: pulse\n")
            assert (await api.call(method, path.format(letter["dlqId"]))).status_code < 300
            assert "dlq" in data_of(await hears(api, reader, '"dlq"'))["topics"]
        await until_nobody_listens(api)


async def test_a_word_goes_out_that_keeps_it_alive(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        await began(reader)
        began_at = api.clock.now()
        await hears(api, reader, ": still here\n")
        assert api.clock.now() >= began_at + KEEP_ALIVE_MS


async def test_it_ends_with_its_token(api):
    (token,) = [token for token in await api.engine.directory.list_tokens("acme") if token.scope == "full"]
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        await began(reader)
        await api.engine.directory.revoke_token("acme", token.id)
        with pytest.raises(asyncio.IncompleteReadError):
            await hears(api, reader, "nothing more")
    await until_nobody_listens(api)


async def test_it_ends_after_an_hour(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        await began(reader)
        await api.clock.leap(LONGEST_MS)
        with pytest.raises(asyncio.IncompleteReadError):
            await hears(api, reader, "nothing more")
    await until_nobody_listens(api)


async def test_it_ends_when_the_client_goes(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        await began(reader)
    await until_nobody_listens(api)


async def test_it_ends_when_the_client_sends_no_more(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        await began(reader)
        writer.write_eof()
        assert await reader.read() == b""
    await until_nobody_listens(api)


async def test_it_ends_at_once_when_the_server_stops(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"GET"))
        await began(reader)
        for one in list(api.server.connections):
            one.shutdown()
        assert await reader.read() == b""
    await until_nobody_listens(api)


async def test_a_server_that_stops_begins_none(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, b"/v2/queues", method=b"GET"))
        await reader.readuntil(b"\r\n\r\n")
        for one in list(api.server.connections):
            one._is_stopping = True
        writer.write(head(api, LIVE, method=b"GET"))
        await reader.read()
    assert listeners(api) == 0


async def test_who_does_not_read_is_let_go(api):
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", api.port))
        slow.sendall(head(api, LIVE, method=b"GET"))
        await until(lambda: listeners(api) == 1)
        for one in api.server.connections:
            one._transport.set_write_buffer_limits(high=1000)
            one._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        for _ in range(2000):
            await api.clock.advance(1000)
            if not listeners(api):
                break
        await until_nobody_listens(api)


async def test_head_is_the_head_alone(api):
    async with connection(api.port) as (reader, writer):
        writer.write(head(api, LIVE, method=b"HEAD"))
        assert (await reader.read()).endswith(b"connection: close\r\n\r\n")
    assert listeners(api) == 0


async def test_it_needs_a_token_or_a_session(api):
    assert (await api.client.get(LIVE.decode())).status_code == 401
    await api.client.post("/console/api/session", json={"token": api.read_token})
    async with api.client.stream("GET", LIVE.decode()) as response:
        assert response.status_code == 200
        assert await anext(response.aiter_lines()) == ": here"


async def test_one_more_than_may_listen_is_told_to_ask(api):
    contexts = [api.engine.live.listening(api.tenant) for _ in range(MOST_LISTENERS)]
    for context in contexts:
        context.__enter__()
    response = await api.call("GET", LIVE.decode())
    assert (response.status_code, response.json()["code"]) == (503, "too_many_listeners")
    for context in contexts:
        context.__exit__(None, None, None)

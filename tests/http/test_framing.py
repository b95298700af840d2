"""Over real sockets: what only bytes on the wire can show."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import pytest


@contextlib.asynccontextmanager
async def connection(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_of(reader) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split(" ")[1]), headers, body


async def exchange(port, request: bytes):
    async with connection(port) as (reader, writer):
        writer.write(request)
        return await answer_of(reader)


def head(api, target: bytes, *headers: bytes, method: bytes = b"POST") -> bytes:
    lines = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: outrider.test",
        b"Authorization: Bearer " + api.token.encode(),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


RAW = {
    b"https://example.com": "https://example.com",
    b"https://example.com/": "https://example.com/",
    b"https://example.com//a//../b/./c": "https://example.com//a//../b/./c",
    b"https://example.com/%2e%2E/%2F%20%C3%A9": "https://example.com/%2e%2E/%2F%20%C3%A9",
    b"https://example.com/a;b=c,d:e@f!$&'()*+": "https://example.com/a;b=c,d:e@f!$&'()*+",
    b"https://Example.COM:8443/A": "https://Example.COM:8443/A",
    b"https://user:pw@example.com/": "https://user:pw@example.com/",
    b"https://example.com/?b=2&a=1&b=%20+&&empty=&flag": "https://example.com/?b=2&a=1&b=%20+&&empty=&flag",
    b"https://example.com/?upstash-retries=1&x=1&Upstash-Delay=1s": "https://example.com/?x=1",
    b"https:/example.com/a?x=1": "https://example.com/a?x=1",
    b"https%3A%2F%2Fexample.com%2Fa%252Fb?x=%2F": "https://example.com/a%2Fb?x=%2F",
}


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.decode())
async def test_a_destination_is_stored_byte_for_byte(api, port, raw):
    status, _, body = await exchange(port, head(api, b"/v2/publish/" + raw, b"Content-Length: 0"))
    assert status == 200, body
    answer = json.loads(body)
    assert answer["url"] == RAW[raw]
    assert (await api.stored(answer["messageId"])).url == RAW[raw]


async def test_the_caller_is_the_peer_of_the_socket(api, port):
    _, _, body = await exchange(port, head(api, b"/v2/publish/https://example.com", b"Content-Length: 0"))
    assert (await api.stored(json.loads(body)["messageId"])).caller_ip == "127.0.0.1"


async def test_a_chunked_body_arrives_whole(api, port):
    chunked = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    request = head(api, b"/v2/publish/https://example.com", b"Transfer-Encoding: chunked") + chunked
    status, _, body = await exchange(port, request)
    assert status == 200
    assert (await api.stored(json.loads(body)["messageId"])).body == b"abcdefg"


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

    async def watched(scope, receive):
        try:
            return await serve(scope, receive)
        finally:
            ended.set()

    api.app._serve = watched
    async with connection(port) as (_, writer):
        writer.write(head(api, b"/v2/publish/https://example.com", framing) + sent)
        await writer.drain()
    async with asyncio.timeout(5):
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
        async with asyncio.timeout(5):
            first = await reader.readuntil(b"\r\n\r\n")
            second = await reader.readuntil(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("target", [b"*", b"/", b"/v2/%", b"/v2/messages/%zz", b"/v2/publish/%", b"http://h/v2/keys?%"])
@pytest.mark.parametrize("method", [b"OPTIONS", b"GET", b"DELETE"])
async def test_strange_targets_are_answered(api, port, method, target):
    status, _, _ = await exchange(port, head(api, target, method=method))
    assert status < 500

"""Over real sockets: what bytes mean, and which mean nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.raw import HOST, answer_of, connection, ended, exchange, head, publish, until

from outrider.http.framing import LONGEST_HEAD, MOST_HEADERS, PIECE, RequestReader

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
    b"https://example.com?": "https://example.com?",
    b"https://example.com/a?": "https://example.com/a?",
    b"https%3A%2F%2Fexample.com%2Fa?": "https://example.com/a?",
    b"https://example.com/a??": "https://example.com/a??",
    b"https://example.com/a?upstash-retries=1": "https://example.com/a",
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


@pytest.mark.parametrize("target", [b"*", b"/", b"/v2/%", b"/v2/messages/%zz", b"/v2/publish/%", b"http://h/v2/keys?%"])
@pytest.mark.parametrize("method", [b"OPTIONS", b"GET", b"DELETE"])
async def test_strange_targets_are_answered(api, port, method, target):
    status, _, _ = await exchange(port, head(api, target, method=method))
    assert status < 500


ZERO = b"Content-Length: 0"
CHUNKED = b"Transfer-Encoding: chunked"
START = b"POST /v2/publish/https://example.com HTTP/1.1"


def lines(*given: bytes) -> bytes:
    return b"\r\n".join(given) + b"\r\n\r\n"


REFUSED = {
    "a repeated length": lines(START, HOST, b"Content-Length: 2", b"Content-Length: 2") + b"ab",
    "conflicting lengths": lines(START, HOST, b"Content-Length: 2", b"Content-Length: 3") + b"abc",
    "two lengths in one": lines(START, HOST, b"Content-Length: 2, 2") + b"ab",
    "a length with a sign": lines(START, HOST, b"Content-Length: +2") + b"ab",
    "a negative length": lines(START, HOST, b"Content-Length: -2") + b"ab",
    "a length in hexadecimal": lines(START, HOST, b"Content-Length: 0x2") + b"ab",
    "a length with an underscore": lines(START, HOST, b"Content-Length: 1_0") + b"0123456789",
    "an empty length": lines(START, HOST, b"Content-Length:"),
    "a length beyond 64 bits": lines(START, HOST, b"Content-Length: 99999999999999999999"),
    "a length of 10,000 digits": lines(START, HOST, b"Content-Length: " + b"9" * 10_000),
    "a length and a coding": lines(START, HOST, b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n",
    "a coding and a length": lines(START, HOST, CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n",
    "another coding": lines(START, HOST, b"Transfer-Encoding: gzip") + b"0\r\n\r\n",
    "another coding before chunked": lines(START, HOST, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "another coding after chunked": lines(START, HOST, b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n",
    "chunked twice": lines(START, HOST, b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "two codings": lines(START, HOST, b"Transfer-Encoding: gzip", CHUNKED) + b"0\r\n\r\n",
    "a coding that only ends like chunked": lines(START, HOST, b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "identity": lines(START, HOST, b"Transfer-Encoding: identity"),
    "a coding hidden by a control character": lines(START, HOST, b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "an empty coding": lines(START, HOST, b"Transfer-Encoding:"),
    "a coding in HTTP/1.0": lines(START.replace(b"1.1", b"1.0"), HOST, CHUNKED) + b"0\r\n\r\n",
    "a chunk of no size": lines(START, HOST, CHUNKED) + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk of a negative size": lines(START, HOST, CHUNKED) + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk's size with 0x": lines(START, HOST, CHUNKED) + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk's size with a space": lines(START, HOST, CHUNKED) + b"3 \r\nabc\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": lines(START, HOST, CHUNKED) + b"fffffffffffffffff\r\nabc",
    "a chunk longer than its size": lines(START, HOST, CHUNKED) + b"3\r\nabcd\r\n0\r\n\r\n",
    "a bare LF after a chunk's size": lines(START, HOST, CHUNKED) + b"3\nabc\r\n0\r\n\r\n",
    "a bare LF after a chunk": lines(START, HOST, CHUNKED) + b"3\r\nabc\n0\r\n\r\n",
    "a bare LF in a chunk's extension": lines(START, HOST, CHUNKED) + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "a bare LF in a trailer": lines(START, HOST, CHUNKED) + b"0\r\nX: y\n\r\n",
    "nonsense after a chunk": lines(START, HOST, CHUNKED) + b"3\r\nabc\r\nnonsense\r\n",
    "a bare LF after the first line": START + b"\n" + HOST + b"\r\nContent-Length: 0\r\n\r\n",
    "a bare LF after a header": START + b"\r\n" + HOST + b"\nContent-Length: 0\r\n\r\n",
    "a bare LF at the end": START + b"\r\n" + HOST + b"\r\nContent-Length: 0\r\n\n",
    "a bare CR in a header": lines(START, HOST, ZERO, b"X: a\rb"),
    "a folded header": lines(START, HOST, ZERO, b"X: a", b" b"),
    "a folded first header": lines(START, b" " + HOST, ZERO),
    "NUL in a header": lines(START, HOST, ZERO, b"X: a\0b"),
    "a control character in a header": lines(START, HOST, ZERO, b"X: a\x01b"),
    "DEL in a header": lines(START, HOST, ZERO, b"X: a\x7fb"),
    "a space before a colon": lines(START, HOST, b"Content-Length : 0"),
    "a tab before a colon": lines(START, HOST, b"Content-Length\t: 0"),
    "a header without a colon": lines(START, HOST, ZERO, b"nonsense"),
    "a header without a name": lines(START, HOST, ZERO, b": a"),
    "a name beyond ASCII": lines(START, HOST, ZERO, b"\xe9: a"),
    "no host": lines(START, ZERO),
    "two hosts": lines(START, HOST, HOST, ZERO),
    "an unknown method": lines(START.replace(b"POST", b"FETCH"), HOST, ZERO),
    "a method in lower case": lines(START.replace(b"POST", b"post"), HOST, ZERO),
    "a space before the method": lines(b" " + START, HOST, ZERO),
    "CONNECT": lines(b"CONNECT example.com:443 HTTP/1.1", HOST),
    "a target without a slash": lines(b"GET v2/keys HTTP/1.1", HOST),
    "a target of another scheme": lines(b"GET ftp://outrider.test/v2/keys HTTP/1.1", HOST),
    "a target with a fragment": lines(b"GET /v2/keys#a HTTP/1.1", HOST),
    "a target beyond ASCII": lines(b"GET /v2/\xff HTTP/1.1", HOST),
    "a tab in a target": lines(b"GET /v2/\tkeys HTTP/1.1", HOST),
    "NUL in a target": lines(b"GET /v2/\0keys HTTP/1.1", HOST),
    "no version": lines(b"GET /v2/keys", HOST),
    "HTTP/0.9": lines(b"GET /v2/keys HTTP/0.9", HOST),
    "HTTP/2.0": lines(b"GET /v2/keys HTTP/2.0", HOST),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a space after the version": lines(b"GET /v2/keys HTTP/1.1 ", HOST),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(api, port, name, at_once):
    token = b"\r\nAuthorization: Bearer " + api.token.encode()
    request = REFUSED[name].replace(b"\r\n", token + b"\r\n", 1) if name != "a folded first header" else REFUSED[name]
    smuggled = publish(api, b"smuggled")
    async with connection(port) as (reader, writer):
        if at_once:
            writer.write(request + smuggled)
        else:
            writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
        status, headers, body = await answer_of(reader)
        assert (status, headers["connection"], headers["content-type"]) == (400, "close", "application/json")
        assert json.loads(body)["code"] == "invalid_request"
        assert await ended(reader)
    assert await api.stored_ids() == set()
    assert api.observer.notes == []


async def test_what_was_asked_before_is_answered_first(api, port):
    async with connection(port) as (reader, writer):
        writer.write(publish(api, b"one") + REFUSED["a folded header"] + publish(api, b"smuggled"))
        assert (await answer_of(reader))[0] == 200
        assert (await answer_of(reader))[0] == 400
        assert await ended(reader)
    assert len(await api.stored_ids()) == 1


def padded(api, size: int) -> bytes:
    """A publish whose target and headers, as they are counted, have this size."""
    base = publish(api, b"", b"X: ")
    counted = len(base.partition(b"\r\n")[2]) - len(b"\r\n") + len(b"/v2/publish/https://example.com")
    return publish(api, b"", b"X: " + b"x" * (size - counted))


async def test_a_head_may_have_64_kib_and_not_a_byte_more(api, port):
    async with connection(port) as (reader, writer):
        for _ in range(2):
            writer.write(padded(api, LONGEST_HEAD))
            assert (await answer_of(reader))[0] == 200
        writer.write(padded(api, LONGEST_HEAD + 1))
        status, headers, body = await answer_of(reader)
        assert (status, headers["connection"], json.loads(body)["code"]) == (431, "close", "head_too_large")
        assert await ended(reader)


@pytest.mark.parametrize(
    "endless", [b"X: " + b"x" * 1024, b"x" * 1024, b"X: y\r\n" * 1024], ids=["value", "name", "many"]
)
async def test_a_head_without_end_is_refused(api, port, endless):
    async with connection(port) as (reader, writer):
        writer.write(START + b"\r\n" + HOST + b"\r\n" + endless)
        with contextlib.suppress(OSError):
            while not reader._buffer:
                writer.write(endless.removeprefix(b"X: ") if b"\r\n" not in endless else endless)
                await writer.drain()
                await asyncio.sleep(0)
        assert (await answer_of(reader))[0] == 431


async def test_a_target_without_end_is_refused(api, port):
    assert (await exchange(port, b"GET /" + b"a" * (LONGEST_HEAD + 2 * PIECE)))[0] == 431


async def test_trailers_without_end_are_refused_and_others_ignored(api, port):
    chunked = head(api, b"/v2/publish/https://example.com", CHUNKED)
    status, _, body = await exchange(port, chunked + b"1\r\na\r\n0\r\nUpstash-Delay: 1h\r\n\r\n")
    assert status == 200
    assert (await api.stored(json.loads(body)["messageId"])).not_before <= api.clock.now()
    endless = b"X: y\r\n" * ((LONGEST_HEAD + 2 * PIECE) // 6)
    assert (await exchange(port, chunked + b"1\r\na\r\n0\r\n" + endless))[0] == 431
    assert len(await api.stored_ids()) == 1


async def test_a_chunk_extension_without_end_is_refused(api, port):
    chunked = head(api, b"/v2/publish/https://example.com", CHUNKED)
    assert (await exchange(port, chunked + b"1;" + b"a" * (LONGEST_HEAD + 2 * PIECE)))[0] == 431


async def test_200_headers_pass_and_201_do_not(api, port):
    more = [b"X-%d: y" % number for number in range(MOST_HEADERS - 3)]
    assert (await exchange(port, publish(api, b"", *more)))[0] == 200
    status, _, body = await exchange(port, publish(api, b"", *more, b"X: y"))
    assert (status, json.loads(body)["error"]) == (431, "the headers are more than the limit of 200")


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_an_upgrade_is_ignored_and_the_body_read(api, port, version):
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    async with connection(port) as (reader, writer):
        writer.write(publish(api, b"abc", *upgrade).replace(b"HTTP/1.1", version, 1))
        status, headers, body = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await ended(reader)
    assert (await api.stored(json.loads(body)["messageId"])).body == b"abc"


async def test_an_upgrade_with_a_chunked_body_that_comes_later(api, port):
    async with connection(port) as (reader, writer):
        target = b"/v2/publish/https://example.com"
        writer.write(head(api, target, b"Connection: Upgrade", b"Upgrade: h2c", CHUNKED))
        await writer.drain()
        await until(lambda: api.server.tasks)
        writer.write(b"3\r\nabc\r\n0\r\n\r\n")
        status, _, body = await answer_of(reader)
    assert status == 200
    assert (await api.stored(json.loads(body)["messageId"])).body == b"abc"


async def test_the_host_of_a_whole_url_is_not_looked_at(api, port):
    for target in (b"http://elsewhere.test/v2/keys", b"HTTPS://elsewhere.test/v2/keys?x=1"):
        assert (await exchange(port, head(api, target, method=b"GET")))[0] == 200
    assert (await exchange(port, head(api, b"http://elsewhere.test?x=1", method=b"GET")))[0] == 200


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(raw):
    reader = RequestReader()
    for start in (b"", START + b"\r\n" + HOST + b"\r\n", lines(START, HOST, CHUNKED)):
        reader = RequestReader()
        reader.feed(start + raw)


@given(st.binary(max_size=60), st.integers(1, 30), st.integers(1, 9))
def test_a_body_is_read_however_it_is_cut(body, chunk, cut):
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in cut_up(body, chunk))
    for request in (
        lines(START, HOST, b"Content-Length: %d" % len(body)) + body,
        lines(START, HOST, CHUNKED) + chunks + b"0\r\n\r\n",
    ):
        reader = RequestReader()
        for piece in cut_up(request * 2, cut):
            reader.feed(piece)
        assert [bytes(found.body._pieces) for found in reader.requests] == [body, body]
        assert all(found.body.is_whole for found in reader.requests)


def cut_up(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]

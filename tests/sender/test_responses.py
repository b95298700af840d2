"""What comes back, from destinations that behave and others that do not."""

from __future__ import annotations

import gzip

import pytest

from outrider.domain.attempt import Delivered, Refused, Response, Unreachable

CAP = 1000

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def playing(data: bytes, *, then: str = "wait"):
    """An answer with exactly these bytes; then it waits, closes or resets."""

    async def answer(peer):
        await peer.answer(data)
        if then == "wait":
            await peer.until_closed()
        if then == "reset":
            peer.reset()

    return answer


async def test_response_comes_back_as_it_was_sent(serve, sender, request_to):
    destination = await serve(
        playing(
            b"HTTP/1.1 201 Made\r\nx-Odd: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Latin: caf\xe9 \r\n"
            b"Content-Length: 3\r\n\r\n\x00\xff!"
        )
    )

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Delivered(
        Response(
            status=201,
            headers=(
                ("x-Odd", "1"),
                ("Set-Cookie", "a=b"),
                ("Set-Cookie", "c=d"),
                ("X-Latin", "caf\xe9"),
                ("Content-Length", "3"),
            ),
            body=b"\x00\xff!",
        )
    )


async def test_failure_status_is_refused_with_its_response(serve, sender, request_to):
    destination = await serve(playing(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy"))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Refused)
    assert (outcome.response.status, outcome.response.header("retry-after"), outcome.response.body) == (
        503,
        "7",
        b"busy",
    )


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (CHUNKED + b"\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (CHUNKED + b"Trailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 X\r\n\r\n" + OK, b"ok"),
    ],
)
async def test_whole_body_is_delivered(serve, sender, request_to, data, body):
    destination = await serve(playing(data))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (outcome.response.body, outcome.response.truncated) == (body, False)
    assert outcome.response.header("Link") is outcome.response.header("X-T") is None


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
@pytest.mark.parametrize("body", [b"until the end", b""])
async def test_body_without_length_ends_with_the_connection(serve, sender, request_to, version, body):
    destination = await serve(playing(version + b" 200 OK\r\n\r\n" + body, then="close"))

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Delivered(Response(status=200, body=body))


async def test_body_at_the_cap_is_whole(serve, sender, request_to):
    destination = await serve(playing(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * CAP))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (len(outcome.response.body), outcome.response.truncated) == (CAP, False)


@pytest.mark.parametrize("framing", [b"Content-Length: 1001\r\n\r\n", b"Content-Length: 999999999999\r\n\r\n"])
async def test_body_over_the_cap_is_cut_and_counts_as_complete(serve, sender, request_to, framing):
    destination = await serve(playing(b"HTTP/1.1 200 OK\r\n" + framing + b"x" * (CAP + 1)))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (outcome.response.body, outcome.response.truncated) == (b"x" * CAP, True)


async def test_endless_body_is_cut_off_at_the_source(serve, sender, request_to):
    sent = 0

    async def endless(peer):
        nonlocal sent
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.write(b"x" * 65_536)
            await peer.writer.drain()
            sent += 65_536

    destination = await serve(endless)

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert (len(outcome.response.body), outcome.response.truncated) == (CAP, True)
    assert sent < 16 * 1024 * 1024


async def test_coded_body_is_kept_as_it_came(serve, make_sender, request_to):
    bomb = gzip.compress(b"\0" * 5_000_000)
    destination = await serve(
        playing(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
    )

    outcome = await make_sender(response_body_bytes=10_000).send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert outcome.response.body == bomb
    assert outcome.response.header("content-encoding") == "gzip"


@pytest.mark.parametrize(
    ("data", "then"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly", "close"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nonly", "close"),
    ],
)
async def test_body_that_breaks_off_is_a_failure(serve, sender, request_to, data, then):
    destination = await serve(playing(data, then=then))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Unreachable)
    assert outcome.error.startswith("destination broke off its response after ")


async def test_reset_is_not_the_end_of_a_body(serve, sender, request_to):
    async def answer(peer):
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\nonly")
        assert not await peer.is_closed_within(0.02)  # the body has been read by then
        peer.reset()

    destination = await serve(answer)

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable("destination broke off its response after 4 bytes of the body")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it is not HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "it is not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "it is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "it is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was announced", "it is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", "its header is over the limit"),
        (b"HTTP/1.1 200 " + b"a" * 1_000_000 + b"\r\n\r\n", "its header is over the limit"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200_000, "its header is over the limit"),
        (b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 9 + b"\r\n", "its header is over the limit"),
        (b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 50, "its header is over the limit"),
    ],
)
async def test_malformed_response_is_a_failure(serve, sender, request_to, data, reason):
    destination = await serve(playing(data))

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable(f"destination sent a malformed response: {reason}")


async def test_header_that_grows_for_ever_is_cut_off(serve, sender, request_to):
    sent = 0

    async def grow(peer):
        nonlocal sent
        await peer.answer(b"HTTP/1.1 200 OK\r\nX: ")
        while not await peer.is_closed_within(0.001):
            peer.write(b"a" * 1000 + b"\r\nX: ")
            sent += 1005

    destination = await serve(grow)

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable("destination sent a malformed response: its header is over the limit")
    assert 64 * 1024 - 1005 < sent < 128 * 1024


async def test_large_header_within_the_limit_is_read(serve, sender, request_to):
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 6_000) for number in range(10))
    destination = await serve(playing(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\nok"))

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Delivered)
    assert outcome.response.header("X-9") == "a" * 6_000


async def test_chunk_that_is_malformed_later_is_a_failure_at_once(serve, sender, request_to):
    async def answer(peer):
        await peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        assert not await peer.is_closed_within(0.02)  # the head has been read by then
        peer.write(b"no length\r\n")
        await peer.until_closed()

    destination = await serve(answer)

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable("destination sent a malformed response: it is not HTTP")


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nX-Half: "])
async def test_connection_that_closes_before_the_answer_is_a_failure(serve, sender, request_to, data):
    destination = await serve(playing(data, then="close"))

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable("destination closed the connection before it had answered")


async def test_connection_that_is_reset_before_the_answer_is_a_failure(serve, sender, request_to):
    destination = await serve(playing(b"", then="reset"))

    outcome = await sender.send(request_to(destination.url))

    assert outcome == Unreachable(
        f"the connection to 127.0.0.1:{destination.port} was lost before the answer had come: connection reset"
    )


async def test_switching_protocols_is_no_success(serve, sender, request_to):
    destination = await serve(
        playing(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nother")
    )

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Refused)
    assert outcome.response.status == 101


async def test_answer_that_comes_while_the_body_is_still_being_sent_counts(serve, sender, request_to):
    async def refuse_early(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        await peer.writer.wait_closed()

    destination = await serve(refuse_early)

    outcome = await sender.send(request_to(destination.url, body=b"x" * 20_000_000))

    assert isinstance(outcome, Refused)
    assert (outcome.response.status, outcome.response.body) == (413, b"large")

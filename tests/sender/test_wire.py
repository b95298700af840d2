"""What goes out, byte for byte."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.attempt import Delivered, Refused, Unreachable
from outrider.ports import OutgoingRequest
from outrider.sender.request import Unsendable, encode_head, parse_target


async def answer(peer):
    while True:
        await peer.answer()


async def test_request_is_exactly_what_was_given_and_nothing_more(serve, sender, request_to):
    destination = await serve(answer)
    headers = (
        ("Upstash-Message-Id", "msg_1"),
        ("X-Many", "one"),
        ("x-odd-SPELLING", "kept"),
        ("X-Many", "two"),
        ("Content-Type", "text/plain"),
    )

    outcome = await sender.send(request_to(f"{destination.url}/a?b=c", headers=headers))

    assert isinstance(outcome, Delivered)
    assert destination.requests == [
        b"POST /a?b=c HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{destination.port}\r\n".encode()
        + b"Upstash-Message-Id: msg_1\r\n"
        b"X-Many: one\r\n"
        b"x-odd-SPELLING: kept\r\n"
        b"X-Many: two\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Length: 5\r\n"
        b"\r\n"
        b"hello"
    ]


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("", "/"),
        ("/", "/"),
        ("?a=1", "/?a=1"),
        ("//a//b/", "//a//b/"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("/%7Euser/%2F%2f", "/%7Euser/%2F%2f"),
        ("/a?q=%20+x&&=&b[]='()\"", "/a?q=%20+x&&=&b[]='()\""),
        ("/a?b?c=d", "/a?b?c=d"),
        ("/a#fragment", "/a"),
        ("/100%", "/100%"),
        ("/a;b=c|d{e}^`", "/a;b=c|d{e}^`"),
    ],
)
async def test_target_survives_as_written(serve, sender, request_to, written, target):
    destination = await serve(answer)

    await sender.send(request_to(destination.url + written, method="GET", body=b""))

    assert destination.requests[0].split(b"\r\n")[0] == f"GET {target} HTTP/1.1".encode()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.COM/", "Example.COM"),
        ("https://example.com:443/", "example.com:443"),
        ("https://example.com./", "example.com."),
        ("https://example.com:/", "example.com"),
        ("https://[2001:4860::1]:8443/", "[2001:4860::1]:8443"),
        ("https://me:secret@example.com/", "example.com"),
    ],
)
def test_host_is_the_urls_own(url, host):
    assert head_of(url=url).startswith(f"POST / HTTP/1.1\r\nHost: {host}\r\n".encode())


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH"])
async def test_body_goes_out_with_every_method(serve, sender, request_to, method):
    destination = await serve(answer)

    await sender.send(request_to(destination.url, method=method, body=b"\x00body\xff"))

    assert destination.requests[0].endswith(b"Content-Length: 6\r\n\r\n\x00body\xff")


@pytest.mark.parametrize(
    ("method", "ending"),
    [
        ("POST", b"\r\nContent-Length: 0\r\n\r\n"),
        ("PUT", b"\r\nContent-Length: 0\r\n\r\n"),
        ("PATCH", b"\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_empty_body_of_a_method_that_has_one_is_announced(method, ending):
    assert head_of(method=method, body=b"").endswith(ending)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_empty_body_of_other_methods_is_not_announced(method):
    assert b"Content-Length" not in head_of(method=method, body=b"")


async def test_large_body_arrives_whole(serve, sender, request_to):
    destination = await serve(answer)
    body = bytes(range(256)) * 4096

    await sender.send(request_to(destination.url, body=body))

    assert destination.requests[0].endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("value", "on_the_wire"),
    [
        ("caf\xe9", b"caf\xe9"),
        ("caf\xc3\xa9", b"caf\xc3\xa9"),
        ("日本", "日本".encode()),
        ("\ud800", b"?"),
        ("tab\there", b"tab\there"),
        ("", b""),
    ],
)
async def test_header_value_of_any_encoding_goes_out(serve, sender, request_to, value, on_the_wire):
    destination = await serve(answer)

    await sender.send(request_to(destination.url, headers=(("X-Value", value),)))

    assert b"\r\nX-Value: " + on_the_wire + b"\r\n" in destination.requests[0]


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "a\r\nX-Injected: b"),
        ("X-A", "a\nX-Injected: b"),
        ("X-A", "a\x00"),
        ("X-A\r\nX-Injected", "b"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("X-é", "b"),
    ],
)
async def test_header_that_would_break_the_message_is_not_sent(serve, sender, request_to, header):
    destination = await serve(answer)

    outcome = await sender.send(request_to(destination.url, headers=(header,)))

    assert isinstance(outcome, Unreachable)
    assert outcome.error.startswith(f"the request cannot be sent: the header {header[0]!r} has a name or a value ")
    assert destination.connections == 0


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Expect", "Upgrade"])
def test_framing_is_the_senders_own(name):
    head = head_of(headers=((name, "chunked"), ("X-Kept", "yes")))

    assert b"chunked" not in head
    assert head.count(b"\r\nHost: ") == head.count(b"\r\nContent-Length: ") == 1
    assert b"\r\nX-Kept: yes\r\n" in head


def test_user_information_becomes_authorization():
    encoded = base64.b64encode(b"me:se cret").decode()

    head = head_of(url="https://me:se%20cret@example.com/")

    assert f"\r\nAuthorization: Basic {encoded}\r\n".encode() in head


def test_given_authorization_wins_over_user_information():
    head = head_of(url="https://me:secret@example.com/", headers=(("authorization", "Bearer token"),))

    assert head.lower().count(b"authorization") == 1
    assert b"\r\nauthorization: Bearer token\r\n" in head


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_is_taken_from_the_environment(serve, make_sender, request_to, monkeypatch, variable):
    destination = await serve(answer)
    monkeypatch.setenv(variable, "http://127.0.0.1:1")

    outcome = await make_sender().send(request_to(destination.url))

    assert isinstance(outcome, Delivered)


async def test_redirect_is_not_followed(serve, sender, request_to):
    async def redirect(peer):
        await peer.answer(b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        await peer.until_closed()

    destination = await serve(redirect)

    outcome = await sender.send(request_to(destination.url))

    assert isinstance(outcome, Refused)
    assert outcome.response.status == 307
    assert len(destination.requests) == 1


async def test_cookie_is_not_sent_back(serve, sender, request_to):
    async def set_cookie(peer):
        while True:
            await peer.answer(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")

    destination = await serve(set_cookie)

    await sender.send(request_to(destination.url))
    await sender.send(request_to(destination.url))

    assert destination.requests[0] == destination.requests[1]


def head_of(*, method="POST", url="https://example.com/", headers=(), body=b"x"):
    request = OutgoingRequest(method=method, url=url, headers=headers, body=body, timeout_ms=1000)
    return encode_head(request, parse_target(url))


@given(
    method=st.text(max_size=8),
    path=st.text(max_size=30),
    headers=st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=4),
)
def test_nothing_given_can_add_a_line(method, path, headers):
    request = OutgoingRequest(
        method=method, url=f"https://example.com/{path}", headers=tuple(headers), body=b"", timeout_ms=1
    )
    try:
        head = encode_head(request, parse_target(request.url))
    except Unsendable:
        return
    lines = head.split(b"\n")
    assert all(line.endswith(b"\r") and line.count(b"\r") == 1 for line in lines[:-1])
    assert len(lines) <= 5 + len(headers)

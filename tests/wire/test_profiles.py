"""Destination profiles as they are written, and what is shown of them."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.errors import Malformed
from outrider.domain.profile import Profile
from outrider.wire.profiles import (
    LONGEST_VALUE,
    MOST_HEADERS,
    parse_profile,
    parse_profile_host,
    present_profile,
)


def parse(headers):
    return parse_profile(json.dumps({"headers": headers}).encode())


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("a.example.com", "a.example.com"),
        ("A.Example.COM:8443", "a.example.com:8443"),
        ("localhost:3000", "localhost:3000"),
        ("*.vercel.app", "*.vercel.app"),
        ("*.a.example:1", "*.a.example:1"),
        ("127.0.0.1:65535", "127.0.0.1:65535"),
        ("[0:0::1]:80", "[::1]:80"),
    ],
)
def test_host_is_host_or_host_and_port_or_suffix(written, host):
    assert parse_profile_host(written) == host


@pytest.mark.parametrize(
    "written",
    [
        "",
        "*",
        "*.",
        "https://a.example",
        "a.example/x",
        "user@a.example",
        "a.*.example",
        "**.example",
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a.example:http",
        "[::1",
        "[g::1]",
        "*.[::1]",
        "a..example",
        "-a.example",
        "ä.example",
        "a.example\n",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_host_is_refused_with_what_to_write(written):
    with pytest.raises(Malformed, match="is not the host of a profile") as refused:
        parse_profile_host(written)
    assert "*.preview.example.com" in refused.value.hint


def test_headers_get_canonical_names():
    assert parse({"x-bypass": " secret ", "AUTHORIZATION": "Bearer t"}) == (
        ("X-Bypass", "secret"),
        ("Authorization", "Bearer t"),
    )


def test_value_beyond_ascii_goes_out_as_utf_8():
    assert parse({"X-A": "ü"}) == (("X-A", "ü".encode().decode("latin-1")),)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "no headers"),
        (None, "no headers"),
        ({"X A": "c4nary"}, "'X A' names no header"),
        ({"": "c4nary"}, "'' names no header"),
        ({"X-A\r\nX-B": "c4nary"}, "names no header"),
        ({"X-A": "c4nary\r\nX-B: 1"}, "X-A has a control character"),
        ({"X-A": "c4nary\0"}, "X-A has a control character"),
        ({"X-A": " \t"}, "X-A has no value"),
        ({"X-A": "c4nary" * LONGEST_VALUE}, "X-A is longer than"),
        ({"x-a": "c4nary", "X-A": "2"}, "names a header twice"),
        ({"User-Agent": "c4nary"}, "User-Agent is set by this server"),
        ({"upstash-signature": "c4nary"}, "upstash-signature is set by this server"),
        ({"Upstash-Anything": "c4nary"}, "Upstash-Anything is set by this server"),
        ({"webhook-id": "c4nary"}, "webhook-id is set by this server"),
        ({"Host": "c4nary"}, "Host belongs to the connection"),
        ({"Content-Length": "c4nary"}, "Content-Length belongs to the connection"),
        ({"transfer-encoding": "c4nary"}, "transfer-encoding belongs to the connection"),
        ({"X-A": 1}, "cannot be read"),
        ({"X-A": ["c4nary"]}, "cannot be read"),
        ({f"X-{number}": "c4nary" for number in range(MOST_HEADERS + 1)}, "at most 32"),
    ],
)
def test_bad_profile_is_refused_by_name_and_never_by_value(headers, said):
    with pytest.raises(Malformed, match=said) as refused:
        parse(headers)
    assert "c4nary" not in refused.value.sentence + (refused.value.hint or "")


@given(st.binary(max_size=60))
def test_body_is_read_or_refused(body):
    with pytest.raises(Malformed):
        parse_profile(body)


def test_only_names_and_hashes_are_shown():
    shown = present_profile(Profile("a.example", (("X-A", "secret"),), 5))
    assert shown == {
        "host": "a.example",
        "headers": {"X-A": "REDACTED:" + hashlib.sha256(b"secret").hexdigest()},
        "updatedAt": 5,
    }

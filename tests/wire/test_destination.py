import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.destination import GroupName, Url
from outrider.domain.errors import Malformed, NotFound
from outrider.wire.destination import (
    INVALID_SCHEME,
    LONGEST_URL,
    check_url,
    parse_destination,
    parse_target,
    unknown_group,
)
from outrider.wire.query import decode_query


def url_of(remainder, query=b""):
    destination = parse_target(remainder, query).destination
    assert isinstance(destination, Url)
    return destination.text


@pytest.mark.parametrize(
    ("remainder", "query", "url"),
    [
        (b"https://example.com/a", b"x=1", "https://example.com/a?x=1"),
        (b"https://example.com", b"", "https://example.com"),
        (b"http://localhost:3000/api", b"", "http://localhost:3000/api"),
        (b"https://example.com/a//b/%2F%20/../c", b"", "https://example.com/a//b/%2F%20/../c"),
        (b"https://example.com/a", b"b=2&a=1&&a=%20+", "https://example.com/a?b=2&a=1&&a=%20+"),
        (b"https://example.com/a", b"upstash-retries=3&x=1&Upstash-Delay=5s&y", "https://example.com/a?x=1&y"),
        (b"https://example.com/a", b"x=1&qstash_token=t&y=2", "https://example.com/a?x=1&y=2"),
        (b"https://example.com/a", b"x=1&qstash%5Ftoken=t", "https://example.com/a?x=1"),
        (b"https://example.com/a", b"upstash-retries=3", "https://example.com/a"),
        (b"https://example.com/a", b"xupstash-a=1", "https://example.com/a?xupstash-a=1"),
        (b"https://example.com/a", b"q=https://b.com?upstash-x=1", "https://example.com/a?q=https://b.com?upstash-x=1"),
        (b"https:/example.com/a//b", b"", "https://example.com/a//b"),
        (b"http:/example.com", b"", "http://example.com"),
        (b"https:/a.com/https:/b.com", b"", "https://a.com/https:/b.com"),
        (b"https%3A%2F%2Fexample.com%2Fa%3Fx%3D1", b"", "https://example.com/a?x=1"),
        (b"https%3a%2f%2Fexample.com%2Fa%2520b", b"", "https://example.com/a%20b"),
        (b"https%3A%2F%2Fexample.com%2Fa%3Fx%3D1", b"y=2", "https://example.com/a?x=1&y=2"),
        (b"https:%2F%2Fexample.com%2Fa", b"", "https://example.com/a"),
        (b"HTTPS://Example.COM/A", b"", "HTTPS://Example.COM/A"),
        (b"http://user:pa%40ss@example.com/", b"", "http://user:pa%40ss@example.com/"),
        (b"http://[::1]:8080/x", b"", "http://[::1]:8080/x"),
        (b"http://example.com./", b"", "http://example.com./"),
        (b"http://my_host:65535?x", b"", "http://my_host:65535?x"),
    ],
)
def test_destination_is_called_as_it_was_written(remainder, query, url):
    assert url_of(remainder, query) == url


def test_our_parameters_come_decoded_with_lower_names():
    target = parse_target(b"https://a.com", b"Upstash-Label=a%2Bb+c&x=1&upstash-forward-x=%C3%A9&qstash_token=to%2Fken")
    assert target.options == [("upstash-label", "a+b c"), ("upstash-forward-x", "é")]
    assert target.token == "to/ken"


def test_parameter_of_ours_that_is_no_utf_8_is_refused():
    with pytest.raises(Malformed, match=r"upstash-label.*not UTF-8"):
        parse_target(b"https://a.com", b"upstash-label=%FF")


@pytest.mark.parametrize("name", ["my-group", "Group_1.x", "example.com", "a"])
def test_word_is_a_group(name):
    assert parse_target(name.encode(), b"x=1").destination == GroupName(name)
    assert parse_destination(name) == GroupName(name)


def test_encoded_group_name_is_decoded():
    assert parse_target(b"my%2Dgroup", b"").destination == GroupName("my-group")


@pytest.mark.parametrize(
    "text",
    [
        "example.com/x",
        "localhost:3000",
        "ftp://example.com",
        "//example.com",
        "http:example.com",
        "mailto:a@b.c",
        "a/b",
        "/x",
        "file:///etc/passwd",
        "example.com:80/x",
    ],
)
def test_url_without_scheme_is_refused_in_the_known_words(text):
    with pytest.raises(Malformed) as refusal:
        parse_destination(text)
    assert str(refusal.value) == INVALID_SCHEME
    assert INVALID_SCHEME == "invalid destination url: endpoint has invalid scheme, add http:// or https://"


@pytest.mark.parametrize("text", ["", "a b", "é", "a?", "x\x00"])
def test_what_is_neither_url_nor_name_is_refused(text):
    with pytest.raises(Malformed, match="neither a URL nor the name"):
        parse_destination(text)


@pytest.mark.parametrize("text", ["api/llm", "api/llm/v1/chat", "llm/v1/chat/completions", "/llm/v1/chat/completions"])
def test_llm_without_a_provider_is_told_to_name_its_url(text):
    with pytest.raises(Malformed) as refusal:
        parse_target(text.encode(), b"")
    assert "provider's URL" in refusal.value.hint


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https://:80/", "no host"),
        ("https://user@/", "no host"),
        ("https://exa mple.com", "space or control"),
        ("https://example.com/a b", "space or control"),
        ("https://example.com/\r\nX: 1", "space or control"),
        ("https://example.com/\x00", "space or control"),
        ("https://exämple.com", "beyond ASCII"),
        ("https://example.com/ü", "beyond ASCII"),
        ("https://example.com\\@evil.com", "backslash"),
        ("https://example.com/#top", "fragment"),
        ("https://example.com:0/", "port out of range"),
        ("https://example.com:65536/", "port out of range"),
        ("https://example.com:99999999/", "port out of range"),
        ("https://example.com:http/", "port that is no number"),
        ("https://example.com:/", "port that is no number"),
        ("https://example..com", "host or user"),
        ("https://.example.com", "host or user"),
        ("https://exam%70le.com", "host or user"),
        ("https://a@b@example.com", "host or user"),
        ("https://[::1", "host or user"),
        ("https://[::g]/", "host or user"),
        ("https://[1:2]/", "host or user"),
        ("https://[fe80::1%25eth0]/", "host or user"),
        ("https://" + "a" * 64 + ".com", "host or user"),
        ("https://" + "a." * 130 + "com", "host or user"),
        ("https://example.com/" + "a" * LONGEST_URL, "longer than"),
    ],
)
def test_url_that_cannot_be_called_is_refused_by_rule(url, rule):
    with pytest.raises(Malformed, match=rule) as refusal:
        check_url(url)
    assert refusal.value.hint
    assert len(str(refusal.value)) < 300


def test_non_ascii_bytes_in_the_path_are_refused():
    with pytest.raises(Malformed, match="beyond ASCII"):
        parse_target("https://example.com/ü".encode(), b"")


def test_word_that_is_no_group_is_not_found_but_a_host_lacks_its_scheme():
    assert isinstance(unknown_group("my-group"), NotFound)
    assert "my-group" in str(unknown_group("my-group"))
    for host in ("example.com", "localhost", "127.0.0.1", "a.b.example.com"):
        assert str(unknown_group(host)) == INVALID_SCHEME


def test_query_that_is_all_ours_is_decoded():
    assert decode_query(b"label=a+b&label=c%2Bd&&x") == [("label", "a b"), ("label", "c+d"), ("x", "")]


_paths = st.text(st.sampled_from("abzAZ09-._~!$&'()*+,;=:@/%[]{}|^`<>\""), max_size=40)
_pairs = st.text(st.sampled_from("abzAZ09-._~!$'()*+,;=:@/%?[]{}|^`"), max_size=12).filter(
    lambda pair: not pair.lower().startswith("upstash-") and "%" not in pair
)


@given(
    _paths,
    st.lists(_pairs, max_size=5),
    st.lists(st.sampled_from(["upstash-retries=1", "UPSTASH-x=%20", "qstash_token=a"]), max_size=3),
    st.randoms(),
)
def test_every_byte_that_is_not_ours_is_kept(path, pairs, ours, random):
    mixed = list(pairs)
    for pair in ours:
        mixed.insert(random.randrange(len(mixed) + 1), pair)
    left = "&".join(pairs)
    expected = f"https://example.com/{path}" + (f"?{left}" if left else "")
    got = url_of(f"https://example.com/{path}".encode(), "&".join(mixed).encode())
    assert got == expected


@given(_paths)
def test_encoded_and_collapsed_destinations_are_the_same(path):
    url = f"https://example.com/{path}"
    assert url_of(quote(url, safe="").encode()) == url
    assert url_of(url.replace("https://", "https:/", 1).encode()) == url


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_path_and_query_is_a_target_or_refused(remainder, query):
    with contextlib.suppress(Malformed):
        parse_target(remainder, query)


@given(st.text(max_size=30))
def test_no_url_lets_control_characters_or_spaces_through(text):
    try:
        url = check_url(f"https://example.com/{text}")
    except Malformed:
        return
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url

from __future__ import annotations

import json

import pytest
from msgspec import structs

from outrider.domain.errors import Malformed
from outrider.domain.limits import Limits
from outrider.domain.url_group import Endpoint, EndpointMatch, UrlGroup
from outrider.wire.redaction import redacted
from outrider.wire.url_groups import (
    parse_added_endpoints,
    parse_group_defaults,
    parse_removed_endpoints,
    present_url_group,
)

GROUP = UrlGroup(
    name="g",
    endpoints=(Endpoint("https://a.example/x", "first"), Endpoint("http://b.example")),
    created_at=1,
    updated_at=2,
)


def encoded(**body):
    return json.dumps(body).encode()


def defaults(**headers):
    return parse_group_defaults(
        encoded(headers={name.replace("_", "-"): value for name, value in headers.items()}), Limits()
    )


def group_with(**headers):
    said = defaults(**headers)
    return structs.replace(GROUP, defaults=said.patch, default_headers=said.headers)


def test_a_group_is_shown_with_its_endpoints_in_order():
    assert present_url_group(GROUP) == {
        "name": "g",
        "createdAt": 1,
        "updatedAt": 2,
        "endpoints": [{"url": "https://a.example/x", "name": "first"}, {"url": "http://b.example"}],
    }


def test_default_options_are_shown_as_the_headers_that_said_them():
    group = group_with(upstash_retries="7", Upstash_Forward_X_A=["1", "2"])
    assert group.defaults.retries == 7
    assert present_url_group(group)["headers"] == {"Upstash-Retries": ["7"], "Upstash-Forward-X-A": ["1", "2"]}


def test_a_default_that_says_nothing_is_absent():
    assert defaults(Upstash_Retries=None).headers == ()
    assert "headers" not in present_url_group(group_with())


def test_text_beyond_ascii_comes_back_as_it_was_written():
    assert present_url_group(group_with(Upstash_Label="größe"))["headers"] == {"Upstash-Label": ["größe"]}


@pytest.mark.parametrize(
    ("redaction", "name", "hidden"),
    [
        ("header", "Upstash-Forward-X-Key", True),
        ("header[x-key]", "Upstash-Forward-X-Key", True),
        ("header[x-key]", "Upstash-Forward-X-Other", False),
        ("header[x-key]", "Upstash-Callback-Forward-X-Key", True),
        ("header[x-key]", "Upstash-Callback-X-Key", True),
        ("header[x-key]", "Upstash-Failure-Callback-Forward-X-Key", True),
        ("header[content-type]", "Content-Type", True),
        ("body", "Upstash-Forward-X-Key", False),
    ],
)
def test_what_the_defaults_redact_is_hidden_in_them(redaction, name, hidden):
    group = group_with(**{"Upstash-Redact-Fields": redaction, name: "secret"})
    shown = present_url_group(group)["headers"][name]
    assert shown == ([redacted(b"secret")] if hidden else ["secret"])


def test_what_a_callback_redacts_is_hidden_in_its_headers_alone():
    group = group_with(
        Upstash_Callback="https://a.example",
        Upstash_Callback_Redact_Fields="header",
        Upstash_Callback_Forward_X="secret",
        Upstash_Forward_X="open",
    )
    shown = present_url_group(group)["headers"]
    assert shown["Upstash-Callback-Forward-X"] == [redacted(b"secret")]
    assert shown["Upstash-Forward-X"] == ["open"]


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Upstash-Retries": "x"}, "Upstash-Retries 'x'"),
        ({"Upstash-Cron": "* * * * *"}, "Upstash-Cron cannot be a default"),
        ({"upstash-deduplication-id": "d"}, "Upstash-Deduplication-Id cannot be a default"),
        ({"upstash-schedule-id": "s"}, "Upstash-Schedule-Id cannot be a default"),
        ({"X-Mine": "1"}, "'X-Mine' is no option"),
        ({"Upstash-Label": "a\nb"}, "control character"),
        ({f"Upstash-Forward-X-{n}": "1" for n in range(201)}, "201 headers"),
    ],
)
def test_a_default_that_breaks_a_rule_is_refused(headers, named):
    with pytest.raises(Malformed, match=named):
        parse_group_defaults(encoded(headers=headers), Limits())


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"headers": null}', b'{"headers": {"a": 1}}', b"\xff"])
def test_a_body_without_headers_is_refused(body):
    with pytest.raises(Malformed, match=r"headers|body"):
        parse_group_defaults(body, Limits())


def test_endpoints_are_added_by_url_and_perhaps_name():
    body = encoded(endpoints=[{"url": "https://a.example/?q=%2F", "name": "erste Stelle"}, {"url": "http://b.example"}])
    assert parse_added_endpoints(body) == [
        Endpoint("https://a.example/?q=%2F", "erste Stelle"),
        Endpoint("http://b.example"),
    ]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "body"),
        (b"{}", "no endpoints"),
        (b'{"endpoints": []}', "endpoints is empty"),
        (b'{"endpoints": [{"name": "n"}]}', "endpoint 0: it has no url"),
        (b'{"endpoints": [{"url": "http://a.b"}, {"url": "a.b"}]}', "endpoint 1: invalid destination url"),
        (b'{"endpoints": [{"url": "http://a.b", "name": ""}]}', "name '' is empty"),
        (b'{"endpoints": [{"url": "http://a.b", "name": "a\\nb"}]}', "control character"),
        (b'{"endpoints": "all"}', "endpoints"),
    ],
)
def test_endpoints_that_cannot_be_added_are_refused_by_their_index(body, named):
    with pytest.raises(Malformed, match=named):
        parse_added_endpoints(body)


def test_endpoints_are_removed_by_url_or_name():
    body = encoded(endpoints=[{"url": "http://a.b"}, {"name": "n"}, {"url": "http://c.d", "name": "m"}])
    assert parse_removed_endpoints(body) == [
        EndpointMatch("http://a.b"),
        EndpointMatch(name="n"),
        EndpointMatch("http://c.d", "m"),
    ]
    assert parse_removed_endpoints(b'{"endpoints": []}') == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"endpoints": [{}]}', b'{"endpoints": [{"nam": "x"}]}'])
def test_a_removal_that_names_nothing_is_refused(body):
    with pytest.raises(Malformed):
        parse_removed_endpoints(body)

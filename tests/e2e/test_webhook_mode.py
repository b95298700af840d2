"""Senders that can only call a URL: token and options stand in the query."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest


def call(url, method="GET", body=None, **headers):
    """Status and JSON of a plain call."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, json.load(answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_any_method_publishes_with_token_and_options_in_the_query(account, qstash, ledger, place, method):
    destination = ledger.url(f"{place}?keep=1")
    status, answer = call(
        f"{account.url}/v2/publish/{destination}&qstash_token={account.token}&upstash-retries=0&upstash-label=hook&b=2",
        method,
        b"payload" if method != "GET" else None,
    )
    assert status == 200
    (received,) = ledger.wait_for(message_id=answer["messageId"])
    assert received.path == f"{place}?keep=1&b=2"
    assert received.method == "POST"
    assert received.header("Upstash-Label") == "hook"
    assert qstash.message.get(answer["messageId"]).max_retries == 0


def test_token_of_the_query_counts_where_the_sender_has_an_authorization_of_its_own(account, ledger, place):
    url = f"{account.url}/v2/publish/{ledger.url(place)}?qstash_token={account.token}"
    assert call(url, "POST", b"x", Authorization="Bearer of-the-sender")[0] == 200
    assert ledger.wait_for(place)[0].header("Authorization") is None


def test_headers_beat_query_parameters(account, qstash, ledger, place):
    url = f"{account.url}/v2/publish/{ledger.url(place)}?upstash-retries=1&upstash-delay=1h"
    _, answer = call(url, "POST", b"x", Authorization=f"Bearer {account.token}", **{"Upstash-Retries": "2"})
    message = qstash.message.get(answer["messageId"])
    assert message.max_retries == 2
    assert message.not_before - message.created_at == 3_600_000


def test_forwarded_headers_reach_the_destination(account, ledger, place):
    headers = {
        "Authorization": f"Bearer {account.token}",
        "Upstash-Forward-Authorization": "Bearer for-the-destination",
        "Upstash-Header-Forward": "true",
        "X-Github-Event": "push",
    }
    call(f"{account.url}/v2/publish/{ledger.url(place)}", "POST", b"x", **headers)
    (received,) = ledger.wait_for(place)
    assert received.values("Authorization") == ["Bearer for-the-destination"]
    assert received.header("X-Github-Event") == "push"
    assert account.token not in repr(received.headers)


@pytest.mark.parametrize("written", ["http:/", "http%3A%2F%2F"])
def test_destination_that_a_proxy_mangled_is_repaired(account, qstash, ledger, place, written):
    rest = ledger.url(place).removeprefix("http://")
    if "%" in written:
        rest = rest.replace("/", "%2F").replace(":", "%3A")
    _, answer = call(f"{account.url}/v2/publish/{written}{rest}?qstash_token={account.token}", "POST", b"x")
    (received,) = ledger.wait_for(message_id=answer["messageId"])
    assert received.path == place
    assert qstash.message.get(answer["messageId"]).url == ledger.url(place)


def test_missing_and_wrong_tokens_are_refused(account, ledger, place):
    url = f"{account.url}/v2/publish/{ledger.url(place)}"
    for refused in (url, f"{url}?qstash_token=wrong"):
        status, answer = call(refused, "POST", b"x")
        assert status == 401
        assert answer["error"]
    assert call(f"{account.url}/v2/nowhere", Authorization=f"Bearer {account.token}")[0] == 404
    assert call(f"{account.url}/v2/nowhere")[0] == 401

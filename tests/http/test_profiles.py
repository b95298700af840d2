from __future__ import annotations

import hashlib

import pytest

from outrider.domain.limits import Limits

HEADERS = {"x-bypass": "c4nary"}
SHOWN = {"X-Bypass": "REDACTED:" + hashlib.sha256(b"c4nary").hexdigest()}


async def put(api, host="preview.example.com", headers=HEADERS):
    return await api.call("PUT", f"/v2/profiles/{host}", json={"headers": headers})


async def test_a_profile_is_put_and_shown_without_its_values(api):
    expected = {"host": "preview.example.com", "headers": SHOWN, "updatedAt": api.clock.now()}
    made = await put(api)
    assert (made.status_code, made.json()) == (200, expected)
    assert (await api.call("GET", "/v2/profiles/Preview.Example.com")).json() == expected
    listed = await api.call("GET", "/v2/profiles")
    assert listed.json() == [expected]
    assert "c4nary" not in listed.text


async def test_a_put_replaces_the_profile_whole(api):
    await put(api)
    await put(api, headers={"X-Other": "1"})
    shown = (await api.call("GET", "/v2/profiles/preview.example.com")).json()
    assert list(shown["headers"]) == ["X-Other"]


@pytest.mark.parametrize("host", ["a.example:8443", "*.a.example", "%2A.a.example", "a.example%3A8443", "[::1]:80"])
async def test_a_host_may_have_a_port_or_be_a_suffix(api, host):
    assert (await put(api, host)).status_code == 200
    assert (await api.call("GET", f"/v2/profiles/{host}")).status_code == 200


async def test_a_profile_is_deleted_also_where_there_is_none(api):
    await put(api)
    for _ in range(2):
        deleted = await api.call("DELETE", "/v2/profiles/preview.example.com")
        assert (deleted.status_code, deleted.content) == (200, b"")
    missing = await api.call("GET", "/v2/profiles/preview.example.com")
    assert (missing.status_code, missing.json()["code"]) == (404, "profile_not_found")
    assert (await api.call("GET", "/v2/profiles")).json() == []


@pytest.mark.parametrize(
    ("host", "body", "code"),
    [
        ("https:%2F%2Fa.example", b'{"headers": {"X-A": "c4nary"}}', "invalid_host"),
        ("a.example", b"", "invalid_body"),
        ("a.example", b'{"headers": {}}', "invalid_body"),
        ("a.example", b'{"headers": {"X-A": {"c4nary": 1}}}', "invalid_body"),
        ("a.example", b'{"headers": {"Upstash-Signature": "c4nary"}}', "invalid_header"),
        ("a.example", b'{"headers": {"X-A": "c4nary\\r\\nX-B: 1"}}', "invalid_header"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(api, host, body, code):
    refused = await api.call("PUT", f"/v2/profiles/{host}", content=body)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert "c4nary" not in refused.text
    assert (await api.call("GET", "/v2/profiles")).json() == []


async def test_one_profile_too_many_is_refused(api_with):
    async with api_with(Limits(profiles=1)) as api:
        await put(api)
        refused = await put(api, "other.example")
        assert (refused.status_code, refused.json()["code"]) == (400, "too_many_profiles")


async def test_a_profile_without_its_key_is_503_and_can_be_replaced(api):
    await put(api)
    await api.engine.store.put_profile(api.tenant, "preview.example.com", b"broken", api.clock.now(), most=9)
    for path in ("/v2/profiles", "/v2/profiles/preview.example.com"):
        refused = await api.call("GET", path)
        assert (refused.status_code, refused.json()["code"]) == (503, "profile_unreadable")
    await put(api)
    assert (await api.call("GET", "/v2/profiles")).status_code == 200

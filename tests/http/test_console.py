"""The console's files, its sessions, and what a browser may do by one."""

from __future__ import annotations

import gzip
import re

import pytest

from outrider.domain.instant import MINUTE_MS
from outrider.domain.tenant import Scope
from outrider.engine.sessions import IDLE_MS
from outrider.http.app import App
from outrider.http.console import Door, routes
from outrider.http.console.attempts import MOST_FAILURES
from outrider.http.console.door import door_of
from outrider.http.console.files import CSP, Files

DOOR = door_of(listens_on_loopback=True, public_url="https://queue.example")
SESSION = "/console/api/session"
OWN = {"outrider-console": "1", "sec-fetch-site": "same-origin"}


@pytest.fixture
async def api(api_with):
    async with api_with(door=DOOR) as opened:
        yield opened


@pytest.fixture
def built(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html>")
    (tmp_path / "assets" / "app-1a2b.js").write_bytes(b"let a = 1;" * 100)
    (tmp_path / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(b"let a = 1;" * 100))
    (tmp_path / "assets" / "app-1a2b.js.map").write_bytes(b"{}")
    return tmp_path


@pytest.fixture
async def pages(api, built):
    """A client of an API that has built files."""
    app = App(api.engine, routes(DOOR, Files(built)), DOOR)
    api.app._serve = app._serve
    return api.client


async def signed_in(api, token=None, **how):
    """The answer to a sign-in; the client keeps the cookie."""
    return await api.client.post(SESSION, json={"token": token or api.token}, **how)


def cookie_of(response):
    return response.headers["set-cookie"]


# Files


@pytest.mark.parametrize("path", ["", "/", "/sign-in", "/logs/msg_1", "/queues/a.b"])
async def test_every_path_of_the_page_is_the_page(pages, path):
    response = await pages.get(f"/console{path}")
    assert (response.status_code, response.text) == (200, "<!doctype html>")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"


async def test_everything_of_the_console_is_guarded(pages):
    for path in ("/console", "/console/assets/app-1a2b.js"):
        headers = (await pages.get(path)).headers
        assert headers["content-security-policy"] == CSP.decode()
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
async def test_an_asset_is_sent_compressed_to_who_takes_that_and_kept_for_ever(pages, accepted):
    response = await pages.get("/console/assets/app-1a2b.js", headers={"accept-encoding": accepted})
    assert response.text == "let a = 1;" * 100
    assert response.headers.get("content-encoding") == ("gzip" if "gzip" in accepted else None)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["vary"] == "accept-encoding"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_what_a_browser_has_is_not_sent_again(pages):
    etag = (await pages.get("/console")).headers["etag"]
    response = await pages.get("/console", headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert "content-length" not in response.headers
    assert (await pages.get("/console", headers={"if-none-match": '"other"'})).status_code == 200


@pytest.mark.parametrize(
    "path", ["assets/gone.js", "api/nothing", "api/x.js", "..%2f__init__.py.js", "../settings.json", "%2e%2e/a.css"]
)
async def test_what_is_not_there_is_404(pages, path):
    response = await pages.get(f"/console/{path}")
    assert (response.status_code, response.json()["code"]) == (404, "path_not_found")


async def test_sources_are_not_served_though_they_lie_there(pages):
    assert (await pages.get("/console/assets/app-1a2b.js.map")).text == "<!doctype html>"


async def test_a_console_that_is_not_built_says_how_to_build_it(api, tmp_path, monkeypatch):
    app = App(api.engine, routes(DOOR, Files(tmp_path / "nowhere")), DOOR)
    monkeypatch.setattr(api.app, "_serve", app._serve)
    response = await api.client.get("/console")
    assert response.status_code == 404
    assert "make console" in response.text


async def test_without_a_door_there_is_no_console_and_no_session(api_with):
    async with api_with(door=DOOR) as api:
        cookie = cookie_of(await signed_in(api)).partition(";")[0]
    async with api_with() as api:
        assert (await api.client.get("/console")).status_code == 404
        assert (await api.client.get("/v2/keys", headers={"cookie": cookie})).status_code == 401


# Signing in


async def test_a_token_signs_in(api):
    response = await signed_in(api)
    now = api.clock.now()
    said = response.json()
    assert said == {
        "tenant": "acme",
        "scope": "full",
        "token": "",
        "expiresAt": now + IDLE_MS,
        "version": said["version"],
        "time": now,
    }
    assert re.fullmatch(
        r"outrider_session=[\w-]+; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200", cookie_of(response)
    )
    assert api.token not in cookie_of(response)
    assert (await api.client.get(SESSION)).json() == said
    assert (await api.client.get("/v2/keys")).status_code == 200


async def test_a_link_signs_in_once(api):
    (tenant,) = await api.engine.directory.list_tenants()
    code = await api.engine.sign_in_links.create(tenant, Scope.READ)
    response = await api.client.post(SESSION, json={"link": code})
    assert (response.status_code, response.json()["scope"]) == (200, "read")
    again = await api.client.post(SESSION, json={"link": code})
    assert (again.status_code, again.json()["code"]) == (401, "sign_in_refused")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token":1}', b'{"token":"a","link":"b"}', b'{"other":"a"}'])
async def test_neither_a_token_nor_a_link_is_400(api, body):
    assert (await api.client.post(SESSION, content=body)).status_code == 400


async def test_by_https_the_cookie_goes_nowhere_else(api):
    how = {"headers": {"origin": "https://queue.example", "host": "queue.example"}}
    assert cookie_of(await signed_in(api, **how)).endswith("; Secure")


async def test_a_page_of_elsewhere_signs_nobody_in(api):
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        response = await signed_in(api, headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "cross_origin")


async def test_an_address_that_fails_too_often_waits(api):
    for _ in range(MOST_FAILURES):
        assert (await signed_in(api, "otr_guess")).status_code == 401
    refused = await signed_in(api)
    assert (refused.status_code, refused.json()["code"]) == (429, "sign_in_limit_reached")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert (await signed_in(api, headers={"x-forwarded-for": "203.0.113.7"})).status_code == 200
    await api.clock.advance(MINUTE_MS)
    assert (await signed_in(api)).status_code == 200


async def test_signing_in_and_out_is_remembered(api):
    await signed_in(api)
    assert (await api.client.delete(SESSION, headers=OWN)).status_code == 204
    entries = (await api.call("GET", "/v2/audit?count=2")).json()["entries"]
    assert [(one["action"], one["subject"]) for one in entries] == [
        ("console.sign_out", "from 203.0.113.9"),
        ("console.sign_in", "from 203.0.113.9 by its token"),
    ]
    assert {one["tokenHint"] for one in entries} == {api.token[-4:]}


async def test_signing_out_takes_the_cookie(api):
    await signed_in(api)
    response = await api.client.delete(SESSION, headers=OWN)
    assert "Max-Age=0" in cookie_of(response)
    assert (await api.client.get(SESSION)).status_code == 401


# A session


async def test_a_session_goes_on_while_it_is_used(api):
    first = (await signed_in(api)).json()
    for _ in range(2):
        await api.clock.advance(IDLE_MS - 1000)
        assert (await api.client.get(SESSION)).status_code == 200
    assert (await api.client.get(SESSION)).json()["expiresAt"] > first["expiresAt"]
    await api.clock.advance(IDLE_MS)
    response = await api.client.get(
        "/v2/keys", headers={"cookie": f"outrider_session={api.client.cookies['outrider_session']}"}
    )
    assert (response.status_code, response.json()["code"]) == (401, "session_over")


async def test_revoking_the_token_ends_its_sessions(api):
    await signed_in(api)
    (token,) = [token for token in await api.engine.directory.list_tokens("acme") if token.scope == "full"]
    await api.engine.directory.revoke_token("acme", token.id)
    assert (await api.client.get("/v2/keys")).status_code == 401
    assert (await api.client.get(SESSION)).status_code == 401


async def test_a_session_has_the_scope_of_its_token(api):
    await signed_in(api, api.read_token)
    assert (await api.client.get("/v2/queues")).status_code == 200
    response = await api.client.post("/v2/queues", json={"queueName": "q"}, headers=OWN)
    assert (response.status_code, response.json()["code"]) == (403, "token_read_only")


async def test_a_token_counts_before_the_cookie(api):
    await signed_in(api, api.read_token)
    assert (await api.call("POST", "/v2/queues", json={"queueName": "q"})).status_code == 200
    assert (await api.client.get(f"/v2/audit?qstash_token={api.token}")).status_code == 200
    assert (await api.client.get("/v2/audit")).status_code == 403


async def test_another_cookie_is_no_session(api):
    response = await api.client.get("/v2/keys", headers={"cookie": "theme=dark; x"})
    assert (response.status_code, response.json()["code"]) == (401, "token_missing")


@pytest.mark.parametrize("value", ["", "AAAA", "é", "x" * 3000])
async def test_a_cookie_that_is_not_ours_is_no_session(api, value):
    response = await api.client.get("/v2/keys", headers={"cookie": f"outrider_session={value}".encode()})
    assert (response.status_code, response.json()["code"]) == (401, "session_over")


# What a browser may do by a session


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "console_header_missing"),
        ({"sec-fetch-site": "same-origin"}, "console_header_missing"),
        ({"outrider-console": "1"}, "cross_origin"),
        ({"outrider-console": "1", "sec-fetch-site": "none"}, "cross_origin"),
        ({"outrider-console": "1", "sec-fetch-site": "same-site"}, "cross_origin"),
        ({"outrider-console": "1", "sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"}, "cross_origin"),
        ({"outrider-console": "1", "origin": "null"}, "cross_origin"),
        ({"outrider-console": "1", "origin": "http://127.0.0.1:1"}, "cross_origin"),
        ({"outrider-console": "1", "origin": "https://evil.example"}, "cross_origin"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/publish/https://example.com"),
        ("GET", "/v2/publish/https://example.com"),
        ("DELETE", "/v2/queues/q"),
        ("PUT", "/v2/nothing"),
        ("DELETE", SESSION),
    ],
)
async def test_a_change_needs_the_header_and_the_consoles_own_page(api, method, path, headers, code):
    await signed_in(api)
    response = await api.client.request(method, path, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, code)
    assert await api.stored_ids() == set()


@pytest.mark.parametrize("origin", ["own", "https://queue.example"])
async def test_a_change_from_the_consoles_own_page_is_made(api, origin):
    await signed_in(api)
    own = f"http://127.0.0.1:{api.port}" if origin == "own" else origin
    for headers in (OWN, {"outrider-console": "1", "origin": own}):
        response = await api.client.post("/v2/publish/https://example.com", headers=headers)
        assert response.status_code == 200
    assert len(await api.stored_ids()) == 2


async def test_a_page_of_elsewhere_reads_nothing_by_the_cookie(api):
    await signed_in(api)
    for site in ("same-site", "cross-site"):
        assert (await api.client.get("/v2/keys", headers={"sec-fetch-site": site})).status_code == 403
    assert (await api.client.get("/v2/keys", headers={"sec-fetch-site": "none"})).status_code == 200


@pytest.mark.parametrize("path", ["/console", "/console/a.js", SESSION, "/v2/keys", "/console/api/live"])
async def test_a_name_that_is_not_ours_is_refused_to_browsers(api, path):
    cookie = cookie_of(await signed_in(api)).partition(";")[0]
    for host in (
        "evil.example",
        f"evil.example:{api.port}",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[::2]",
        "",
    ):
        response = await api.client.get(path, headers={"host": host, "cookie": cookie})
        assert (response.status_code, response.json()["code"]) == (403, "host_not_allowed"), host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8080", "queue.example"])
async def test_our_names_are_not(api, host):
    cookie = cookie_of(await signed_in(api)).partition(";")[0]
    assert (await api.client.get("/v2/keys", headers={"host": host, "cookie": cookie})).status_code == 200


async def test_who_listens_to_the_network_has_any_name(api_with):
    async with api_with(door=door_of(listens_on_loopback=False, public_url=None)) as api:
        cookie = cookie_of(await signed_in(api)).partition(";")[0]
        response = await api.client.get("/v2/keys", headers={"host": "queue.example", "cookie": cookie})
        assert response.status_code == 200


def test_the_routes_of_the_console_need_what_they_should(tmp_path):
    needs = {(route.method, route.path): route.needs.value for route in routes(Door(), Files(tmp_path))}
    assert needs == {
        ("GET", SESSION): "open",
        ("POST", SESSION): "open",
        ("DELETE", SESSION): "open",
        ("GET", "/console/api/live"): "read",
        ("GET", "/console"): "open",
        ("GET", "/console/{path:rest}"): "open",
    }

from __future__ import annotations

import base64

import httpx
from tests.http.conftest import listening

from outrider.domain.errors import StoreUnavailable
from outrider.domain.tenant import hash_token
from outrider.http.app import create_app


async def test_keys_are_shown_and_rotated(api):
    before = (await api.call("GET", "/v2/keys")).json()
    after = (await api.call("POST", "/v2/keys/rotate")).json()
    assert after["current"] == before["next"]
    assert after["next"] not in before.values()
    assert "rotatedAt" not in before
    assert after["rotatedAt"] == api.clock.now()
    assert (await api.call("GET", "/v2/keys")).json() == after
    assert (await api.call("POST", "/v2/rotate")).json()["current"] == after["next"]


async def test_the_last_rotation_is_told_whoever_made_it(api):
    await api.engine.directory.rotate_keys(api.tenant)
    first = api.clock.now()
    await api.clock.advance(5000)
    assert (await api.call("GET", "/v2/keys")).json()["rotatedAt"] == first
    await api.engine.directory.rotate_keys(api.tenant)
    await api.call("POST", "/v2/queues", json={"queueName": "later"})
    assert (await api.call("GET", "/v2/keys")).json()["rotatedAt"] == first + 5000


async def test_keys_are_shown_as_secrets_of_standard_webhooks_too(api):
    keys = (await api.call("GET", "/v2/keys")).json()
    secrets = keys["standardWebhooksSecrets"]
    assert [base64.b64decode(secret.removeprefix("whsec_")).decode() for secret in secrets] == [
        keys["current"],
        keys["next"],
    ]
    assert all(secret.startswith("whsec_") for secret in secrets)


async def test_nothing_on_the_way_may_keep_an_answer(api):
    assert (await api.call("GET", "/v2/keys")).headers["cache-control"] == "no-store"


async def test_it_is_alive_without_being_ready(api, deliver, monkeypatch):
    async def broken(*_):
        raise StoreUnavailable("the disk is full")

    assert (await api.client.get("/healthz")).status_code == 200
    assert (await api.client.get("/readyz")).status_code == 503
    async with deliver(api.engine):
        assert (await api.client.get("/readyz")).json() == {"status": "ok"}
        monkeypatch.setattr(api.engine.store, "check", broken)
        response = await api.client.get("/readyz")
        assert (response.status_code, response.json()["error"]) == (503, "the disk is full")
        monkeypatch.undo()


async def test_metrics_are_served_as_rendered(api):
    response = await api.client.get("/metrics")
    assert response.text == "outrider_up 1\n"
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_metrics_with_a_token_are_for_who_has_it(api):
    app = create_app(api.engine, metrics=lambda: b"outrider_up 1\n", metrics_token_hash=hash_token("of-prometheus"))
    async with listening(app) as (port, _), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for given in ("Bearer of-prometheu", f"Bearer {api.token}", "Basic of-prometheus"):
            assert (await client.get("/metrics", headers={"authorization": given})).status_code == 401
        assert (await client.get("/metrics")).json()["code"] == "token_missing"
        assert (await client.get("/metrics", headers={"authorization": "Bearer of-prometheus"})).status_code == 200


async def test_the_front_door_says_what_this_is(api):
    index = (await api.client.get("/")).json()
    assert index["name"] == "outrider"
    assert index["version"]
    for link in ("healthz", "readyz"):
        assert f"/{link}" in index["links"].values()


async def test_head_is_a_get_without_its_body(api):
    got, headed = await api.client.get("/healthz"), await api.client.head("/healthz")
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-length"] == str(len(got.content))

from __future__ import annotations

import base64

from outrider.domain.errors import StoreUnavailable


async def test_keys_are_shown_and_rotated(api):
    before = (await api.call("GET", "/v2/keys")).json()
    after = (await api.call("POST", "/v2/keys/rotate")).json()
    assert after["current"] == before["next"]
    assert after["next"] not in before.values()
    assert (await api.call("GET", "/v2/keys")).json() == after
    assert (await api.call("POST", "/v2/rotate")).json()["current"] == after["next"]


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

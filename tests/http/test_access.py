"""Who may do what. The matrix is made from the routes themselves: a new route needs a row in NEEDS."""

from __future__ import annotations

import re

import pytest

from outrider.domain.limits import Limits
from outrider.http import (
    activity,
    audit,
    configuration,
    dead_letters,
    description,
    flow_control,
    health,
    keys,
    logs,
    messages,
    previews,
    profiles,
    publishing,
    queues,
    schedules,
    status,
    tokens,
    url_groups,
    usage,
)

NEEDS = {
    ("POST", "/v2/publish/{destination:rest}"): "change",
    ("GET", "/v2/publish/{destination:rest}"): "change",
    ("PUT", "/v2/publish/{destination:rest}"): "change",
    ("PATCH", "/v2/publish/{destination:rest}"): "change",
    ("DELETE", "/v2/publish/{destination:rest}"): "change",
    ("POST", "/v2/enqueue/{queue}/{destination:rest}"): "change",
    ("GET", "/v2/enqueue/{queue}/{destination:rest}"): "change",
    ("PUT", "/v2/enqueue/{queue}/{destination:rest}"): "change",
    ("PATCH", "/v2/enqueue/{queue}/{destination:rest}"): "change",
    ("DELETE", "/v2/enqueue/{queue}/{destination:rest}"): "change",
    ("POST", "/v2/batch"): "change",
    ("POST", "/llm/v1/chat/completions"): "open",
    ("GET", "/v2/messages/{id}"): "read",
    ("DELETE", "/v2/messages/{id}"): "change",
    ("DELETE", "/v2/messages"): "change",
    ("GET", "/v2/messages"): "read",
    ("GET", "/v2/messages/count"): "read",
    ("POST", "/v2/messages/{id}/retry"): "change",
    ("POST", "/v2/messages/{id}/republish"): "change",
    ("GET", "/v2/cron"): "read",
    ("POST", "/v2/preview/{destination:rest}"): "read",
    ("GET", "/v2/events"): "read",
    ("GET", "/v2/logs"): "read",
    ("GET", "/v2/dlq"): "read",
    ("GET", "/v2/dlq/count"): "read",
    ("GET", "/v2/dlq/clusters"): "read",
    ("DELETE", "/v2/dlq"): "change",
    ("POST", "/v2/dlq/retry"): "change",
    ("POST", "/v2/dlq/retry/{id}"): "change",
    ("GET", "/v2/dlq/{id}"): "read",
    ("DELETE", "/v2/dlq/{id}"): "change",
    ("GET", "/v2/schedules"): "read",
    ("PATCH", "/v2/schedules/{id}/pause"): "change",
    ("POST", "/v2/schedules/{id}/pause"): "change",
    ("PATCH", "/v2/schedules/{id}/resume"): "change",
    ("POST", "/v2/schedules/{id}/resume"): "change",
    ("POST", "/v2/schedules/{id}/run"): "change",
    ("POST", "/v2/schedules/{id}/copy"): "change",
    ("PATCH", "/v2/schedules/{id}"): "change",
    ("GET", "/v2/schedules/{id}"): "read",
    ("DELETE", "/v2/schedules/{id}"): "change",
    ("POST", "/v2/schedules/{destination:rest}"): "change",
    ("GET", "/v2/queues"): "read",
    ("POST", "/v2/queues"): "change",
    ("GET", "/v2/queues/{queue}"): "read",
    ("DELETE", "/v2/queues/{queue}"): "change",
    ("POST", "/v2/queues/{queue}/pause"): "change",
    ("POST", "/v2/queues/{queue}/resume"): "change",
    ("GET", "/v2/topics"): "read",
    ("GET", "/v2/topics/{group}"): "read",
    ("PATCH", "/v2/topics/{group}"): "change",
    ("DELETE", "/v2/topics/{group}"): "change",
    ("POST", "/v2/topics/{group}/endpoints"): "change",
    ("DELETE", "/v2/topics/{group}/endpoints"): "change",
    ("GET", "/v2/url-groups"): "read",
    ("GET", "/v2/url-groups/{group}"): "read",
    ("PATCH", "/v2/url-groups/{group}"): "change",
    ("DELETE", "/v2/url-groups/{group}"): "change",
    ("POST", "/v2/url-groups/{group}/endpoints"): "change",
    ("DELETE", "/v2/url-groups/{group}/endpoints"): "change",
    ("GET", "/v2/flowControl"): "read",
    ("GET", "/v2/globalParallelism"): "read",
    ("GET", "/v2/flowControl/{key:rest}"): "read",
    ("POST", "/v2/flowControl/{key:rest}/pause"): "change",
    ("POST", "/v2/flowControl/{key:rest}/resume"): "change",
    ("POST", "/v2/flowControl/{key:rest}/pin"): "change",
    ("POST", "/v2/flowControl/{key:rest}/unpin"): "change",
    ("POST", "/v2/flowControl/{key:rest}/reset"): "change",
    ("POST", "/v2/flowControl/{key:rest}/resetRate"): "change",
    ("GET", "/v2/profiles"): "read",
    ("GET", "/v2/profiles/{host}"): "read",
    ("PUT", "/v2/profiles/{host}"): "change",
    ("DELETE", "/v2/profiles/{host}"): "change",
    ("GET", "/v2/usage"): "read",
    ("GET", "/v2/activity"): "read",
    ("GET", "/v2/status"): "read",
    ("GET", "/v2/audit"): "full",
    ("GET", "/v2/keys"): "read",
    ("POST", "/v2/keys/rotate"): "change",
    ("POST", "/v2/rotate"): "change",
    ("GET", "/v2/tokens"): "read",
    ("POST", "/v2/tokens"): "change",
    ("DELETE", "/v2/tokens/{id}"): "change",
    ("GET", "/v2/settings"): "read",
    ("GET", "/"): "open",
    ("GET", "/healthz"): "open",
    ("GET", "/readyz"): "open",
    ("GET", "/metrics"): "open",
    ("GET", "/openapi.json"): "open",
    ("GET", "/docs"): "open",
}

NEVER_BURST_LIMITED = {
    ("POST", "/v2/batch"),
    *(key for key in NEEDS if key[1].startswith(("/v2/publish/", "/v2/enqueue/"))),
}

ROUTES = description.describing(
    [
        *publishing.ROUTES,
        *messages.ROUTES,
        *logs.ROUTES,
        *dead_letters.ROUTES,
        *previews.ROUTES,
        *schedules.ROUTES,
        *queues.ROUTES,
        *url_groups.ROUTES,
        *flow_control.ROUTES,
        *profiles.ROUTES,
        *usage.ROUTES,
        *activity.ROUTES,
        *status.ROUTES,
        *audit.ROUTES,
        *keys.ROUTES,
        *tokens.ROUTES,
        configuration.settings_route(()),
        *health.ROUTES,
        health.metrics_route(bytes),
    ]
)


def key(route):
    return route.method, route.path


def example(route):
    return re.sub(r"\{\w+(:rest)?\}", "none", route.path.replace("{destination:rest}", "https://example.com/a"))


def test_the_app_serves_exactly_the_routes_of_the_matrix(api):
    assert {key(route) for route in api.app.table.routes} == set(NEEDS) == {key(route) for route in ROUTES}


KINDS = {
    "none": lambda _: {},
    "not a bearer": lambda _: {"authorization": "Basic YTpi"},
    "bearer of nothing": lambda _: {"authorization": "Bearer"},
    "unknown": lambda _: {"authorization": "Bearer otr_nobody"},
    "beyond ASCII": lambda _: {"authorization": b"Bearer \xff\xfe"},
    "read": lambda api: {"authorization": f"Bearer {api.read_token}"},
    "full": lambda api: {"authorization": f"bearer {api.token}"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_route_lets_in_whom_it_should(api, route, kind):
    await api.engine.start()
    response = await api.client.request(route.method, example(route), headers=KINDS[kind](api))
    await api.engine.drain(0)
    needs = NEEDS[key(route)]
    if needs == "open" or kind == "full" or (kind == "read" and needs == "read"):
        assert response.status_code not in {401, 403}
        assert response.status_code < 500
    elif kind == "read":
        assert response.status_code == 403
        assert response.json()["code"] == "token_read_only"
        assert await api.stored_ids() == set()
    else:
        assert response.status_code == 401
        assert response.json()["code"] in {"token_missing", "token_unknown"}
        assert await api.stored_ids() == set()


async def test_no_answer_repeats_a_token(api):
    for token in ("otr_nobody", api.read_token):
        response = await api.call("POST", "/v2/batch", headers={"authorization": f"Bearer {token}"})
        assert token not in response.text


async def test_a_revoked_token_is_out(api):
    (token,) = [token for token in await api.engine.directory.list_tokens("acme") if token.scope == "full"]
    await api.engine.directory.revoke_token("acme", token.id)
    assert (await api.call("GET", "/v2/keys")).status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST", "PURGE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/v2/", "/v2/nothing", "/v2/messages/a/b", "/v2/%6dessages/a", "/v2//keys"])
async def test_an_unknown_path_is_401_without_a_token_and_404_with_one(api, method, path):
    assert (await api.client.request(method, path)).status_code == 401
    assert (await api.call(method, path)).status_code == 404


@pytest.mark.parametrize("path", ["/v1/publish/https://example.com", "/v1", "/v2", "/v3/keys", "/favicon.ico"])
async def test_other_paths_are_404(api, path):
    response = await api.call("POST", path)
    assert response.status_code == 404
    assert response.json()["code"] == "path_not_found"


async def test_a_wrong_method_is_405_with_those_that_are_right(api):
    assert (await api.client.put("/v2/keys")).status_code == 401
    response = await api.call("PUT", "/v2/keys")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert (await api.client.post("/healthz")).status_code == 405


async def test_options_names_the_methods_and_needs_no_token(api):
    response = await api.client.options("/v2/messages/msg_1")
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers
    assert response.headers["allow"] == "GET, DELETE, HEAD, OPTIONS"


async def test_a_tenant_that_calls_too_often_is_told_so_as_a_burst(api_with):
    async with api_with(Limits(burst_per_second=2)) as api:
        assert [(await api.call("GET", "/v2/keys")).status_code for _ in range(3)] == [200, 200, 429]
        response = await api.call("GET", "/v2/keys")
        headers = response.headers
        assert headers["burst-ratelimit-limit"] == "2"
        assert headers["burst-ratelimit-remaining"] == "0"
        assert headers["burst-ratelimit-reset"] == str(api.clock.now() // 1000 + 1)
        assert headers["retry-after"] == "1"
        assert "ratelimit-limit" not in headers
        await api.clock.advance(1000)
        assert (await api.call("GET", "/v2/keys")).status_code == 200


async def test_every_authenticated_call_counts_but_publish_and_batch(api_with):
    async with api_with(Limits(burst_per_second=1)) as api:
        await api.call("GET", "/v2/nothing")
        for route in ROUTES:
            if NEEDS[key(route)] == "open":
                continue
            response = await api.call(route.method, example(route))
            assert (response.status_code == 429) is (key(route) not in NEVER_BURST_LIMITED), key(route)


async def test_calls_without_a_valid_token_use_up_nobodys_limit(api_with):
    async with api_with(Limits(burst_per_second=1)) as api:
        for _ in range(3):
            assert (await api.client.get("/v2/keys")).status_code == 401
        assert (await api.call("GET", "/v2/keys")).status_code == 200

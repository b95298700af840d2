from __future__ import annotations

import pytest

from outrider.domain.attempt import Unreachable
from outrider.domain.event import EventKind

ONE = {"url": "https://one.example.com/a", "name": "one"}
SAME = {"url": "https://ONE.example.com:443/a/"}


@pytest.fixture
async def group(api):
    await api.call("POST", "/v2/topics/g/endpoints", json={"endpoints": [ONE, SAME]})


@pytest.mark.parametrize("base", ["/v2/topics", "/v2/url-groups"])
async def test_a_group_shows_the_health_of_its_endpoints(api, group, base):
    shown = (await api.call("GET", f"{base}/g?health=true")).json()
    one = {"attempts": 0, "successes": 0, "flags": ["duplicate"], "duplicateOf": [SAME["url"]]}
    same = {**one, "duplicateOf": [ONE["url"]]}
    assert shown["endpoints"] == [{**ONE, "health": one}, {**SAME, "health": same}]
    assert shown["name"] == "g"


async def test_figures_are_of_the_deliveries_in_the_window(api, group, deliver):
    async with deliver(api.engine):
        await api.call("POST", "/v2/publish/g", content=b"x")
        await api.observer.saw(EventKind.DELIVERED, 2)
        api.sender.outcome = Unreachable("connection refused")
        await api.call("POST", "/v2/publish/g", content=b"x", headers={"upstash-retries": "0"})
        await api.observer.saw(EventKind.FAILED, 2)
    now = api.clock.now()
    health = (await api.call("GET", "/v2/topics/g?health=true&window=1h")).json()["endpoints"][0]["health"]
    assert health == {
        "attempts": 2,
        "successes": 1,
        "successRate": 0.5,
        "flags": ["duplicate"],
        "duplicateOf": [SAME["url"]],
        "lastSuccessTime": now,
        "lastError": "connection refused",
        "lastErrorTime": now,
        "latencyP50": 0,
        "latencyP95": 0,
    }


@pytest.mark.parametrize("query", ["", "?health=false", "?health=false&window=1h"])
async def test_health_is_shown_only_where_it_is_asked_for(api, group, query):
    assert (await api.call("GET", f"/v2/topics/g{query}")).json()["endpoints"] == [ONE, SAME]


async def test_a_window_asks_for_health(api, group):
    assert "health" in (await api.call("GET", "/v2/topics/g?window=1h")).json()["endpoints"][0]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("window=5x", ["window", "'5x'", "10s, 5m or 1h30m"]),
        ("window=4d", ["window", "'4d'", "3d"]),
        ("window=0", ["window", "'0s'", "1s"]),
        ("health=perhaps", ["health", "'perhaps'", "true"]),
        ("helth=true", ["'helth'", "not known"]),
    ],
)
async def test_a_query_that_breaks_its_rule_is_named(api, group, query, names):
    refused = await api.call(
        "GET", f"/v2/topics/g?health=true&{query}" if "health" not in query else f"/v2/topics/g?{query}"
    )
    assert refused.status_code == 400
    assert all(name in refused.json()["error"] for name in names), refused.text


async def test_health_of_an_unknown_group_is_not_found(api):
    assert (await api.call("GET", "/v2/topics/nobody?health=true")).status_code == 404

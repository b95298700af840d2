"""Looking ahead stores nothing."""

from __future__ import annotations

import pytest

SECRET = "5ecret-v4lue"


async def preview(api, destination="https://example.com/a", body=b"hi", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await api.call("POST", f"/v2/preview/{destination}", content=body, headers=named)
    assert await api.stored_ids() == set()
    return response


async def test_a_preview_tells_when_and_what_would_be_sent(api):
    headers = {"Upstash_Delay": "1m", "Upstash_Retries": "2", "Upstash_Retry_Delay": "1000", "Upstash_Forward_X": "1"}
    shown = (await preview(api, **headers)).json()
    start = api.clock.now() + 60_000
    assert (shown["destination"], shown["notBefore"], shown["body"]) == ("https://example.com/a", start, {"bytes": 2})
    assert shown["attempts"] == [{"number": n + 1, "earliest": start + 1000 * n} for n in range(3)]
    assert shown["headers"]["X"] == ["1"]
    assert shown["headers"]["Upstash-Signature"] == ["made anew for each attempt"]
    assert "schedule" not in shown


async def test_no_secret_is_shown(api):
    await api.call("PUT", "/v2/profiles/example.com", json={"headers": {"X-Key": SECRET}})
    response = await preview(api, Upstash_Forward_Authorization=SECRET, Upstash_Redact_Fields="header[Authorization]")
    assert SECRET not in response.text
    assert {"X-Key", "Authorization"} <= set(response.json()["headers"])


async def test_a_schedule_is_shown_with_its_next_runs(api):
    shown = (await preview(api, Upstash_Cron="CRON_TZ=Europe/Berlin 0 9 * * *")).json()
    assert shown["schedule"]["timezone"] == "Europe/Berlin"
    assert len(shown["schedule"]["next"]) == 5
    assert (await api.call("GET", "/v2/schedules")).json() == []


async def test_a_queue_is_named_and_not_made(api):
    assert (await preview(api, Upstash_Queue_Name="q")).json()["queueName"] == "q"
    assert (await api.call("GET", "/v2/queues")).json() == []


async def test_a_group_is_shown_with_its_endpoints(api):
    urls = ["https://a.example/1", "https://b.example/2"]
    await api.call("POST", "/v2/topics/g/endpoints", json={"endpoints": [{"url": url} for url in urls]})
    assert (await preview(api, "g")).json()["endpoints"] == urls


@pytest.mark.parametrize(
    ("destination", "headers", "status"),
    [
        ("https://127.0.0.1/", {}, 400),
        ("nogroup", {}, 404),
        ("https://example.com/", {"Upstash_Delay": "x"}, 400),
        ("https://example.com/", {"Upstash_Cron": "x"}, 400),
    ],
)
async def test_it_is_refused_as_a_publish_would_be(api, destination, headers, status):
    refused = await preview(api, destination, **headers)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    published = await api.call("POST", f"/v2/publish/{destination}", content=b"hi", headers=named)
    assert (refused.status_code, refused.json()["code"]) == (published.status_code, published.json()["code"])
    assert refused.status_code == status


async def test_a_cron_expression_tells_its_runs_and_the_changes_of_the_clock_between(api):
    query = "expression=0+9+1+*+*&timezone=Europe/Berlin&count=6&from=1767225600000"
    shown = (await api.call("GET", f"/v2/cron?{query}")).json()
    assert shown["timezone"] == "Europe/Berlin"
    assert shown["next"][0] == 1767254400000
    # 2026-03-29, 01:00 UTC
    assert shown["transitions"] == [{"time": 1774746000000, "offsetBefore": 3_600_000, "offsetAfter": 7_200_000}]
    assert (await api.call("GET", "/v2/cron?expression=@daily")).json()["transitions"] == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "expression=x",
        "expression=@daily&timezone=Nowhere",
        "expression=TZ=UTC+@daily&timezone=UTC",
        "expression=@daily&count=0",
        "expression=@daily&from=x",
    ],
)
async def test_an_expression_that_cannot_be_read_is_refused(api, query):
    assert (await api.call("GET", f"/v2/cron?{query}")).status_code == 400

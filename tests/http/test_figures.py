"""`/v2/activity` and `/v2/status`."""

from __future__ import annotations

import pytest
from tests.http.conftest import delivering

from outrider.domain.attempt import Failure, Unreachable
from outrider.domain.event import EventKind
from outrider.domain.instant import HOUR_MS, MINUTE_MS

ZERO = {"accepted": 0, "delivered": 0, "failed": 0, "deadLettered": 0}


async def activity(api, query=""):
    response = await api.call("GET", f"/v2/activity{query}")
    assert response.status_code == 200, response.text
    return response.json()


async def status(api):
    response = await api.call("GET", "/v2/status")
    assert response.status_code == 200, response.text
    return response.json()


async def test_quiet_hour_is_120_points_of_zeros(api):
    told = await activity(api)
    assert (told["step"], len(told["points"]), told["totals"]) == (30_000, 120, ZERO)
    assert told["to"] - told["from"] == HOUR_MS
    assert [point["time"] for point in told["points"]] == list(range(told["from"], told["to"], told["step"]))
    assert told["points"][0] == {"time": told["from"], **ZERO}


async def test_deliveries_and_errors_are_in_their_points(api):
    async with delivering(api.engine):
        await api.published()
        await api.observer.saw(EventKind.DELIVERED, 1)
        api.sender.outcome = Unreachable("refused", Failure.CONNECT)
        await api.published(Upstash_Retries="0")
        await api.observer.saw(EventKind.FAILED, 1)
        await api.clock.advance(1100)
        now = api.clock.now()
        told = await activity(api, f"?from={now - MINUTE_MS}&to={now}&points=60")
    counts = {"accepted": 2, "delivered": 1, "failed": 1, "deadLettered": 1}
    shown = {**counts, "latency": {"p50": 0, "p95": 0, "p99": 0}, "errors": {"connect": 1}}
    assert told["totals"] == shown
    assert [point for point in told["points"] if point["accepted"]] == [{"time": told["to"] - 2000, **shown}]


async def test_points_are_a_thousand_at_most(api):
    now = api.clock.now()
    told = await activity(api, f"?from=0&to={now}&points=100000")
    assert 500 < len(told["points"]) <= 1000


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?from=5&to=5", "from '5' is not before to '5'"),
        ("?from=yesterday", "from 'yesterday' is not a Unix time in milliseconds"),
        ("?points=0", "points '0' is not a count"),
        ("?step=5", "'step' is not known here"),
    ],
)
async def test_senseless_questions_are_refused(api, query, said):
    response = await api.call("GET", f"/v2/activity{query}")
    assert response.status_code == 400
    assert said in response.json()["error"]


async def test_status_tells_how_things_stand(api):
    before = await status(api)
    assert before["inFlight"] == {"active": 0, "retrying": 0, "delayed": 0, "waiting": 0}
    assert before["store"]["kind"] == "sqlite"
    assert before["store"]["sizeBytes"] > 0
    assert (before["nodes"], before["time"]) == ([], api.clock.now())
    assert "oldestDue" not in before
    assert "capped" not in before
    due = await api.published()
    await api.published(Upstash_Delay="1h")
    await api.call("POST", "/v2/queues", json={"queueName": "orders", "parallelism": 1})
    await api.call("POST", "/v2/schedules/https://example.com/a", headers={"Upstash-Cron": "* * * * *"})
    told = await status(api)
    assert told["inFlight"] == {"active": 0, "retrying": 0, "delayed": 1, "waiting": 1}
    assert told["oldestDue"] == {"messageId": due, "dueAt": api.clock.now()}
    for state, number in told["inFlight"].items():
        listed = (await api.call("GET", f"/v2/messages?state={state}")).json()["messages"]
        assert [one["state"] for one in listed] == [state] * number
        assert (await api.call("GET", f"/v2/messages/count?state={state}")).json()["count"] == number
    assert (told["queues"], told["schedules"], told["deadLetters"], told["scheduleLag"]) == (1, 1, 0, 0)


async def test_schedules_that_do_not_fire_are_late(api):
    await api.call("POST", "/v2/schedules/https://example.com/a", headers={"Upstash-Cron": "* * * * *"})
    await api.clock.advance(5 * MINUTE_MS)
    assert 4 * MINUTE_MS <= (await status(api))["scheduleLag"] <= 5 * MINUTE_MS


async def test_nodes_are_told(api):
    async with delivering(api.engine):
        (node,) = (await status(api))["nodes"]
        assert node == {"id": "node_test", "seenAt": api.clock.now(), "leaseMs": 6000}

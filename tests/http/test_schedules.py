from __future__ import annotations

import pytest

from outrider.domain.event import EventKind
from outrider.domain.limits import Limits

URL = "https://example.com/a"


async def create(api, destination=URL, cron="*/5 * * * *", **more):
    headers = {"upstash-cron": cron, **more.pop("headers", {})}
    return await api.call("POST", f"/v2/schedules/{destination}", headers=headers, **more)


async def created(api, destination=URL, **more):
    response = await create(api, destination, **more)
    assert response.status_code == 200, response.text
    return response.json()["scheduleId"]


async def shown(api, schedule_id):
    response = await api.call("GET", f"/v2/schedules/{schedule_id}")
    assert response.status_code == 200, response.text
    return response.json()


async def test_its_creator_is_told_the_id_and_the_next_five_times(api):
    told = (await create(api, cron="CRON_TZ=Europe/Berlin 0 9 * * *")).json()
    assert told["scheduleId"].startswith("scd_")
    assert len(told["nextScheduleTimes"]) == 5
    assert all("T09:00:00+0" in time for time in told["nextScheduleTimes"])
    assert told["timeZone"] == "Europe/Berlin"


async def test_a_schedule_is_shown_as_it_was_created(api):
    headers = {"upstash-forward-x-trace": "t", "content-type": "text/plain", "upstash-retries": "7"}
    schedule_id = await created(api, f"{URL}?x=1", content=b"hi", headers=headers)
    told = await shown(api, schedule_id)
    assert told["destination"] == f"{URL}?x=1"
    assert (told["cron"], told["method"], told["retries"], told["isPaused"]) == ("*/5 * * * *", "POST", 7, False)
    assert (told["body"], told["callerIP"], told["createdAt"]) == ("hi", "203.0.113.9", api.clock.now())
    assert told["header"] == {"Content-Type": ["text/plain"], "X-Trace": ["t"]}
    assert told["nextScheduleTime"] == (api.clock.now() // 300_000 + 1) * 300_000
    assert (await api.call("GET", "/v2/schedules")).json() == [told]


async def test_no_schedules_are_an_empty_list(api):
    assert (await api.call("GET", "/v2/schedules")).json() == []


@pytest.mark.parametrize("path", ["publish", "enqueue/q", "schedules"])
async def test_every_publish_with_a_cron_expression_is_a_schedule(api, path):
    response = await api.call("POST", f"/v2/{path}/{URL}", headers={"upstash-cron": "@daily"}, content=b"hi")
    assert response.status_code == 200
    told = await shown(api, response.json()["scheduleId"])
    assert (told["cron"], told["body"], told.get("queueName")) == ("@daily", "hi", "q" if "q" in path else None)
    assert await api.stored_ids() == set()


async def test_the_path_names_the_queue_before_the_header(api):
    headers = {"upstash-cron": "@daily", "upstash-queue-name": "other"}
    response = await api.call("POST", f"/v2/enqueue/q/{URL}", headers=headers)
    assert (await shown(api, response.json()["scheduleId"]))["queueName"] == "q"
    response = await api.call("POST", f"/v2/publish/{URL}", headers=headers)
    assert (await shown(api, response.json()["scheduleId"]))["queueName"] == "other"


async def test_options_of_a_schedule_may_stand_in_its_query(api):
    response = await api.call("POST", f"/v2/schedules/{URL}?upstash-cron=0+9+*+*+*&upstash-delay=5s&x=1")
    told = await shown(api, response.json()["scheduleId"])
    assert (told["cron"], told["delay"], told["destination"]) == ("0 9 * * *", 5, f"{URL}?x=1")


@pytest.mark.parametrize("raw", ["https://example.com/pause", "https://example.com//run", "https:/example.com/resume"])
async def test_a_destination_that_ends_in_an_action_is_still_a_destination(api, raw):
    told = await shown(api, await created(api, raw))
    assert told["destination"] == raw.replace(":/e", "://e")


async def test_a_schedule_with_the_id_of_another_overwrites_it(api):
    headers = {"upstash-schedule-id": "mine"}
    assert await created(api, content=b"first", headers={**headers, "upstash-retries": "7"}) == "mine"
    first = await shown(api, "mine")
    await api.clock.advance(1000)
    assert await created(api, "https://example.com/b", cron="@hourly", headers=headers) == "mine"
    second = await shown(api, "mine")
    assert (second["destination"], second["cron"], second["retries"]) == ("https://example.com/b", "@hourly", 3)
    assert "body" not in second
    assert second["createdAt"] == first["createdAt"]
    assert len((await api.call("GET", "/v2/schedules")).json()) == 1


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_a_schedule_is_paused_and_resumed(api, method):
    schedule_id = await created(api)
    for action, paused in (("pause", True), ("resume", False)):
        response = await api.call(method, f"/v2/schedules/{schedule_id}/{action}")
        assert (response.status_code, response.content) == (200, b"")
        assert (await shown(api, schedule_id))["isPaused"] is paused


async def test_a_deleted_schedule_is_gone(api):
    schedule_id = await created(api)
    assert (await api.call("DELETE", f"/v2/schedules/{schedule_id}")).status_code == 200
    assert (await api.call("GET", f"/v2/schedules/{schedule_id}")).status_code == 404
    assert (await api.call("GET", "/v2/schedules")).json() == []


@pytest.mark.parametrize(
    ("method", "action"),
    [("GET", ""), ("DELETE", ""), ("PATCH", "/pause"), ("POST", "/resume"), ("POST", "/run")],
)
async def test_an_unknown_schedule_is_404_by_its_id(api, method, action):
    response = await api.call(method, f"/v2/schedules/scd_none{action}")
    assert response.status_code == 404
    assert "scd_none" in response.json()["error"]


async def test_a_schedule_runs_now_and_its_turn_stays(api, deliver):
    schedule_id = await created(api, content=b"hi")
    before = await shown(api, schedule_id)
    response = await api.call("POST", f"/v2/schedules/{schedule_id}/run")
    assert response.status_code == 200
    message = await api.stored(response.json()["messageId"])
    assert (message.schedule_id, message.body, message.url) == (schedule_id, b"hi", URL)
    after = await shown(api, schedule_id)
    assert after["nextScheduleTime"] == before["nextScheduleTime"]
    async with deliver(api.engine):
        await api.observer.saw(EventKind.DELIVERED, 1)


async def test_a_schedule_of_a_group_runs_for_every_endpoint(api):
    endpoints = [{"url": "https://one.example.com"}, {"url": "https://two.example.com"}]
    await api.call("POST", "/v2/topics/g/endpoints", json={"endpoints": endpoints})
    schedule_id = await created(api, "g")
    assert (await shown(api, schedule_id))["destination"] == "g"
    response = await api.call("POST", f"/v2/schedules/{schedule_id}/run")
    assert [one["url"] for one in response.json()] == [one["url"] for one in endpoints]


async def test_what_a_schedule_hides_is_shown_nowhere(api):
    headers = {"upstash-redact-fields": "body, header[x-key]", "upstash-forward-x-key": "canary-header"}
    schedule_id = await created(api, content=b"canary-body", headers=headers)
    run = await api.call("POST", f"/v2/schedules/{schedule_id}/run")
    for path in ("/v2/schedules", f"/v2/schedules/{schedule_id}", f"/v2/messages/{run.json()['messageId']}"):
        answer = await api.call("GET", path)
        assert "REDACTED:" in answer.text
        assert "canary" not in answer.text


async def test_a_schedule_without_a_cron_expression_is_refused(api):
    response = await api.call("POST", f"/v2/schedules/{URL}")
    assert response.status_code == 400
    assert "Upstash-Cron is missing" in response.json()["error"]


@pytest.mark.parametrize(
    ("cron", "named"), [("* * * * * *", "six fields"), ("CRON_TZ=Mars/Base * * * * *", "'Mars/Base'"), ("", "is empty")]
)
async def test_a_cron_expression_that_breaks_its_rule_is_named(api, cron, named):
    response = await create(api, cron=cron)
    assert response.status_code == 400
    assert f"Upstash-Cron '{cron}'" in response.json()["error"]
    assert named in response.json()["error"]


@pytest.mark.parametrize(
    ("destination", "status"), [("", 400), ("example.com/a", 400), ("https://10.0.0.1/", 400), ("no-such-group", 404)]
)
async def test_a_destination_that_cannot_be_called_is_refused_at_once(api, destination, status):
    assert (await create(api, destination)).status_code == status
    assert (await api.call("GET", "/v2/schedules")).json() == []


async def test_a_body_over_the_limit_is_refused(api_with):
    async with api_with(Limits(body_bytes=10)) as api:
        assert (await create(api, content=b"x" * 11)).status_code == 413


async def test_one_schedule_more_than_allowed_is_refused(api_with):
    async with api_with(Limits(schedules=1)) as api:
        await created(api, headers={"upstash-schedule-id": "mine"})
        response = await create(api)
        assert response.status_code == 400
        assert response.json()["code"].startswith("too_many")
        assert (await create(api, headers={"upstash-schedule-id": "mine"})).status_code == 200

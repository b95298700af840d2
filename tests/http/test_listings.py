"""Lists of messages, counts, one that is told to go now, and dead letters that are sent with something else."""

from __future__ import annotations

import pytest
from tests.http.test_dead_letters import fail, left

from outrider.domain.event import EventKind


async def listed(api, query=""):
    return (await api.call("GET", f"/v2/messages{query}")).json()["messages"]


async def test_unfinished_messages_are_listed_with_what_they_wait_for(api):
    later = await api.published(Upstash_Delay="1h", Upstash_Label="a", Upstash_Retries="7")
    (shown,) = await listed(api, "?state=delayed")
    assert shown == {
        "messageId": later,
        "state": "delayed",
        "url": "https://example.com/a",
        "method": "POST",
        "createdAt": api.clock.now(),
        "nextDeliveryTime": api.clock.now() + 3_600_000,
        "attempts": 0,
        "maxRetries": 7,
        "label": "a",
        "labels": ["a"],
    }
    assert await listed(api, "?state=active,retrying&state=waiting") == []


async def test_messages_are_counted_with_the_filters_of_the_list(api):
    await api.published(Upstash_Delay="1h", Upstash_Label="a")
    await api.published(Upstash_Delay="2h")
    assert (await api.call("GET", "/v2/messages/count")).json() == {"count": 2}
    assert (await api.call("GET", "/v2/messages/count?label=a")).json() == {"count": 1}


async def test_pages_of_messages_follow_one_another(api):
    published = [await api.published(Upstash_Delay=f"{n}h") for n in (1, 2, 3)]
    first = (await api.call("GET", "/v2/messages?count=2")).json()
    second = (await api.call("GET", f"/v2/messages?count=2&cursor={first['cursor']}")).json()
    assert [one["messageId"] for one in first["messages"] + second["messages"]] == published
    assert "cursor" not in second


@pytest.mark.parametrize("query", ["?state=DELIVERED", "?state=", "?lable=a", "?count=0", "?cursor=l1-1", "?order=x"])
async def test_what_means_nothing_to_the_list_is_refused(api, query):
    assert (await api.call("GET", f"/v2/messages{query}")).status_code == 400


async def test_a_delayed_message_goes_now_if_it_is_told_to(api, deliver):
    async with deliver(api.engine):
        message_id = await api.published(Upstash_Delay="1h")
        response = await api.call("POST", f"/v2/messages/{message_id}/retry")
        assert (response.status_code, response.json()) == (200, {"messageId": message_id})
        await api.observer.saw(EventKind.DELIVERED, 1)
        again = await api.call("POST", f"/v2/messages/{message_id}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "message_not_delayed")
    assert "hint" in again.json()
    log = (await api.call("GET", f"/v2/logs?messageId={message_id}&state=RETRY")).json()["logs"]
    assert [entry["nextDeliveryTime"] for entry in log] == [api.clock.now()]


async def test_an_unknown_message_cannot_go_now(api):
    assert (await api.call("POST", "/v2/messages/msg_none/retry")).status_code == 404


async def test_a_message_that_waits_for_its_queue_cannot_go_now(api):
    await api.call("POST", "/v2/queues", json={"queueName": "q", "paused": True})
    message_id = await api.published(Upstash_Queue_Name="q")
    response = await api.call("POST", f"/v2/messages/{message_id}/retry")
    assert response.status_code == 409
    assert "queue" in response.json()["error"]


async def test_the_log_is_shown_by_message(api):
    one, two = await api.published(), await api.published(Upstash_Label="a")
    page = (await api.call("GET", "/v2/logs?groupBy=message&count=1")).json()
    (shown,) = page["messages"]
    assert (shown["messageId"], shown["state"], shown["entries"]) == (two, "CREATED", 1)
    assert shown["firstTime"] == shown["lastTime"] == api.clock.now()
    rest = (await api.call("GET", f"/v2/logs?groupBy=message&cursor={page['cursor']}")).json()
    assert [shown["messageId"] for shown in rest["messages"]] == [one]


@pytest.mark.parametrize(
    "path", ["logs?groupBy=host", "logs?groupBy=message&order=earliestFirst", "events?groupBy=message"]
)
async def test_what_cannot_be_grouped_is_refused(api, path):
    assert (await api.call("GET", f"/v2/{path}")).status_code == 400


async def test_dead_letters_are_counted_and_clustered(api, deliver):
    await fail(api, deliver, 2)
    await fail(api, deliver, 1, Upstash_Label="a")
    found = (await api.call("GET", "/v2/dlq/clusters")).json()
    (cluster,) = found["clusters"]
    assert (cluster["responseStatus"], cluster["host"], cluster["count"]) == (500, "example.com", 3)
    assert (cluster["error"], found["total"]) == ("destination answered 500", 3)
    assert (await api.call("GET", "/v2/dlq/count?label=a")).json() == {"count": 1}
    assert (await api.call("GET", "/v2/dlq/count?host=x")).status_code == 400


class TestReplacing:
    async def retried(self, api, dlq_id, parts, content, **headers):
        named = {"outrider-replace": parts} | {name.replace("_", "-"): value for name, value in headers.items()}
        response = await api.call("POST", f"/v2/dlq/retry/{dlq_id}", content=content, headers=named)
        assert response.status_code == 200, response.text
        return await api.stored(response.json()["messageId"])

    async def test_a_body_takes_the_place_of_the_dead_letters(self, api, deliver):
        (dlq_id,) = await fail(api, deliver, Upstash_Forward_X="1", Content_Type="text/plain")
        message = await self.retried(api, dlq_id, "body", b'{"a":1}', content_type="application/json")
        assert message.body == b'{"a":1}'
        assert dict(message.options.headers) == {"Content-Type": "application/json", "X": "1"}
        assert await left(api) == []

    async def test_headers_take_the_place_of_all_it_had(self, api, deliver):
        (dlq_id,) = await fail(api, deliver, Upstash_Forward_X="1", Content_Type="text/plain")
        message = await self.retried(api, dlq_id, "headers", b"ignored", Upstash_Forward_Y="2")
        assert message.body == b"hi"
        assert dict(message.options.headers) == {"Y": "2"}

    async def test_both_may_and_options_override_as_ever(self, api, deliver):
        (dlq_id,) = await fail(api, deliver, Upstash_Forward_X="1", Upstash_Label="kept")
        message = await self.retried(api, dlq_id, "body, headers", b"", Upstash_Retries="9")
        assert (message.body, message.options.headers) == (b"", ())
        assert (message.options.retries, message.options.labels) == (9, ("kept",))

    async def test_another_part_is_refused_and_the_dead_letter_stays(self, api, deliver):
        (dlq_id,) = await fail(api, deliver)
        headers = {"outrider-replace": "url"}
        assert (await api.call("POST", f"/v2/dlq/retry/{dlq_id}", headers=headers)).status_code == 400
        assert await left(api) == [dlq_id]

    async def test_too_large_a_body_is_refused_and_the_dead_letter_stays(self, api, deliver):
        (dlq_id,) = await fail(api, deliver)
        body = b"x" * (api.engine.limits.body_bytes + 1)
        headers = {"outrider-replace": "body"}
        response = await api.call("POST", f"/v2/dlq/retry/{dlq_id}", headers=headers, content=body)
        assert response.status_code == 413
        assert await left(api) == [dlq_id]

from __future__ import annotations

import pytest

from outrider.domain.event import EventKind
from outrider.domain.limits import Limits

URL = "https://example.com/a"


async def shown(api, name="q"):
    return (await api.call("GET", f"/v2/queues/{name}")).json()


async def enqueue(api, queue="q", **more):
    return await api.call("POST", f"/v2/enqueue/{queue}/{URL}", **more)


async def test_a_queue_is_made_with_what_is_said_and_shown(api):
    now = api.clock.now()
    made = await api.call("POST", "/v2/queues", json={"queueName": "q", "parallelism": 3, "paused": True})
    assert (made.status_code, made.content) == (200, b"")
    expected = {"name": "q", "parallelism": 3, "createdAt": now, "updatedAt": now, "lag": 0, "paused": True}
    assert await shown(api) == expected
    assert (await api.call("GET", "/v2/queues")).json() == [expected]


async def test_what_is_not_said_of_a_queue_stays(api):
    await api.call("POST", "/v2/queues", json={"queueName": "q", "parallelism": 3, "paused": True})
    await api.call("POST", "/v2/queues", json={"queueName": "q", "parallelism": 5})
    assert ((await shown(api))["parallelism"], (await shown(api))["paused"]) == (5, True)
    await api.call("POST", "/v2/queues", json={"queueName": "q", "paused": False})
    assert ((await shown(api))["parallelism"], (await shown(api))["paused"]) == (5, False)


async def test_a_queue_tells_of_its_oldest_message(api):
    await api.call("POST", "/v2/queues", json={"queueName": "q", "paused": True})
    assert "oldest" not in await shown(api)
    first = (await enqueue(api)).json()["messageId"]
    published_at = api.clock.now()
    await api.clock.advance(5000)
    await enqueue(api)
    await enqueue(api, "other")
    oldest = {"messageId": first, "createdAt": published_at}
    assert (await shown(api))["oldest"] == oldest
    listed = {queue["name"]: queue["oldest"] for queue in (await api.call("GET", "/v2/queues")).json()}
    assert (listed["q"], listed["other"]["createdAt"]) == (oldest, published_at + 5000)


async def test_a_paused_queue_is_resumed(api):
    await api.call("POST", "/v2/queues", json={"queueName": "q"})
    assert (await api.call("POST", "/v2/queues/q/pause")).status_code == 200
    assert (await shown(api))["paused"] is True
    assert (await api.call("POST", "/v2/queues/q/resume")).status_code == 200
    assert (await shown(api))["paused"] is False


async def test_no_queues_are_an_empty_list(api):
    assert (await api.call("GET", "/v2/queues")).json() == []


async def test_an_unknown_queue_is_404_by_its_name(api):
    response = await api.call("GET", "/v2/queues/nobody")
    assert response.status_code == 404
    assert "nobody" in response.json()["error"]


async def test_a_queue_is_deleted_also_where_there_is_none(api):
    await api.call("POST", "/v2/queues", json={"queueName": "q"})
    assert (await api.call("DELETE", "/v2/queues/q")).status_code == 200
    assert (await api.call("GET", "/v2/queues")).json() == []
    assert (await api.call("DELETE", "/v2/queues/q")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/queues/a%2Fb"), ("DELETE", "/v2/queues/a%20b"), ("POST", f"/v2/enqueue/a%2Fb/{URL}")],
)
async def test_a_name_that_no_queue_can_have_is_refused(api, method, path):
    response = await api.call(method, path)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_name"


async def test_a_parallelism_that_no_queue_can_have_is_refused(api):
    response = await api.call("POST", "/v2/queues", json={"queueName": "q", "parallelism": 0})
    assert response.status_code == 400
    assert "parallelism 0" in response.json()["error"]
    assert (await api.call("GET", "/v2/queues")).json() == []


async def test_one_queue_more_than_allowed_is_refused(api_with):
    async with api_with(Limits(queues=1)) as api:
        await api.call("POST", "/v2/queues", json={"queueName": "q"})
        for response in (await api.call("POST", "/v2/queues", json={"queueName": "r"}), await enqueue(api, "r")):
            assert response.status_code == 400
            assert response.json()["code"].startswith("too_many")
        assert await api.stored_ids() == set()


async def test_enqueueing_makes_the_queue_and_puts_the_message_there(api):
    response = await enqueue(api, content=b"hi", headers={"upstash-retries": "7"})
    assert response.status_code == 200
    assert response.json() == {"messageId": response.json()["messageId"], "url": URL}
    message = await api.stored(response.json()["messageId"])
    assert (message.queue, message.url, message.body, message.options.retries) == ("q", URL, b"hi", 7)
    assert (await shown(api))["parallelism"] == 1


async def test_what_stands_in_line_is_the_queues_lag(api):
    await api.call("POST", "/v2/queues", json={"queueName": "q", "paused": True})
    for _ in range(3):
        await enqueue(api)
    assert (await shown(api))["lag"] == 3


async def test_the_destination_stands_raw_behind_the_queue(api):
    path = "/v2/enqueue/q/https://example.com//a/%2F?x=1&upstash-delay=5s&y=%20"
    response = await api.call("POST", path)
    message = await api.stored(response.json()["messageId"])
    assert message.url == "https://example.com//a/%2F?x=1&y=%20"
    assert message.options.delay_ms == 5000


async def test_a_message_published_to_a_queue_by_header_stands_in_it(api):
    message_id = await api.published(Upstash_Queue_Name="q")
    assert (await api.stored(message_id)).queue == "q"
    response = await enqueue(api, "r", headers={"upstash-queue-name": "q"})
    assert (await api.stored(response.json()["messageId"])).queue == "r"


async def test_a_delayed_callback_of_a_queued_message_is_refused(api):
    headers = {"upstash-callback": "https://example.com/cb", "upstash-callback-delay": "5s"}
    response = await enqueue(api, headers=headers)
    assert response.status_code == 400
    assert "Upstash-Callback-Delay" in response.json()["error"]


async def test_a_duplicate_is_enqueued_once(api):
    first = await enqueue(api, headers={"upstash-deduplication-id": "d"})
    again = await enqueue(api, headers={"upstash-deduplication-id": "d"})
    assert again.status_code == 202
    assert again.json() == {"messageId": first.json()["messageId"], "url": URL, "deduplicated": True}


async def test_messages_of_a_queue_are_delivered_in_order(api, deliver):
    for body in (b"1", b"2", b"3"):
        await enqueue(api, content=body)
    async with deliver(api.engine):
        await api.observer.saw(EventKind.DELIVERED, 3)
    assert [request.body for request in api.sender.requests] == [b"1", b"2", b"3"]

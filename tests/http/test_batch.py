from __future__ import annotations

import pytest

from outrider.domain.errors import Overloaded
from outrider.domain.limits import Limits

URL = "https://example.com/a"


async def test_items_are_answered_in_order(api):
    items = [
        {"destination": URL, "body": "one", "headers": {"Upstash-Retries": "1"}},
        {"destination": "https://example.com/b", "body": {"two": 2}},
    ]
    response = await api.call("POST", "/v2/batch", json=items)
    assert response.status_code == 200
    first, second = response.json()
    assert (first["url"], second["url"]) == (URL, "https://example.com/b")
    assert (await api.stored(first["messageId"])).options.retries == 1
    assert (await api.stored(first["messageId"])).caller_ip == "203.0.113.9"
    assert (await api.stored(second["messageId"])).body in (b'{"two":2}', b'{"two": 2}')


async def test_a_lone_object_counts_as_one(api):
    response = await api.call("POST", "/v2/batch", json={"destination": URL})
    assert [item["url"] for item in response.json()] == [URL]


async def test_a_malformed_item_refuses_the_whole_batch_by_its_index(api):
    items = [{"destination": URL}, {"destination": URL, "headers": {"Upstash-Delay": "5x"}}]
    response = await api.call("POST", "/v2/batch", json=items)
    assert response.status_code == 400
    assert "item 1" in response.json()["error"]
    assert await api.stored_ids() == set()


async def test_a_schedule_is_not_taken_for_an_item(api):
    items = [{"destination": URL}, {"destination": URL, "headers": {"Upstash-Cron": "* * * * *"}}]
    response = await api.call("POST", "/v2/batch", json=items)
    assert response.status_code == 400
    assert "item 1 of the batch: Upstash-Cron '* * * * *'" in response.json()["error"]
    assert await api.stored_ids() == set()


async def test_an_item_goes_through_the_queue_it_names(api):
    items = [
        {"destination": URL, "queue": "mail"},
        {"destination": URL, "headers": {"Upstash-Queue-Name": "post"}},
        {"destination": URL, "queue": "mail", "headers": {"Upstash-Queue-Name": "post"}},
    ]
    response = await api.call("POST", "/v2/batch", json=items)
    stored = [await api.stored(item["messageId"]) for item in response.json()]
    assert [message.queue for message in stored] == ["mail", "post", "mail"]


async def test_an_item_that_cannot_be_sent_is_answered_in_its_place(api):
    items = [{"destination": URL}, {"destination": "no-such-group"}, {"destination": URL}]
    response = await api.call("POST", "/v2/batch", json=items)
    assert response.status_code == 200
    first, refused, last = response.json()
    assert refused["code"] == "url_group_not_found"
    assert "no-such-group" in refused["error"]
    assert await api.stored_ids() == {first["messageId"], last["messageId"]}


async def test_duplicates_within_a_batch_are_told(api):
    item = {"destination": URL, "headers": {"Upstash-Deduplication-Id": "d1"}}
    first, second = (await api.call("POST", "/v2/batch", json=[item, item])).json()
    assert second == {"messageId": first["messageId"], "url": URL, "deduplicated": True}


async def test_a_schedule_in_a_batch_is_not_taken_for_a_message(api):
    items = [{"destination": URL}, {"destination": URL, "headers": {"Upstash-Cron": "* * * * *"}}]
    response = await api.call("POST", "/v2/batch", json=items)
    assert response.status_code == 400
    assert "item 1" in response.json()["error"]
    assert await api.stored_ids() == set()


@pytest.mark.parametrize("body", [b"", b"null", b"1", b"[", b'[{"destination":', b"[null]", b'["x"]', b"\xff"])
async def test_what_is_no_batch_is_refused(api, body):
    response = await api.call("POST", "/v2/batch", content=body)
    assert response.status_code == 400
    assert response.json()["error"]


async def test_an_empty_batch_is_answered_empty(api):
    response = await api.call("POST", "/v2/batch", content=b"[]")
    assert (response.status_code, response.json()) == (200, [])


async def test_a_batch_over_its_limit_is_413(api_with):
    async with api_with(Limits(batch_bytes=100)) as api:
        response = await api.call("POST", "/v2/batch", json=[{"destination": URL, "body": "x" * 100}])
        assert response.status_code == 413
        assert "the limit of 100 bytes" in response.json()["error"]


async def test_an_item_over_the_limit_of_a_body_refuses_the_batch(api_with):
    async with api_with(Limits(body_bytes=8)) as api:
        response = await api.call("POST", "/v2/batch", json=[{"destination": URL, "body": "123456789"}])
        assert response.status_code == 413
        assert "item 0" in response.json()["error"]


async def test_a_store_that_cannot_commit_refuses_the_whole_batch(api, monkeypatch):
    async def broken(*_args, **_kwargs):
        raise Overloaded("too much is waiting")

    monkeypatch.setattr(api.engine.store, "add", broken)
    response = await api.call("POST", "/v2/batch", json=[{"destination": URL}])
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")

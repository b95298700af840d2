from __future__ import annotations

import pytest

from outrider.domain.attempt import Refused, Response
from outrider.domain.event import EventKind


async def fail(api, deliver, times=1, **headers):
    """Publish messages that fail at once; their dead letters' ids, earliest first."""
    api.sender.outcome = Refused(Response(500, (("X-Why", "broken"),), b"sorry"), "destination answered 500")
    before = set(await left(api))
    failed_before = sum(event.kind is EventKind.FAILED for event in api.observer.seen)
    async with deliver(api.engine):
        for _ in range(times):
            await api.published(body=b"hi", Upstash_Retries="0", **headers)
        await api.observer.saw(EventKind.FAILED, failed_before + times)
    return [dlq_id for dlq_id in await left(api) if dlq_id not in before]


async def left(api):
    """The ids of all dead letters, page by page, earliest first."""
    ids: list[str] = []
    query = "order=earliestFirst"
    while query:
        page = (await api.call("GET", f"/v2/dlq?{query}")).json()
        ids += [letter["dlqId"] for letter in page["messages"]]
        query = f"order=earliestFirst&cursor={page['cursor']}" if "cursor" in page else ""
    return ids


async def test_a_dead_letter_is_a_message_with_the_last_response(api, deliver):
    (dlq_id,) = await fail(api, deliver)
    for shown in (
        (await api.call("GET", f"/v2/dlq/{dlq_id}")).json(),
        (await api.call("GET", "/v2/dlq")).json()["messages"][0],
    ):
        assert shown["dlqId"] == dlq_id
        assert (shown["url"], shown["body"], shown["maxRetries"]) == ("https://example.com/a", "hi", 0)
        assert (shown["responseStatus"], shown["responseBody"]) == (500, "sorry")
        assert shown["responseHeader"] == {"X-Why": ["broken"]}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "retry/")])
async def test_an_unknown_dead_letter_is_404(api, method, path):
    response = await api.call(method, f"/v2/dlq/{path}1-0")
    assert response.status_code == 404
    assert "1-0" in response.json()["error"]


@pytest.mark.parametrize(("method", "path", "action"), [("DELETE", "", "delete"), ("POST", "retry/", "retry")])
async def test_what_becomes_of_one_is_in_the_audit_log(api, deliver, method, path, action):
    (dlq_id,) = await fail(api, deliver)
    await api.call(method, f"/v2/dlq/{path}{dlq_id}")
    entry = (await api.call("GET", "/v2/audit")).json()["entries"][0]
    assert (entry["action"], entry["subject"]) == (f"dead_letter.{action}", dlq_id)


async def test_one_is_deleted_once(api, deliver):
    (dlq_id,) = await fail(api, deliver)
    assert (await api.call("DELETE", f"/v2/dlq/{dlq_id}")).status_code == 200
    assert (await api.call("DELETE", f"/v2/dlq/{dlq_id}")).status_code == 404


async def test_named_ones_are_deleted_and_unknown_ids_are_no_error(api, deliver):
    one, two, three = await fail(api, deliver, 3)
    response = await api.call("DELETE", "/v2/dlq", json={"dlqIds": [one, two, "1-0"]})
    assert (response.status_code, response.json()) == (200, {"deleted": 2})
    assert await left(api) == [three]


async def test_ids_may_stand_in_the_query(api, deliver):
    one, two, three = await fail(api, deliver, 3)
    assert (await api.call("DELETE", f"/v2/dlq?dlqIds={one}&dlqIds={two}")).json() == {"deleted": 2}
    assert await left(api) == [three]


async def test_those_of_a_host_are_listed_and_deleted_alone(api, deliver):
    (dlq_id,) = await fail(api, deliver)
    assert (await api.call("GET", "/v2/dlq?destinationHost=other.example")).json() == {"messages": []}
    assert (await api.call("DELETE", "/v2/dlq?destinationHost=other.example")).json() == {"deleted": 0}
    assert await left(api) == [dlq_id]
    assert (await api.call("DELETE", "/v2/dlq?destinationHost=example.com")).json() == {"deleted": 1}
    assert await left(api) == []


async def test_an_empty_list_of_ids_changes_nothing(api, deliver):
    await fail(api, deliver)
    assert (await api.call("DELETE", "/v2/dlq", json={"dlqIds": []})).json() == {"deleted": 0}
    retried = await api.call("POST", "/v2/dlq/retry", json={"dlqIds": []})
    assert (retried.status_code, retried.json()) == (201, {"responses": []})
    assert len(await left(api)) == 1


async def test_deleting_goes_on_by_cursor_while_more_remain(api, deliver):
    await fail(api, deliver, 3)
    first = (await api.call("DELETE", "/v2/dlq?count=2")).json()
    assert first["deleted"] == 2
    second = (await api.call("DELETE", f"/v2/dlq?count=2&cursor={first['cursor']}")).json()
    assert second == {"deleted": 1}


async def test_more_ids_than_a_page_are_deleted_all(api, deliver):
    ids = await fail(api, deliver, 105)
    assert len(set(ids)) == 105
    assert (await api.call("DELETE", "/v2/dlq", json={"dlqIds": ids})).json() == {"deleted": 105}


async def test_a_retried_one_leaves_and_becomes_a_new_message(api, deliver):
    (dlq_id,) = await fail(api, deliver)
    response = await api.call("POST", f"/v2/dlq/retry/{dlq_id}")
    assert response.status_code == 200
    message = await api.stored(response.json()["messageId"])
    assert (message.url, message.body, message.retried) == ("https://example.com/a", b"hi", 0)
    assert await left(api) == []
    assert (await api.call("POST", f"/v2/dlq/retry/{dlq_id}")).status_code == 404


async def test_headers_of_a_retry_override_the_options_it_had(api, deliver):
    (dlq_id,) = await fail(api, deliver, Upstash_Label="kept", Content_Type="text/x-kept")
    headers = {"upstash-retries": "9", "content-type": "application/json"}
    response = await api.call("POST", f"/v2/dlq/retry/{dlq_id}?upstash-timeout=7s", headers=headers)
    options = (await api.stored(response.json()["messageId"])).options
    assert (options.retries, options.timeout_ms, options.labels) == (9, 7000, ("kept",))
    assert dict(options.headers) == {"Content-Type": "text/x-kept"}


async def test_named_ones_are_retried_together(api, deliver):
    one, two, three = await fail(api, deliver, 3)
    response = await api.call("POST", f"/v2/dlq/retry?dlqIds={one},{two}")
    assert response.status_code == 201
    assert set(response.json()) == {"responses"}
    assert len({item["messageId"] for item in response.json()["responses"]}) == 2
    assert await left(api) == [three]


async def test_an_unknown_id_among_them_is_named_and_nothing_is_retried(api, deliver):
    (one,) = await fail(api, deliver)
    response = await api.call("POST", f"/v2/dlq/retry?dlqIds={one},1-0")
    assert response.status_code == 404
    assert "1-0" in response.json()["error"]
    assert await left(api) == [one]


async def test_filtered_ones_are_retried_page_by_page(api, deliver):
    await fail(api, deliver, 3, Upstash_Label="a")
    kept = await fail(api, deliver, 1, Upstash_Label="b")
    first = (await api.call("POST", "/v2/dlq/retry?label=a&count=2")).json()
    assert len(first["responses"]) == 2
    second = (await api.call("POST", f"/v2/dlq/retry?label=a&count=2&cursor={first['cursor']}")).json()
    assert len(second["responses"]) == 1
    assert "cursor" not in second
    assert await left(api) == kept


async def test_no_match_is_an_empty_list(api):
    response = await api.call("POST", "/v2/dlq/retry?label=none")
    assert (response.status_code, response.json()) == (201, {"responses": []})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v2/dlq", b"{}"),
        ("DELETE", "/v2/dlq", b'{"ids": []}'),
        ("DELETE", "/v2/dlq", b'{"dlqIds": ["1-0"], "label": "a"}'),
        ("DELETE", "/v2/dlq/", b""),
        ("DELETE", "/v2/dlq?lable=a", b""),
        ("DELETE", "/v2/dlq?host=example.com", b""),
        ("DELETE", "/v2/dlq?dlqIds=", b""),
        ("POST", "/v2/dlq/retry", b"{}"),
        ("POST", "/v2/dlq/retry/", b""),
        ("POST", "/v2/dlq/retry?lable=a", b""),
        ("POST", "/v2/dlq/retry?count=0", b""),
    ],
)
async def test_a_slip_never_turns_some_into_all(api, deliver, method, path, body):
    await fail(api, deliver)
    response = await api.call(method, path, content=body)
    assert response.status_code == 400, response.text
    assert len(await left(api)) == 1

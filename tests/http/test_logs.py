from __future__ import annotations

import base64


async def test_logs_carry_both_names_and_events_one(api):
    message_id = await api.published(body=b"hi")
    logs = (await api.call("GET", "/v2/logs")).json()
    events = (await api.call("GET", "/v2/events")).json()
    assert logs == {"logs": events["events"], **events}
    (entry,) = events["events"]
    assert (entry["messageId"], entry["state"]) == (message_id, "CREATED")
    assert base64.b64decode(entry["body"]) == b"hi"
    assert "cursor" not in logs


async def test_bodies_are_left_out_on_request(api):
    await api.published(body=b"hi")
    (entry,) = (await api.call("GET", "/v2/logs?trimBody=true")).json()["logs"]
    assert "body" not in entry


async def test_pages_follow_one_another_by_cursor(api):
    published = {await api.published() for _ in range(5)}
    seen: list[str] = []
    query = "count=2&order=earliestFirst"
    while query:
        page = (await api.call("GET", f"/v2/logs?{query}")).json()
        seen += [entry["messageId"] for entry in page["logs"]]
        cursor = page.get("cursor")
        assert cursor is None or (isinstance(cursor, str) and cursor)
        query = f"count=2&order=earliestFirst&cursor={cursor}" if cursor else ""
    assert len(seen) == 5
    assert set(seen) == published


async def test_filters_narrow_and_unknown_ones_are_refused(api):
    wanted = await api.published(Upstash_Label="a")
    await api.published(Upstash_Label="b")
    page = (await api.call("GET", "/v2/logs?label=a&state=CREATED")).json()
    assert [entry["messageId"] for entry in page["logs"]] == [wanted]
    refused = await api.call("GET", "/v2/logs?lable=a")
    assert refused.status_code == 400
    assert "lable" in refused.json()["error"]


async def test_a_foreign_cursor_is_refused(api):
    assert (await api.call("GET", "/v2/logs?cursor=bogus")).status_code == 400


async def test_the_token_may_stand_in_the_query_beside_filters(api):
    await api.published(Upstash_Label="a")
    response = await api.client.get(f"/v2/logs?label=a&qstash_token={api.read_token}")
    assert len(response.json()["logs"]) == 1

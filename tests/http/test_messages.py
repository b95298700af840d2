from __future__ import annotations

import pytest

from outrider.domain.tenant import Scope

CANCELED = "CANCELED"


async def state(api, message_id):
    return (await api.call("GET", f"/v2/messages/{message_id}")).json()["state"]


async def test_a_message_can_be_looked_at(api):
    message_id = await api.published("https://example.com/a?b=1", b"hi", Upstash_Label="one,two")
    shown = (await api.call("GET", f"/v2/messages/{message_id}")).json()
    assert shown["messageId"] == message_id
    assert shown["url"] == "https://example.com/a?b=1"
    assert (shown["method"], shown["maxRetries"], shown["body"]) == ("POST", 3, "hi")
    assert (shown["label"], shown["labels"]) == ("one", ["one", "two"])
    assert shown["callerIP"] == "203.0.113.9"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["msg_none", "%00", "%ff%fe", "a%2Fb", "msg_%F0%9F%92%A9"])
async def test_an_unknown_message_is_404(api, method, name):
    response = await api.call(method, f"/v2/messages/{name}")
    assert response.status_code == 404
    assert response.json()["code"] == "message_not_found"


async def test_a_cancelled_message_is_counted_once_and_then_gone(api):
    message_id = await api.published()
    response = await api.call("DELETE", f"/v2/messages/{message_id}")
    assert (response.status_code, response.json()) == (200, {"cancelled": 1})
    assert await state(api, message_id) == CANCELED
    assert (await api.call("DELETE", f"/v2/messages/{message_id}")).status_code == 404


async def test_another_tenants_message_does_not_exist(api):
    message_id = await api.published()
    await api.engine.directory.create_tenant("other")
    _, other = await api.engine.directory.create_token("other", Scope.FULL)
    headers = {"authorization": f"Bearer {other}"}
    assert (await api.call("GET", f"/v2/messages/{message_id}", headers=headers)).status_code == 404
    assert (await api.call("DELETE", f"/v2/messages/{message_id}", headers=headers)).status_code == 404
    assert (await api.call("DELETE", "/v2/messages", headers=headers)).json() == {"cancelled": 0}


async def test_named_messages_are_cancelled_each_once(api):
    one, two, three = [await api.published() for _ in range(3)]
    response = await api.call("DELETE", "/v2/messages", json={"messageIds": [one, two, one, "msg_none"]})
    assert response.json() == {"cancelled": 2}
    assert await state(api, three) != CANCELED


async def test_an_empty_list_of_ids_cancels_none(api):
    message_id = await api.published()
    response = await api.call("DELETE", "/v2/messages", json={"messageIds": []})
    assert (response.status_code, response.json()) == (200, {"cancelled": 0})
    assert await state(api, message_id) != CANCELED


async def test_neither_body_nor_query_cancels_all(api):
    for _ in range(3):
        await api.published()
    assert (await api.call("DELETE", "/v2/messages")).json() == {"cancelled": 3}


async def test_a_filter_in_the_query_narrows(api):
    kept = await api.published(Upstash_Label="a")
    await api.published(Upstash_Label="b")
    await api.published(Upstash_Label="c")
    response = await api.call("DELETE", "/v2/messages?label=b&label=c&host=example.com")
    assert response.json() == {"cancelled": 2}
    assert await state(api, kept) != CANCELED


async def test_ids_in_the_query_and_a_count_narrow(api):
    ids = [await api.published() for _ in range(3)]
    assert (await api.call("DELETE", f"/v2/messages?messageIds={ids[0]},{ids[1]}")).json() == {"cancelled": 2}
    await api.published()
    assert (await api.call("DELETE", "/v2/messages?count=1")).json() == {"cancelled": 1}


async def test_ids_in_the_body_are_narrowed_by_a_filter_in_the_query(api):
    one, two = await api.published(Upstash_Label="a"), await api.published(Upstash_Label="b")
    response = await api.call("DELETE", "/v2/messages?label=b", json={"messageIds": [one, two]})
    assert response.json() == {"cancelled": 1}
    assert await state(api, one) != CANCELED


async def test_more_messages_than_one_transaction_takes_are_cancelled_all(api):
    items = [{"destination": "https://example.com/a"}] * 700
    ids = [item["messageId"] for item in (await api.call("POST", "/v2/batch", json=items)).json()]
    response = await api.call("DELETE", "/v2/messages", json={"messageIds": ids})
    assert response.json() == {"cancelled": 700}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/messages", b"{}"),
        ("/v2/messages", b'{"messageIds": null}'),
        ("/v2/messages", b'{"ids": ["a"]}'),
        ("/v2/messages", b'{"messageIds": ["a"], "label": "b"}'),
        ("/v2/messages", b'{"messageIds": "a"}'),
        ("/v2/messages", b'{"messageIds": [1]}'),
        ("/v2/messages", b"[]"),
        ("/v2/messages", b"null"),
        ("/v2/messages", b"\xff"),
        ("/v2/messages", b"[" * 100_000),
        ("/v2/messages?label=a", b'{"labels": ["b"]}'),
        ("/v2/messages?messageIds=a", b'{"messageIds": ["b"]}'),
        ("/v2/messages/", b""),
        ("/v2/messages/?qstash_token=TOKEN", b""),
        ("/v2/messages?lable=a", b""),
        ("/v2/messages?label=", b""),
        ("/v2/messages?count=0", b""),
        ("/v2/messages?count=-1", b""),
        ("/v2/messages?messageIds=", b""),
        ("/v2/messages?label=%ff", b""),
    ],
)
async def test_a_slip_never_turns_some_into_all(api, path, body):
    message_id = await api.published()
    response = await api.call("DELETE", path.replace("TOKEN", api.token), content=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]
    assert await state(api, message_id) != CANCELED


async def test_a_slash_with_a_filter_behind_it_is_tolerated(api):
    await api.published(Upstash_Label="a")
    assert (await api.call("DELETE", "/v2/messages/?label=a")).json() == {"cancelled": 1}


async def test_a_slip_is_answered_with_its_remedy(api):
    response = await api.call("DELETE", "/v2/messages", content=b"{}")
    assert response.json()["code"] == "nothing_named"
    assert '{"messageIds": ["…"]}' in response.json()["hint"]
    response = await api.call("DELETE", "/v2/messages/")
    assert "slash" in response.json()["error"]

from __future__ import annotations

import pytest

from outrider.domain.limits import Limits

ONE = {"url": "https://one.example.com/a", "name": "one"}
TWO = {"url": "https://two.example.com/b"}

BASES = pytest.mark.parametrize("base", ["/v2/topics", "/v2/url-groups"])


async def add(api, *endpoints, group="g", base="/v2/topics"):
    return await api.call("POST", f"{base}/{group}/endpoints", json={"endpoints": endpoints})


async def remove(api, *endpoints, base="/v2/topics"):
    return await api.call("DELETE", f"{base}/g/endpoints", json={"endpoints": endpoints})


async def set_defaults(api, headers):
    return await api.call("PATCH", "/v2/topics/g", json={"headers": headers})


async def shown(api, base="/v2/topics"):
    return (await api.call("GET", f"{base}/g")).json()


@BASES
async def test_a_group_is_made_by_its_first_endpoints(api, base):
    now = api.clock.now()
    added = await add(api, ONE, TWO, base=base)
    assert (added.status_code, added.content) == (200, b"")
    expected = {"name": "g", "createdAt": now, "updatedAt": now, "endpoints": [ONE, TWO]}
    assert await shown(api, base) == expected
    assert (await api.call("GET", base)).json() == [expected]


@BASES
async def test_endpoints_are_removed_by_url_or_name_and_with_the_last_the_group(api, base):
    await add(api, ONE, TWO, base=base)
    assert (await remove(api, {"name": "one"}, {"name": "unknown"}, base=base)).status_code == 200
    assert (await shown(api, base))["endpoints"] == [TWO]
    await remove(api, {"url": TWO["url"]}, base=base)
    assert (await api.call("GET", f"{base}/g")).status_code == 404
    assert (await api.call("GET", base)).json() == []


async def test_an_endpoint_of_the_same_name_gets_the_new_url(api):
    await add(api, ONE)
    await add(api, {"url": "https://moved.example.com", "name": "one"})
    assert (await shown(api))["endpoints"] == [{"url": "https://moved.example.com", "name": "one"}]


async def test_a_group_is_deleted_also_where_there_is_none(api):
    await add(api, ONE)
    assert (await api.call("DELETE", "/v2/topics/g")).status_code == 200
    assert (await api.call("GET", "/v2/topics/g")).status_code == 404
    assert (await api.call("DELETE", "/v2/topics/g")).status_code == 200


async def test_an_unknown_group_is_404_by_its_name(api):
    response = await api.call("GET", "/v2/topics/nobody")
    assert response.status_code == 404
    assert "nobody" in response.json()["error"]


async def test_a_publish_to_a_group_is_a_message_for_each_endpoint(api):
    await add(api, ONE, TWO)
    response = await api.call("POST", "/v2/publish/g", content=b"hi")
    assert response.status_code == 200
    published = response.json()
    assert [one["url"] for one in published] == [ONE["url"], TWO["url"]]
    first, second = [await api.stored(one["messageId"]) for one in published]
    assert (first.group, first.endpoint, first.body) == ("g", "one", b"hi")
    assert (second.group, second.endpoint) == ("g", None)


async def test_a_publish_to_a_group_is_202_only_if_every_message_is_a_duplicate(api):
    await add(api, ONE)
    headers = {"upstash-deduplication-id": "d"}
    assert (await api.call("POST", "/v2/publish/g", headers=headers)).status_code == 200
    again = await api.call("POST", "/v2/publish/g", headers=headers)
    assert again.status_code == 202
    assert [one["deduplicated"] for one in again.json()] == [True]
    await add(api, TWO)
    assert (await api.call("POST", "/v2/publish/g", headers=headers)).status_code == 200


async def test_a_group_in_a_batch_is_answered_by_a_list_in_its_place(api):
    await add(api, ONE, TWO)
    items = [{"destination": ONE["url"]}, {"destination": "g"}, {"destination": "nobody"}]
    single, group, error = (await api.call("POST", "/v2/batch", json=items)).json()
    assert single["url"] == ONE["url"]
    assert [one["url"] for one in group] == [ONE["url"], TWO["url"]]
    assert error["code"] == "url_group_not_found"


async def test_a_group_is_enqueued_whole(api):
    await add(api, ONE, TWO)
    response = await api.call("POST", "/v2/enqueue/q/g")
    stored = [await api.stored(one["messageId"]) for one in response.json()]
    assert [message.queue for message in stored] == ["q", "q"]


async def test_default_options_lie_beneath_every_publish(api):
    await add(api, ONE)
    headers = {"Upstash-Retries": "7", "Upstash-Forward-X-A": ["1", "2"], "Upstash-Forward-X-B": "group"}
    assert (await set_defaults(api, headers)).status_code == 200
    assert (await shown(api))["headers"] == {
        "Upstash-Retries": ["7"],
        "Upstash-Forward-X-A": ["1", "2"],
        "Upstash-Forward-X-B": ["group"],
    }
    response = await api.call("POST", "/v2/publish/g?upstash-timeout=9s", headers={"upstash-forward-x-b": "request"})
    options = (await api.stored(response.json()[0]["messageId"])).options
    assert (options.retries, options.timeout_ms) == (7, 9000)
    assert sorted(options.headers) == [("X-A", "1"), ("X-A", "2"), ("X-B", "request")]


async def test_new_default_options_replace_the_old(api):
    await add(api, ONE)
    await set_defaults(api, {"Upstash-Retries": "7"})
    await set_defaults(api, {})
    assert "headers" not in await shown(api)
    response = await api.call("POST", "/v2/publish/g")
    assert (await api.stored(response.json()[0]["messageId"])).options.retries == 3


async def test_default_options_of_a_group_that_is_not_there_are_404(api):
    response = await set_defaults(api, {"Upstash-Retries": "7"})
    assert response.status_code == 404
    assert "'g'" in response.json()["error"]


async def test_a_default_that_breaks_its_rule_is_named_and_changes_nothing(api):
    await add(api, ONE)
    response = await set_defaults(api, {"Upstash-Delay": "5x"})
    assert response.status_code == 400
    assert "Upstash-Delay '5x'" in response.json()["error"]
    assert "headers" not in await shown(api)


async def test_what_the_defaults_redact_is_shown_nowhere(api):
    await add(api, ONE)
    await set_defaults(api, {"Upstash-Redact-Fields": "header", "Upstash-Forward-X-Key": "canary-value"})
    response = await api.call("POST", "/v2/publish/g")
    message_id = response.json()[0]["messageId"]
    for path in ("/v2/topics", "/v2/topics/g", f"/v2/messages/{message_id}", "/v2/logs"):
        answer = await api.call("GET", path)
        assert "REDACTED:" in answer.text
        assert "canary-value" not in answer.text


async def test_one_group_or_endpoint_more_than_allowed_is_refused(api_with):
    async with api_with(Limits(url_groups=1, endpoints_per_group=2)) as api:
        await add(api, ONE, TWO)
        for response in (await add(api, {"url": "https://three.example.com"}), await add(api, ONE, group="other")):
            assert response.status_code == 400
            assert response.json()["code"].startswith("too_many")
        assert (await shown(api))["endpoints"] == [ONE, TWO]
        assert (await add(api, {"url": TWO["url"], "name": "two"})).status_code == 200


async def test_an_endpoint_at_a_private_address_is_refused(api):
    response = await add(api, {"url": "http://10.0.0.1/"})
    assert response.status_code == 400
    assert response.json()["code"] == "destination_refused"


@pytest.mark.parametrize("group", ["a%2Fb", "a%20b", "%ff"])
@pytest.mark.parametrize(("method", "more"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/endpoints")])
async def test_a_name_that_no_group_can_have_is_refused(api, method, group, more):
    response = await api.call(method, f"/v2/topics/{group}{more}", json={"endpoints": [ONE], "headers": {}})
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_name"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"endpoints": [{}]}'])
async def test_a_removal_that_names_nothing_removes_nothing(api, body):
    await add(api, ONE)
    response = await api.call("DELETE", "/v2/topics/g/endpoints", content=body)
    assert response.status_code == 400
    assert (await shown(api))["endpoints"] == [ONE]

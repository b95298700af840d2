from __future__ import annotations

from urllib.parse import quote

import pytest

KEYS = ["plain", "a/b/c", "pause", "a/pause", "with space", "größe", "100%", "a+b", "resetRate/pin"]

VALUE = "parallelism=3, rate=5, period=1m"


def path_of(key, action=""):
    return f"/v2/flowControl/{quote(key, safe='/+')}{action}"


async def publish(api, key="k", value=VALUE):
    return await api.published(Upstash_Flow_Control_Key=key, Upstash_Flow_Control_Value=value)


async def shown(api, key="k"):
    response = await api.call("GET", path_of(key))
    assert response.status_code == 200, response.text
    return response.json()


async def act(api, action, key="k"):
    response = await api.call("POST", path_of(key, f"/{action}"))
    assert (response.status_code, response.content) == (200, b""), response.text


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_is_readable_right_after_the_publish_that_names_it(api, key):
    headers = {"upstash-flow-control-key": key.encode(), "upstash-flow-control-value": VALUE.encode()}
    response = await api.call("POST", "/v2/publish/https://example.com/a", headers=headers)
    assert response.status_code == 200
    told = await shown(api, key)
    assert (told["flowControlKey"], told["parallelismMax"], told["rateMax"], told["ratePeriod"]) == (key, 3, 5, 60)


async def test_a_key_is_shown_with_every_field(api):
    await publish(api)
    assert set(await shown(api)) == {
        "flowControlKey",
        "waitListSize",
        "parallelismMax",
        "parallelismCount",
        "rateMax",
        "rateCount",
        "ratePeriod",
        "ratePeriodStart",
        "isPaused",
        "isPinnedParallelism",
        "isPinnedRate",
    }


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("GET", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/pin?rate=1"),
        ("POST", "/unpin?rate=true"),
        ("POST", "/reset"),
        ("POST", "/resetRate"),
    ],
)
async def test_an_unknown_key_is_404_by_its_name(api, method, action):
    response = await api.call(method, path_of("no/body", action))
    assert response.status_code == 404
    assert "no/body" in response.json()["error"]


async def test_a_paused_key_makes_its_messages_wait(api):
    await publish(api)
    await act(api, "pause")
    await publish(api)
    told = await shown(api)
    assert (told["isPaused"], told["waitListSize"]) == (True, 1)
    await act(api, "resume")
    told = await shown(api)
    assert (told["isPaused"], told["waitListSize"]) == (False, 0)


async def test_a_pinned_limit_stays_whatever_messages_say(api):
    await publish(api)
    await act(api, "pin?parallelism=7")
    await publish(api, value="parallelism=1, rate=2, period=3")
    told = await shown(api)
    assert (told["parallelismMax"], told["rateMax"], told["ratePeriod"]) == (7, 2, 3)
    assert (told["isPinnedParallelism"], told["isPinnedRate"]) == (True, False)
    await act(api, "pin?rate=9&period=90")
    await act(api, "unpin?parallelism=true")
    told = await shown(api)
    assert (told["parallelismMax"], told["rateMax"], told["ratePeriod"]) == (7, 9, 90)
    assert (told["isPinnedParallelism"], told["isPinnedRate"]) == (False, True)
    await publish(api, value="parallelism=1, rate=2")
    told = await shown(api)
    assert (told["parallelismMax"], told["rateMax"], told["ratePeriod"]) == (1, 9, 90)


async def test_a_reset_undoes_what_was_done_by_hand(api):
    await publish(api)
    await act(api, "pause")
    await act(api, "pin?parallelism=7&rate=8")
    await act(api, "reset")
    told = await shown(api)
    assert (told["isPaused"], told["isPinnedParallelism"], told["isPinnedRate"]) == (False, False, False)


async def test_a_rate_that_is_reset_begins_a_period_now(api):
    await publish(api)
    await act(api, "resetRate")
    told = await shown(api)
    assert (told["rateCount"], told["ratePeriodStart"]) == (0, api.clock.now() // 1000)


@pytest.mark.parametrize("action", ["pin", "pin?rate=0", "pin?rate=", "unpin", "unpin?rate=perhaps", "pin?rates=1"])
async def test_a_slip_changes_nothing(api, action):
    await publish(api)
    before = await shown(api)
    assert (await api.call("POST", path_of("k", f"/{action}"))).status_code == 400
    assert await shown(api) == before


async def test_keys_are_found_by_what_they_contain(api):
    for key in ("mail/one", "mail/two", "sms"):
        await publish(api, key)

    async def found(query):
        return [told["flowControlKey"] for told in (await api.call("GET", f"/v2/flowControl{query}")).json()]

    assert await found("") == await found("?search=") == ["mail/one", "mail/two", "sms"]
    assert await found("?search=mail/") == ["mail/one", "mail/two"]
    assert await found("?search=none") == []
    assert (await api.call("GET", "/v2/flowControl?serch=mail")).status_code == 400


async def test_global_parallelism_is_what_the_server_has_and_uses(api):
    told = (await api.call("GET", "/v2/globalParallelism")).json()
    assert told == {"parallelismMax": 1000, "parallelismCount": 0}

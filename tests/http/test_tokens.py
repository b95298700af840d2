"""Tokens by the API, and the settings in force."""

import pytest

from outrider.domain.tenant import Scope

WANTED = {"name": "dashboard", "scope": "read"}


async def listed(api):
    return (await api.call("GET", "/v2/tokens")).json()["tokens"]


async def test_tokens_are_listed_without_themselves_and_with_their_last_use(api):
    full, read = sorted(await listed(api), key=lambda one: one["scope"])
    assert (full["current"], full["lastUsedAt"], full["hint"]) == (True, api.clock.now(), api.token[-4:])
    assert (read["current"], "lastUsedAt" in read) == (False, False)
    assert api.token not in str([full, read])


async def test_a_token_is_made_shown_once_and_works(api):
    made = (await api.call("POST", "/v2/tokens", json=WANTED)).json()
    secret = made.pop("token")
    assert made == {**WANTED, "id": made["id"], "hint": secret[-4:], "createdAt": api.clock.now(), "current": False}
    assert made in await listed(api)
    as_it = {"headers": {"authorization": f"Bearer {secret}"}}
    assert (await api.call("GET", "/v2/queues", **as_it)).status_code == 200
    assert (await api.call("POST", "/v2/queues", json={"queueName": "q"}, **as_it)).status_code == 403


async def test_a_token_is_revoked_at_once_here(api):
    made = (await api.call("POST", "/v2/tokens", json=WANTED)).json()
    as_it = {"headers": {"authorization": f"Bearer {made['token']}"}}
    assert (await api.call("GET", "/v2/queues", **as_it)).status_code == 200
    assert (await api.call("DELETE", f"/v2/tokens/{made['id']}")).status_code == 200
    assert (await api.call("GET", "/v2/queues", **as_it)).status_code == 401
    again = await api.call("DELETE", f"/v2/tokens/{made['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "token_not_found")


async def test_another_tenants_token_is_neither_seen_nor_revoked(api):
    await api.engine.directory.create_tenant("other")
    token, _ = await api.engine.directory.create_token("other", Scope.FULL)
    assert token.id not in str(await listed(api))
    assert (await api.call("DELETE", f"/v2/tokens/{token.id}")).status_code == 404


async def test_making_and_revoking_are_remembered_with_who_did_it(api):
    made = (await api.call("POST", "/v2/tokens", json=WANTED)).json()
    await api.call("DELETE", f"/v2/tokens/{made['id']}")
    (current,) = [one["id"] for one in await listed(api) if one["current"]]
    page = (await api.call("GET", "/v2/audit?count=2")).json()
    told = [(one["action"], one["subject"], one["actor"]) for one in page["entries"]]
    assert told == [("token.revoke", made["id"], current), ("token.create", f"{made['id']} (read)", current)]
    assert made["token"] not in str(page)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"scope":"all"}',
        b'{"scope":"read","name":"a\\nb"}',
        b'{"scope":"read","name":1}',
        b'{"scope":"read","other":1}',
        b'{"scope":"read","name":"' + b"a" * 101 + b'"}',
    ],
)
async def test_a_token_that_is_not_described_is_not_made(api, body):
    response = await api.call("POST", "/v2/tokens", content=body)
    assert (response.status_code, response.json()["code"]) == (400, "malformed")
    assert len(await listed(api)) == 2


async def test_settings_say_their_values_and_where_those_are_from(api):
    assert (await api.call("GET", "/v2/settings")).json() == {
        "settings": [
            {
                "name": "port",
                "value": "9000",
                "source": "flag",
                "sourceName": "--port",
                "help": "port to listen on",
            },
            {"name": "host", "value": "127.0.0.1", "source": "default", "help": "address to listen on"},
        ]
    }

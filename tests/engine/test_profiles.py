"""Destination profiles on their way into deliveries, and nowhere else."""

import pytest
from msgspec import json
from tests.engine.world import World

from outrider.domain.errors import NotFound, TooMany
from outrider.domain.event import EventKind
from outrider.domain.limits import Limits
from outrider.domain.options import CallbackPatch
from outrider.domain.query import LogQuery
from outrider.engine.cache import TRUSTED_MS
from outrider.engine.profiles import ProfileUnreadable

SECRET = (("X-Bypass", "c4nary"),)


async def put(world: World, host="a.example", headers=SECRET):
    await world.engine.profiles.put(world.tenant, host, headers)


def sent(call, name="X-Bypass"):
    return [value for key, value in call.headers if key == name]


async def test_deliveries_to_the_host_carry_the_headers_and_others_do_not(world):
    await put(world)
    for url in (
        "https://a.example/x",
        "https://b.example/x",
        "https://a.example:8443/x",
        "https://a.example.b.example",
    ):
        await world.publish(url)
    await world.rest()
    assert {call.url: sent(call) for call in world.destinations.calls} == {
        "https://a.example/x": ["c4nary"],
        "https://b.example/x": [],
        "https://a.example:8443/x": [],
        "https://a.example.b.example": [],
    }


async def test_callback_to_the_host_carries_them_and_its_body_does_not(world):
    await put(world)
    await put(world, "b.example", (("X-Other", "0ther"),))
    await world.publish("https://b.example/x", callback=CallbackPatch(url="https://a.example/callback"))
    await world.rest()
    (callback,) = world.destinations.calls_to("https://a.example/callback")
    assert sent(callback) == ["c4nary"]
    assert sent(callback, "X-Other") == []
    assert "X-Other" not in json.decode(callback.body)["sourceHeader"]
    assert b"0ther" not in callback.body


async def test_profile_wins_over_a_forwarded_header(world):
    await put(world)
    await world.publish("https://a.example/x", headers=(("x-bypass", "forwarded"), ("X-B", "1")))
    await world.rest()
    (call,) = world.destinations.calls
    assert [value for name, value in call.headers if name.lower() == "x-bypass"] == ["c4nary"]
    assert sent(call, "X-B") == ["1"]


async def test_profile_is_of_one_tenant(world):
    other, _ = await world.directory.create_tenant("other")
    await world.engine.profiles.put(other.id, "a.example", SECRET)
    await world.publish("https://a.example/x")
    await world.rest()
    assert sent(world.destinations.calls[0]) == []


async def test_retry_carries_what_the_profile_says_then(world):
    world.destinations.answer("https://a.example/x", 500, 200)
    await world.publish("https://a.example/x")
    await world.rest()
    await put(world)
    await world.clock.leap(60_000)
    assert [sent(call) for call in world.destinations.calls] == [[], ["c4nary"]]


async def test_change_by_another_process_is_in_force_within_a_second(world):
    elsewhere = world.new_engine("node_2").profiles
    elsewhere._box = world.engine.profiles._box
    await world.publish("https://a.example/x")
    await world.rest()
    await elsewhere.put(world.tenant, "a.example", SECRET)
    await world.clock.advance(TRUSTED_MS)
    await world.publish("https://a.example/x")
    await world.rest()
    await elsewhere.delete(world.tenant, "a.example")
    await world.clock.advance(TRUSTED_MS)
    await world.publish("https://a.example/x")
    await world.rest()
    assert [sent(call) for call in world.destinations.calls] == [[], ["c4nary"], []]


async def test_deleted_profile_is_carried_no_more(world):
    await put(world)
    await world.engine.profiles.delete(world.tenant, "a.example")
    await world.engine.profiles.delete(world.tenant, "a.example")
    await world.publish("https://a.example/x")
    await world.rest()
    assert sent(world.destinations.calls[0]) == []


async def test_tenant_without_profiles_costs_one_read_a_second(world, monkeypatch):
    reads = []
    list_profiles = world.store._store.list_profiles

    async def counted(tenant):
        reads.append(tenant)
        return await list_profiles(tenant)

    monkeypatch.setattr(world.store._store, "list_profiles", counted)
    for _ in range(5):
        await world.publish("https://a.example/x")
        await world.rest()
    assert reads == [world.tenant]


async def test_without_its_key_nothing_is_sent_to_the_host_and_others_are_served(world):
    await put(world)
    world.engine.profiles._box = world.new_engine("node_2").profiles._box
    message_id = await world.publish("https://a.example/x", retries=1)
    await world.publish("https://b.example/x")
    await world.rest()
    assert [call.url for call in world.destinations.calls] == ["https://b.example/x"]
    assert await world.log(message_id) == [EventKind.CREATED, EventKind.ACTIVE, EventKind.ERROR, EventKind.RETRY]
    entries = (await world.store.list_log(world.tenant, LogQuery(kinds=(EventKind.ERROR,)))).items
    assert "'a.example' does not open" in entries[0].event.error
    assert [facts["message_id"] for facts in world.witness.noted("secret_open_failed")] == [message_id]
    with pytest.raises(ProfileUnreadable, match=r"'a\.example'"):
        await world.engine.profiles.get(world.tenant, "a.example")
    await put(world)
    await world.clock.leap(60_000)
    assert sent(world.destinations.calls[-1]) == ["c4nary"]


async def test_sealed_row_does_not_open_for_another_host_or_tenant(world):
    await put(world)
    stored = await world.store.get_profile(world.tenant, "a.example")
    other, _ = await world.directory.create_tenant("other")
    for tenant, host in ((world.tenant, "b.example"), (other.id, "a.example")):
        await world.store.put_profile(tenant, host, stored.sealed, world.clock.now(), most=9)
        with pytest.raises(ProfileUnreadable):
            await world.engine.profiles.get(tenant, host)


async def test_profile_that_is_not_there_is_named(world):
    with pytest.raises(NotFound, match=r"'a\.example'"):
        await world.engine.profiles.get(world.tenant, "a.example")


async def test_profiles_are_limited(make_world):
    world = await make_world(Limits(profiles=1))
    await put(world)
    with pytest.raises(TooMany):
        await put(world, "b.example")

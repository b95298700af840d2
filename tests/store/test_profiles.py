"""The contract of every Store: destination profiles."""

import pytest
from tests.factories import NOW, TENANT
from tests.store.conftest import OTHER_TENANT

from outrider.domain.errors import NotFound, TooMany
from outrider.ports import SealedProfile

SEALED = bytes(range(256))


async def put(store, host="a.example", sealed=SEALED, *, now=NOW, tenant=TENANT, most=9):
    await store.put_profile(tenant, host, sealed, now, most=most)


async def test_profile_is_read_as_it_was_stored(store):
    await put(store)
    assert await store.get_profile(TENANT, "a.example") == SealedProfile("a.example", SEALED, NOW)
    assert await store.get_profile(TENANT, "b.example") is None


async def test_second_put_replaces_the_first(store):
    await put(store)
    await put(store, sealed=b"other", now=NOW + 1)
    assert await store.list_profiles(TENANT) == [SealedProfile("a.example", b"other", NOW + 1)]


async def test_profiles_are_listed_by_host(store):
    for host in ("b.example", "*.example", "a.example:8443"):
        await put(store, host)
    assert [found.host for found in await store.list_profiles(TENANT)] == ["*.example", "a.example:8443", "b.example"]


async def test_deleted_profile_is_gone(store):
    await put(store)
    assert await store.delete_profile(TENANT, "a.example")
    assert not await store.delete_profile(TENANT, "a.example")
    assert await store.get_profile(TENANT, "a.example") is None


async def test_new_profile_over_the_limit_is_refused_and_others_can_be_replaced(store):
    await put(store, "a.example", most=1)
    with pytest.raises(TooMany, match="limit of 1 destination profiles"):
        await put(store, "b.example", most=1)
    await put(store, "a.example", b"other", most=1)
    await put(store, "b.example", tenant=OTHER_TENANT, most=1)
    assert [found.sealed for found in await store.list_profiles(TENANT)] == [b"other"]


async def test_profiles_belong_to_their_tenant_and_go_with_it(store):
    await put(store)
    assert await store.get_profile(OTHER_TENANT, "a.example") is None
    assert await store.list_profiles(OTHER_TENANT) == []
    assert not await store.delete_profile(OTHER_TENANT, "a.example")
    await store.remove_tenant(TENANT)
    assert await store.list_profiles(TENANT) == []


async def test_profile_of_an_unknown_tenant_is_refused(store):
    with pytest.raises(NotFound, match="tenant"):
        await put(store, tenant="ten_nobody")

"""The contract of every Store: tenants, tokens and keys."""

import asyncio

import pytest
from msgspec import structs
from tests.factories import (
    NOW,
    TENANT,
    make_deduplicated,
    make_keys,
    make_leased,
    make_message,
    make_settlement,
    make_tenant,
    make_token,
    refused,
)
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import dead_letters, entries

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.tenant import Scope
from outrider.ports import SealedKeys, SignInLink, Stored


async def test_tenants_are_listed_oldest_first(store):
    for tenant in await store.list_tenants():
        await store.remove_tenant(tenant.id)
    late, early = make_tenant(created_at=NOW + 2), make_tenant(created_at=NOW + 1)
    for tenant in (late, early):
        await store.add_tenant(tenant, make_keys())
    assert await store.list_tenants() == [early, late]


async def test_name_is_unique(store):
    tenant, keys = make_tenant(), make_keys()
    await store.add_tenant(tenant, keys)
    namesake = make_tenant(name=tenant.name)
    with pytest.raises(Malformed, match=tenant.name):
        await store.add_tenant(namesake, make_keys())
    assert namesake not in await store.list_tenants()
    assert await store.get_keys(namesake.id) is None
    assert await store.get_keys(tenant.id) == keys


async def test_keys_are_replaced_only_if_they_are_those_that_are_known(store):
    first, second, third = make_keys(), make_keys(), make_keys()
    tenant = make_tenant()
    await store.add_tenant(tenant, first)
    assert await store.replace_keys(tenant.id, first, second)
    assert not await store.replace_keys(tenant.id, first, third)
    assert not await store.replace_keys(tenant.id, SealedKeys(second.current, first.next), third)
    assert await store.get_keys(tenant.id) == second
    assert not await store.replace_keys("ten_unknown", first, second)
    assert await store.get_keys("ten_unknown") is None


async def test_standard_webhooks_are_a_default_of_the_tenant_that_outlives_a_rotation(store):
    before, after = await store.get_keys(TENANT), make_keys()
    assert await store.set_standard_webhooks(TENANT, on=True)
    assert await store.get_keys(TENANT) == structs.replace(before, standard_webhooks=True)
    assert await store.replace_keys(TENANT, before, after)
    assert await store.get_keys(TENANT) == structs.replace(after, standard_webhooks=True)
    assert (await store.get_keys(OTHER_TENANT)).standard_webhooks is False
    assert await store.set_standard_webhooks(TENANT, on=False)
    assert await store.get_keys(TENANT) == after
    assert not await store.set_standard_webhooks("ten_unknown", on=True)


async def test_token_is_found_by_its_hash(store):
    token = make_token(scope=Scope.READ)
    await store.add_token(token)
    assert await store.find_token(token.hash) == token
    assert await store.find_token("other") is None


async def test_same_hash_is_not_stored_twice(store):
    token = make_token()
    await store.add_token(token)
    with pytest.raises(Malformed):
        await store.add_token(make_token(hash=token.hash, tenant=OTHER_TENANT))
    assert await store.list_tokens(OTHER_TENANT) == []


async def test_tokens_are_listed_oldest_first_and_by_tenant(store):
    late, early = make_token(created_at=NOW + 1), make_token(created_at=NOW)
    for token in (late, early, make_token(tenant=OTHER_TENANT)):
        await store.add_token(token)
    assert await store.list_tokens(TENANT) == [early, late]


async def test_the_latest_use_of_a_token_counts(store):
    token, other = make_token(), make_token()
    for one in (token, other):
        await store.add_token(one)
    await store.note_uses([(token.id, NOW + 2), ("tok_gone", NOW)])
    await store.note_uses([(token.id, NOW + 1)])
    assert await store.find_token(token.hash) == structs.replace(token, last_used_at=NOW + 2)
    assert await store.find_token(other.hash) == other


async def test_link_is_used_once_by_one_of_many(store):
    token = make_token(scope=Scope.READ)
    await store.add_token(token)
    await store.add_link(SignInLink("a", token.id, NOW + 10), NOW)
    used = await asyncio.gather(*(store.use_link("a", NOW + 9) for _ in range(5)))
    assert sorted(used, key=lambda one: one is None) == [token, None, None, None, None]
    assert await store.use_link("other", NOW) is None


async def test_link_expires_and_goes_with_its_token(store):
    token, revoked = make_token(), make_token()
    for one in (token, revoked):
        await store.add_token(one)
    for link in (SignInLink("a", token.id, NOW + 10), SignInLink("b", revoked.id, None)):
        await store.add_link(link, NOW)
    assert await store.use_link("a", NOW + 10) is None
    await store.revoke_token(TENANT, revoked.id)
    assert await store.use_link("b", NOW) is None
    with pytest.raises(NotFound, match=revoked.id):
        await store.add_link(SignInLink("c", revoked.id, None), NOW)


async def test_link_without_an_end_replaces_the_one_before(store):
    token = make_token()
    await store.add_token(token)
    for name, expires_at in (("first", None), ("bounded", NOW + 10), ("second", None)):
        await store.add_link(SignInLink(name, token.id, expires_at), NOW)
    assert await store.use_link("first", NOW) is None
    assert await store.use_link("bounded", NOW) == token
    assert await store.use_link("second", NOW + 10**12) == token


async def test_revoked_token_is_gone(store):
    token = make_token()
    await store.add_token(token)
    assert not await store.revoke_token(OTHER_TENANT, token.id)
    assert await store.revoke_token(TENANT, token.id)
    assert not await store.revoke_token(TENANT, token.id)
    assert await store.find_token(token.hash) is None


async def test_unknown_tenant_gets_neither_token_nor_keys_nor_messages(store):
    with pytest.raises(NotFound, match="ten_unknown"):
        await store.add_token(make_token(tenant="ten_unknown"))
    with pytest.raises(NotFound, match="tenant"):
        await store.add([make_message(tenant="ten_unknown")], NOW)


async def test_removed_tenant_leaves_nothing_behind(store):
    dead, message, kept = make_leased(retries=0), make_deduplicated("k", body=b"x" * 5000), make_message(tenant="ten_2")
    token = make_token()
    await store.add_token(token)
    await store.add([dead, message, kept], NOW)
    await store.apply([make_settlement(dead, refused())], NOW)
    await store.remove_tenant(TENANT)
    assert [tenant.id for tenant in await store.list_tenants()] == [OTHER_TENANT]
    assert await store.find_token(token.hash) is None
    assert await store.get_keys(TENANT) is None
    assert await store.get_message(TENANT, message.id) is None
    assert await entries(store) == []
    assert await dead_letters(store) == []
    assert [entry.message for entry in await entries(store, tenant=OTHER_TENANT)] == [kept]
    await store.add_tenant(make_tenant(id=TENANT), make_keys())
    again = make_deduplicated("k")
    assert await store.add([again], NOW) == [Stored(again)]


async def test_removing_an_unknown_tenant_is_no_error(store):
    await store.remove_tenant("ten_unknown")
    assert len(await store.list_tenants()) == 2

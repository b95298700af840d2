"""Tenants, tokens and keys, and how soon a change is in force."""

import pytest

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.tenant import Scope
from outrider.engine.cache import TRUSTED_MS
from outrider.engine.directory import Directory


async def test_token_is_stored_only_as_its_hash(world):
    token, secret = await world.directory.create_token("acme", Scope.READ, "dashboard")
    assert secret not in repr(token)
    assert token.hint == secret[-4:]
    principal = await world.directory.principal(secret)
    assert (principal.tenant, principal.scope) == (world.tenant, Scope.READ)


async def test_unknown_token_is_nobody(world):
    assert await world.directory.principal("otr_guess") is None


async def test_barred_token_is_nobody_though_it_is_stored(world):
    _, secret = await world.directory.create_token("acme", Scope.FULL)
    barring = Directory(world.store, world.clock, barred_tokens=frozenset({secret}))
    assert await barring.principal(secret) is None


async def test_revocation_by_another_process_is_in_force_within_a_second(world):
    token, secret = await world.directory.create_token("acme", Scope.FULL)
    assert await world.directory.principal(secret)
    elsewhere = Directory(world.store, world.clock)
    await elsewhere.revoke_token("acme", token.id)
    await world.clock.advance(TRUSTED_MS)
    assert await world.directory.principal(secret) is None


async def test_standard_webhooks_set_by_another_process_are_in_force_within_a_second(world):
    assert not (await world.directory.keys(world.tenant)).standard_webhooks
    elsewhere = Directory(world.store, world.clock)
    await elsewhere.set_standard_webhooks("acme", on=True)
    await world.clock.advance(TRUSTED_MS)
    assert (await world.directory.keys(world.tenant)).standard_webhooks
    await world.directory.set_standard_webhooks("acme", on=False)
    assert not (await world.directory.keys(world.tenant)).standard_webhooks


async def test_rotation_makes_next_current(world):
    rotated = await world.directory.rotate_keys(world.tenant)
    assert rotated.current == world.keys.next
    assert rotated.next not in (world.keys.current, world.keys.next)
    assert await world.directory.keys(world.tenant) == rotated


async def test_names_that_do_not_exist_are_named(world):
    for call in (
        world.directory.create_token("nobody", Scope.FULL),
        world.directory.remove_tenant("nobody"),
        world.directory.list_tokens("nobody"),
    ):
        with pytest.raises(NotFound, match="'nobody'"):
            await call
    with pytest.raises(NotFound, match="'tok_0'"):
        await world.directory.revoke_token("acme", "tok_0")
    with pytest.raises(Malformed, match="acme"):
        await world.directory.create_tenant("acme")


async def test_removed_tenant_has_no_tokens(world):
    _, secret = await world.directory.create_token("acme", Scope.FULL)
    await world.directory.principal(secret)
    await world.directory.remove_tenant("acme")
    assert await world.directory.principal(secret) is None
    assert await world.directory.list_tenants() == []


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "a\n"])
async def test_name_that_breaks_its_rule_makes_no_tenant(world, name):
    with pytest.raises(Malformed, match="letters"):
        await world.directory.create_tenant(name)

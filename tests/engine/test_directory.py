"""Tenants, tokens and keys, and how soon a change is in force."""

import asyncio

import pytest
from tests.factories import BOX

from outrider.domain.errors import Malformed, NotFound, StoreUnavailable
from outrider.domain.instant import MINUTE_MS
from outrider.domain.tenant import Scope
from outrider.engine.cache import TRUSTED_MS
from outrider.engine.directory import Directory
from outrider.engine.signing_keys import KeysUnreadable, seal_plain_keys
from outrider.ports import SealedKeys
from outrider.sealing import SealedBox, SecretKey


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
    barring = Directory(world.store, world.clock, BOX, barred_tokens=frozenset({secret}))
    assert await barring.principal(secret) is None


async def test_revocation_by_another_process_is_in_force_within_a_second(world):
    token, secret = await world.directory.create_token("acme", Scope.FULL)
    assert await world.directory.principal(secret)
    elsewhere = Directory(world.store, world.clock, BOX)
    await elsewhere.revoke_token("acme", token.id)
    await world.clock.advance(TRUSTED_MS)
    assert await world.directory.principal(secret) is None


async def test_standard_webhooks_set_by_another_process_are_in_force_within_a_second(world):
    assert not (await world.directory.keys(world.tenant)).standard_webhooks
    elsewhere = Directory(world.store, world.clock, BOX)
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


async def test_rotations_at_once_both_happen(world):
    others = [Directory(world.store, world.clock, BOX) for _ in range(2)]
    first, second = await asyncio.gather(*(one.rotate_keys(world.tenant) for one in others))
    earlier, later = (first, second) if first.current == world.keys.next else (second, first)
    assert earlier.current == world.keys.next
    assert later.current == earlier.next
    assert await Directory(world.store, world.clock, BOX).keys(world.tenant) == later


async def test_keys_are_stored_sealed_each_for_its_tenant(world):
    stored = await world.store.get_keys(world.tenant)
    assert world.keys.current not in repr(stored)
    assert world.keys.next not in repr(stored)
    other, _ = await world.directory.create_tenant("other")
    assert await world.store.replace_keys(other.id, await world.store.get_keys(other.id), stored)
    with pytest.raises(KeysUnreadable):
        await world.directory.keys(other.id)


async def test_keys_under_a_lost_secret_key_are_named_and_rotation_makes_both_anew(world):
    await world.directory.set_standard_webhooks("acme", on=True)
    later = Directory(world.store, world.clock, SealedBox(SecretKey.fresh()))
    with pytest.raises(KeysUnreadable) as refused:
        await later.keys(world.tenant)
    assert "/v2/keys/rotate" in refused.value.hint
    rotated = await later.rotate_keys(world.tenant)
    assert {rotated.current, rotated.next}.isdisjoint({world.keys.current, world.keys.next})
    assert rotated.standard_webhooks
    assert await later.keys(world.tenant) == rotated


async def test_keys_of_an_earlier_schema_are_sealed_once_whoever_does_it(world):
    plain = SealedKeys("sig_a", "sig_b")
    assert await world.store.replace_keys(world.tenant, await world.store.get_keys(world.tenant), plain)
    await world.store.set_standard_webhooks(world.tenant, on=True)
    with pytest.raises(KeysUnreadable):
        await Directory(world.store, world.clock, BOX).keys(world.tenant)
    assert sum(await asyncio.gather(*(seal_plain_keys(world.store, BOX) for _ in range(3)))) == 1
    stored = await world.store.get_keys(world.tenant)
    assert "sig_" not in repr(stored)
    keys = await Directory(world.store, world.clock, BOX).keys(world.tenant)
    assert (keys.current, keys.next, keys.standard_webhooks) == ("sig_a", "sig_b", True)
    assert await seal_plain_keys(world.store, BOX) == 0
    assert await world.store.get_keys(world.tenant) == stored


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


async def test_use_of_a_token_is_stored_within_a_minute_and_shown_before(world):
    token, secret = await world.directory.create_token("acme", Scope.FULL)
    used_at = world.clock.now()
    assert await world.engine.directory.principal(secret)
    shown = {one.id: one.last_used_at for one in await world.engine.directory.list_tokens("acme")}
    assert shown == {token.id: used_at}
    assert (await world.store.find_token(token.hash)).last_used_at is None
    await world.clock.advance(MINUTE_MS)
    assert (await world.store.find_token(token.hash)).last_used_at == used_at


async def test_use_of_a_token_is_stored_at_the_end(world):
    token, secret = await world.directory.create_token("acme", Scope.FULL)
    assert await world.engine.directory.principal(secret)
    await world.stop()
    assert (await world.store.find_token(token.hash)).last_used_at == world.clock.now()


async def test_use_that_could_not_be_stored_is_stored_later(world):
    token, secret = await world.directory.create_token("acme", Scope.FULL)
    used_at = world.clock.now()
    assert await world.engine.directory.principal(secret)
    world.store.reachable = False
    with pytest.raises(StoreUnavailable):
        await world.engine.directory.write_uses()
    world.store.reachable = True
    await world.engine.directory.write_uses()
    assert (await world.store.find_token(token.hash)).last_used_at == used_at

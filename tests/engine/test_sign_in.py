"""Sessions, and links that begin one."""

import pytest
from tests.factories import BOX, NOW

from outrider.domain.tenant import Scope
from outrider.engine.directory import Directory
from outrider.engine.sessions import IDLE_MS, LONGEST_MS, RENEW_AFTER_MS, Sessions
from outrider.engine.sign_in_links import CONSOLE_TOKEN, VALID_MS, SignInLinks
from outrider.sealing import SealedBox, SecretKey
from outrider.testing import ManualClock


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def sessions(clock):
    return Sessions(BOX, clock)


def test_a_session_opens_wherever_the_key_is(sessions, clock):
    session = sessions.begin("ab", is_secure=True)
    sealed = sessions.seal(session)
    assert Sessions(BOX, clock).open(sealed) == session
    assert Sessions(SealedBox(SecretKey.fresh()), clock).open(sealed) is None
    assert "ab" not in sealed


@pytest.mark.parametrize("sealed", ["", "x", "é", "AAAA", "====", "A" * 5000])
def test_what_we_did_not_seal_is_no_session(sessions, sealed):
    assert sessions.open(sealed) is None


def test_what_was_sealed_for_another_place_is_no_session(sessions):
    sealed = Sessions.seal(sessions, sessions.begin("ab", is_secure=False))
    changed = sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB")
    assert sessions.open(changed) is None


async def test_a_session_ends_without_use(sessions, clock):
    sealed = sessions.seal(sessions.begin("ab", is_secure=False))
    await clock.advance(IDLE_MS - 1)
    assert sessions.open(sealed)
    await clock.advance(1)
    assert sessions.open(sealed) is None


async def test_a_session_that_is_used_lasts_a_week(sessions, clock):
    session = sessions.begin("ab", is_secure=False)
    assert sessions.renew(session) is None
    while clock.now() < NOW + LONGEST_MS - IDLE_MS:
        await clock.advance(IDLE_MS // 2)
        session = sessions.renew(session)
        assert session.expires_at == min(clock.now() + IDLE_MS, NOW + LONGEST_MS)
    await clock.advance(RENEW_AFTER_MS)
    assert sessions.renew(session) is None
    await clock.advance(IDLE_MS)
    assert sessions.open(sessions.seal(session)) is None


async def test_a_link_is_for_a_token_that_nobody_knows_and_works_once(world):
    links = SignInLinks(world.store, world.clock, world.directory)
    (tenant,) = await world.directory.list_tenants()
    code = await links.create(tenant, Scope.READ)
    elsewhere = SignInLinks(world.store, world.clock, Directory(world.store, world.clock, None))
    token = await elsewhere.use(code)
    assert (token.name, token.scope, token.tenant) == (CONSOLE_TOKEN, Scope.READ, world.tenant)
    assert await links.use(code) is None


async def test_links_of_a_scope_share_a_token(world):
    links = SignInLinks(world.store, world.clock, world.directory)
    (tenant,) = await world.directory.list_tenants()
    for scope in (Scope.READ, Scope.FULL, Scope.READ):
        await links.create(tenant, scope)
    scopes = sorted(token.scope for token in await world.directory.list_tokens("acme"))
    assert scopes == [Scope.FULL, Scope.READ]


async def test_a_link_expires(world):
    links = SignInLinks(world.store, world.clock, world.directory)
    (tenant,) = await world.directory.list_tenants()
    code = await links.create(tenant, Scope.FULL)
    await world.clock.advance(VALID_MS)
    assert await links.use(code) is None

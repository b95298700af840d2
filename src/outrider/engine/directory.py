"""Who is calling, and what signs for them.

Tokens and keys are read from the store and trusted for a second, so that a change made by
another process (the command line, another node) is in force within that time.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import structs

from outrider.domain.audit import SERVER, Actor, AuditEntry
from outrider.domain.errors import Malformed, NotFound, Unavailable
from outrider.domain.instant import Instant
from outrider.domain.message import new_id
from outrider.domain.tenant import (
    Principal,
    Scope,
    SigningKeys,
    Tenant,
    Token,
    hash_token,
    new_signing_key,
    new_token,
)
from outrider.engine.audit import entry_of
from outrider.engine.cache import Cache
from outrider.engine.signing_keys import KeysUnreadable, open_keys, seal_keys
from outrider.ports import Clock, SealedKeys, TenantStore
from outrider.sealing import SealedBox

_TENANT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


KEYS_ROTATED = "keys.rotate"
"""What the audit log calls a rotation."""


class Directory:
    """Tenants, their tokens and their signing keys."""

    def __init__(
        self,
        store: TenantStore,
        clock: Clock,
        box: SealedBox | None,
        *,
        barred_tokens: frozenset[str] = frozenset(),
        actor: Actor = SERVER,
    ) -> None:
        """Look after the tenants of the store.

        `box` seals and opens signing keys; None for who neither makes nor reads any. `barred_tokens` are never
        accepted, whatever the store says (the public development tokens). `actor` is who changes something, where
        nobody else is named.
        """
        self._actor = actor
        self._store = store
        self._clock = clock
        self._sealed_box = box
        self._barred = frozenset(hash_token(token) for token in barred_tokens)
        self._principals: Cache[str, Principal] = Cache()
        self._keys: Cache[str, SigningKeys] = Cache()
        self._uses: dict[str, Instant] = {}

    async def principal(self, token: str) -> Principal | None:
        """Who holds the token; None for one that nobody holds."""
        return await self.principal_of(hash_token(token))

    async def principal_of(self, token_hash: str) -> Principal | None:
        """The same, by what is stored of the token."""
        now = self._clock.now()
        known = self._principals.get(token_hash, now)
        if known is not None:
            return known
        stored = None if token_hash in self._barred else await self._store.find_token(token_hash)
        if stored is None:
            return None
        principal = Principal(stored.tenant, stored.scope, Actor(stored.id, stored.hint))
        self._principals.put(token_hash, principal, now)
        # A token in use comes by here once a second, so that to remember this costs its other requests nothing.
        self._uses[stored.id] = now
        return principal

    async def find_token(self, token_hash: str) -> Token | None:
        """The token itself, as `principal_of`."""
        return None if await self.principal_of(token_hash) is None else await self._store.find_token(token_hash)

    async def write_uses(self) -> None:
        """Store when tokens were used since the last time. Raises Unavailable, and then remembers them on."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._store.note_uses(list(uses.items()))
        except Unavailable:
            self._uses = uses | self._uses
            raise

    async def keys(self, tenant_id: str) -> SigningKeys:
        """The tenant's signing keys. Raises NotFound for a tenant that is gone, and KeysUnreadable."""
        now = self._clock.now()
        keys = self._keys.get(tenant_id, now)
        if keys is None:
            keys = open_keys(self._box, tenant_id, await self._stored_keys(tenant_id))
            self._keys.put(tenant_id, keys, now)
        return keys

    async def rotate_keys(self, tenant_id: str, by: Actor | None = None) -> SigningKeys:
        """`next` becomes `current`, a fresh key becomes `next`; deliveries use them from here on.

        Keys that do not open are both replaced by fresh ones.
        """

        def change(before: SealedKeys) -> SigningKeys:
            try:
                return open_keys(self._box, tenant_id, before).rotated(new_signing_key())
            except KeysUnreadable:
                return SigningKeys(new_signing_key(), new_signing_key(), before.standard_webhooks)

        return await self._change_keys(tenant_id, change, self._entry(tenant_id, KEYS_ROTATED, "", by))

    async def set_keys(self, tenant_id: str, current: str, following: str) -> SigningKeys:
        """Give a tenant keys that are known elsewhere (those of development)."""
        return await self._change_keys(
            tenant_id, lambda before: SigningKeys(current, following, before.standard_webhooks)
        )

    async def _change_keys(
        self, tenant_id: str, change: Callable[[SealedKeys], SigningKeys], audit: AuditEntry | None = None
    ) -> SigningKeys:
        """Replace the keys by what `change` makes of those that are stored, or that others have stored meanwhile."""
        while True:
            before = await self._stored_keys(tenant_id)
            keys = change(before)
            if await self._store.replace_keys(tenant_id, before, seal_keys(self._box, tenant_id, keys), audit):
                self._keys.put(tenant_id, keys, self._clock.now())
                return keys

    async def signs_standard_webhooks(self, tenant_id: str) -> bool:
        """Whether deliveries of which nothing else is said are signed by Standard Webhooks too."""
        return (await self._stored_keys(tenant_id)).standard_webhooks

    async def _stored_keys(self, tenant_id: str) -> SealedKeys:
        keys = await self._store.get_keys(tenant_id)
        if keys is None:
            raise NotFound(f"tenant {tenant_id} does not exist")
        return keys

    @property
    def _box(self) -> SealedBox:
        assert self._sealed_box is not None, "signing keys are made and read with the secret key alone"
        return self._sealed_box

    async def set_standard_webhooks(self, tenant_name: str, *, on: bool) -> None:
        """Whether deliveries of the tenant of which nothing else is said are signed by Standard Webhooks too."""
        tenant = await self._named(tenant_name)
        await self._store.set_standard_webhooks(
            tenant.id, on=on, audit=self._entry(tenant.id, "tenant.set", f"standard webhooks {'on' if on else 'off'}")
        )
        self._keys.forget(tenant.id)

    async def create_tenant(self, name: str) -> tuple[Tenant, SigningKeys]:
        """A new tenant with fresh signing keys. Raises Malformed if the name is taken or breaks its rule."""
        if not _TENANT_NAME.fullmatch(name):
            raise Malformed(
                f"'{name}' is not a tenant's name: 1 to 64 letters, digits, '-', '_' or '.'", code="invalid_name"
            )
        now = self._clock.now()
        tenant = Tenant(id=new_id("ten", now), name=name, created_at=now)
        keys = SigningKeys(current=new_signing_key(), next=new_signing_key())
        await self._store.add_tenant(
            tenant, seal_keys(self._box, tenant.id, keys), self._entry(tenant.id, "tenant.create", name)
        )
        return tenant, keys

    async def remove_tenant(self, name: str) -> None:
        """Remove a tenant with everything it owns: messages, logs, dead letters, tokens."""
        tenant = await self._named(name)
        await self._store.remove_tenant(tenant.id, self._entry(tenant.id, "tenant.remove", name))
        self._principals.clear()
        self._keys.clear()

    async def list_tenants(self) -> list[Tenant]:
        return await self._store.list_tenants()

    async def tenant(self, tenant_id: str) -> Tenant:
        """Raises NotFound for one that is gone."""
        for tenant in await self._store.list_tenants():
            if tenant.id == tenant_id:
                return tenant
        raise NotFound(f"tenant {tenant_id} does not exist")

    async def create_token(self, tenant_name: str, scope: Scope, name: str = "") -> tuple[Token, str]:
        """A fresh token and its secret, which is shown this once and stored only as a hash."""
        tenant = await self._named(tenant_name)
        return await self.create_token_of(tenant.id, scope, name)

    async def create_token_of(
        self, tenant_id: str, scope: Scope, name: str, by: Actor | None = None
    ) -> tuple[Token, str]:
        """The same, for a tenant by its id."""
        secret = new_token()
        return await self._add_token(tenant_id, secret, scope, name, by), secret

    async def add_token(self, tenant: Tenant, secret: str, scope: Scope, name: str = "") -> Token:
        """Make a given secret a token of the tenant."""
        return await self._add_token(tenant.id, secret, scope, name)

    async def _add_token(self, tenant_id: str, secret: str, scope: Scope, name: str, by: Actor | None = None) -> Token:
        now = self._clock.now()
        token = Token(
            id=new_id("tok", now),
            tenant=tenant_id,
            scope=scope,
            hash=hash_token(secret),
            hint=secret[-4:],
            name=name,
            created_at=now,
        )
        audit = self._entry(tenant_id, "token.create", f"{token.id} ({scope.value})", by)
        await self._store.add_token(token, audit)
        return token

    async def list_tokens(self, tenant_name: str) -> list[Token]:
        return await self.list_tokens_of((await self._named(tenant_name)).id)

    async def list_tokens_of(self, tenant_id: str) -> list[Token]:
        """Of a tenant by its id, oldest first; when they were used as far as this process knows."""
        return [
            structs.replace(token, last_used_at=max(token.last_used_at or 0, self._uses[token.id]))
            if token.id in self._uses
            else token
            for token in await self._store.list_tokens(tenant_id)
        ]

    async def revoke_token(self, tenant_name: str, token_id: str) -> None:
        """Raises NotFound if the tenant has no such token."""
        await self.revoke_token_of((await self._named(tenant_name)).id, token_id)

    async def revoke_token_of(self, tenant_id: str, token_id: str, by: Actor | None = None) -> None:
        """The same, for a tenant by its id."""
        audit = self._entry(tenant_id, "token.revoke", token_id, by)
        if not await self._store.revoke_token(tenant_id, token_id, audit):
            raise NotFound(
                f"the tenant has no token '{token_id}'",
                code="token_not_found",
                hint="GET /v2/tokens and `outrider token list` show their ids",
            )
        self._principals.clear()

    def _entry(self, tenant_id: str, action: str, subject: str, by: Actor | None = None) -> AuditEntry:
        return entry_of(self._clock.now(), tenant_id, by or self._actor, action, subject)

    async def _named(self, name: str) -> Tenant:
        for tenant in await self._store.list_tenants():
            if tenant.name == name:
                return tenant
        raise NotFound(f"tenant '{name}' does not exist", hint="`outrider tenant list` shows the names")

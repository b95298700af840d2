"""Links that sign in to the console, once each: for who has a shell, or sees the server start, and no token at hand."""

from __future__ import annotations

import secrets

from outrider.domain.instant import MINUTE_MS
from outrider.domain.tenant import Scope, Tenant, Token, hash_token
from outrider.engine.directory import Directory
from outrider.ports import Clock, SignInLink, TenantStore

VALID_MS = 10 * MINUTE_MS
CONSOLE_TOKEN = "console"  # noqa: S105 - a name
"""Of the token whose session a link begins, where none is at hand. Nobody knows its secret; revoking it ends the
sessions.
"""


class SignInLinks:
    """Makes links and takes them back."""

    def __init__(self, store: TenantStore, clock: Clock, directory: Directory) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory

    async def create(self, tenant: Tenant, scope: Scope) -> str:
        """The code of a link that is valid for ten minutes."""
        token = await self._console_token(tenant, scope)
        return await self.create_for(token.id, VALID_MS)

    async def create_for(self, token_id: str, valid_ms: int | None) -> str:
        """The same, for the session of a given token; valid until its first use without a `valid_ms`."""
        code = secrets.token_urlsafe(32)
        now = self._clock.now()
        expires_at = None if valid_ms is None else now + valid_ms
        await self._store.add_link(SignInLink(hash_token(code), token_id, expires_at), now)
        return code

    async def use(self, code: str) -> Token | None:
        """The token that the link signs in with; None for one that was used or has expired."""
        return await self._store.use_link(hash_token(code), self._clock.now())

    async def _console_token(self, tenant: Tenant, scope: Scope) -> Token:
        for token in await self._directory.list_tokens_of(tenant.id):
            if token.name == CONSOLE_TOKEN and token.scope is scope:
                return token
        token, _ = await self._directory.create_token_of(tenant.id, scope, CONSOLE_TOKEN)
        return token


def link_to(url: str, code: str) -> str:
    """The link. Its code stands in the fragment, which no browser sends and no log has."""
    return f"{url}/console/sign-in#{code}"

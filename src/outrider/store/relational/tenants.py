"""Tenants, their tokens and keys."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import convert, structs

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.instant import Instant
from outrider.domain.tenant import Tenant, Token
from outrider.ports import SealedKeys, SignInLink
from outrider.store.relational.connection import Connection


async def add_tenant(connection: Connection, tenant: Tenant, keys: SealedKeys) -> None:
    """Raises Malformed if the name is taken."""
    if await connection.row("find_tenant_by_name", name=tenant.name):
        raise Malformed(
            f"tenant name '{tenant.name}' is taken; names are unique", code="tenant_exists", hint="choose another name"
        )
    await connection.execute("insert_tenant", **structs.asdict(tenant))
    await connection.execute("insert_keys", tenant=tenant.id, **structs.asdict(keys))


async def remove_tenant(connection: Connection, tenant_id: str) -> None:
    await connection.execute("delete_tenant", id=tenant_id)


async def list_tenants(connection: Connection) -> list[Tenant]:
    return [Tenant(*row) for row in await connection.fetch("list_tenants")]


async def add_token(connection: Connection, token: Token) -> None:
    """Raises Malformed if the hash is stored already, NotFound for an unknown tenant."""
    await _check_tenant(connection, token.tenant)
    if await find_token(connection, token.hash) is not None:
        raise Malformed(
            "this token is stored already; tokens are unique", code="token_exists", hint="create another token"
        )
    await connection.execute("insert_token", **structs.asdict(token) | {"scope": token.scope.value})


async def list_tokens(connection: Connection, tenant_id: str) -> list[Token]:
    return [_token_of(row) for row in await connection.fetch("list_tokens", tenant=tenant_id)]


async def revoke_token(connection: Connection, tenant_id: str, token_id: str) -> bool:
    """Whether there was one."""
    return await connection.execute("delete_token", tenant=tenant_id, id=token_id) > 0


async def find_token(connection: Connection, token_hash: str) -> Token | None:
    row = await connection.row("find_token", hash=token_hash)
    return None if row is None else _token_of(row)


async def note_uses(connection: Connection, uses: Sequence[tuple[str, Instant]]) -> None:
    for token_id, time in sorted(uses):
        await connection.execute("note_use", id=token_id, time=time)


async def add_link(connection: Connection, link: SignInLink, now: Instant) -> None:
    if await connection.row("get_token", id=link.token) is None:
        raise NotFound(f"token '{link.token}' does not exist", code="token_not_found")
    await connection.execute("delete_expired_links", now=now)
    if link.expires_at is None:
        await connection.execute("delete_endless_link", token=link.token)
    await connection.execute("insert_link", **structs.asdict(link))


async def use_link(connection: Connection, link_hash: str, now: Instant) -> Token | None:
    """Of two who come with it at once, the one that removes it has it."""
    row = await connection.row("find_link", hash=link_hash, now=now)
    if row is None or not await connection.execute("delete_link", hash=link_hash):
        return None
    token = await connection.row("get_token", id=row[0])
    return None if token is None else _token_of(token)


def _token_of(row: Sequence[object]) -> Token:
    return convert(dict(zip(_TOKEN_COLUMNS, row, strict=True)), Token)


_TOKEN_COLUMNS = ("id", "tenant", "scope", "hash", "hint", "name", "created_at", "last_used_at")


async def get_keys(connection: Connection, tenant_id: str) -> SealedKeys | None:
    row = await connection.row("get_keys", tenant=tenant_id)
    return None if row is None else SealedKeys(row[0], row[1], standard_webhooks=bool(row[2]))


async def replace_keys(connection: Connection, tenant_id: str, before: SealedKeys, after: SealedKeys) -> bool:
    """Whether the keys were those of `before`."""
    replaced = await connection.execute(
        "replace_keys",
        tenant=tenant_id,
        known_current=before.current,
        known_next=before.next,
        current=after.current,
        next=after.next,
    )
    return replaced > 0


async def set_standard_webhooks(connection: Connection, tenant_id: str, *, on: bool) -> bool:
    """Whether there is such a tenant."""
    return await connection.execute("set_standard_webhooks", tenant=tenant_id, on=on) > 0


async def _check_tenant(connection: Connection, tenant_id: str) -> None:
    if not await connection.row("find_tenant", id=tenant_id):
        raise NotFound(f"tenant '{tenant_id}' does not exist", code="tenant_not_found")

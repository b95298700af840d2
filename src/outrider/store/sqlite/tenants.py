"""Tenants, their tokens and keys."""

from __future__ import annotations

from sqlite3 import Connection

from msgspec import convert, structs

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.tenant import SigningKeys, Tenant, Token
from outrider.store.sqlite.queries import SQL


def add_tenant(connection: Connection, tenant: Tenant, keys: SigningKeys) -> None:
    """Raises Malformed if the name is taken."""
    if connection.execute(SQL["find_tenant_by_name"], {"name": tenant.name}).fetchone():
        raise Malformed(
            f"tenant name '{tenant.name}' is taken; names are unique", code="tenant_exists", hint="choose another name"
        )
    connection.execute(SQL["insert_tenant"], structs.asdict(tenant))
    set_keys(connection, tenant.id, keys)


def remove_tenant(connection: Connection, tenant_id: str) -> None:
    connection.execute(SQL["delete_tenant"], {"id": tenant_id})


def list_tenants(connection: Connection) -> list[Tenant]:
    return [Tenant(*row) for row in connection.execute(SQL["list_tenants"])]


def add_token(connection: Connection, token: Token) -> None:
    """Raises Malformed if the hash is stored already, NotFound for an unknown tenant."""
    _check_tenant(connection, token.tenant)
    if find_token(connection, token.hash) is not None:
        raise Malformed(
            "this token is stored already; tokens are unique", code="token_exists", hint="create another token"
        )
    connection.execute(SQL["insert_token"], structs.asdict(token) | {"scope": token.scope.value})


def list_tokens(connection: Connection, tenant_id: str) -> list[Token]:
    return [_token_of(row) for row in connection.execute(SQL["list_tokens"], {"tenant": tenant_id})]


def revoke_token(connection: Connection, tenant_id: str, token_id: str) -> bool:
    """Whether there was one."""
    return connection.execute(SQL["delete_token"], {"tenant": tenant_id, "id": token_id}).rowcount > 0


def find_token(connection: Connection, token_hash: str) -> Token | None:
    row = connection.execute(SQL["find_token"], {"hash": token_hash}).fetchone()
    return None if row is None else _token_of(row)


def _token_of(row: tuple[object, ...]) -> Token:
    return convert(dict(zip(_TOKEN_COLUMNS, row, strict=True)), Token)


_TOKEN_COLUMNS = ("id", "tenant", "scope", "hash", "hint", "name", "created_at")


def get_keys(connection: Connection, tenant_id: str) -> SigningKeys | None:
    row = connection.execute(SQL["get_keys"], {"tenant": tenant_id}).fetchone()
    return None if row is None else SigningKeys(row[0], row[1], standard_webhooks=bool(row[2]))


def set_keys(connection: Connection, tenant_id: str, keys: SigningKeys) -> None:
    """Raises NotFound for an unknown tenant."""
    _check_tenant(connection, tenant_id)
    connection.execute(SQL["set_keys"], {"tenant": tenant_id, **structs.asdict(keys)})


def set_standard_webhooks(connection: Connection, tenant_id: str, *, on: bool) -> bool:
    """Whether there is such a tenant."""
    return connection.execute(SQL["set_standard_webhooks"], {"tenant": tenant_id, "on": on}).rowcount > 0


def rotate_keys(connection: Connection, tenant_id: str, fresh: str) -> SigningKeys | None:
    """The keys as they now are, None for an unknown tenant."""
    keys = get_keys(connection, tenant_id)
    if keys is None:
        return None
    rotated = keys.rotated(fresh)
    set_keys(connection, tenant_id, rotated)
    return rotated


def _check_tenant(connection: Connection, tenant_id: str) -> None:
    if not connection.execute(SQL["find_tenant"], {"id": tenant_id}).fetchone():
        raise NotFound(f"tenant '{tenant_id}' does not exist", code="tenant_not_found")

"""URL groups."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import json

from outrider.domain.errors import TooMany
from outrider.domain.url_group import UrlGroup
from outrider.store.relational.connection import Connection
from outrider.store.relational.rows import as_json

Change = Callable[[UrlGroup | None], UrlGroup | None]


async def change_url_group(
    connection: Connection, tenant: str, name: str, change: Change, *, most: int
) -> UrlGroup | None:
    """Make, change or (by None) delete a group. Raises TooMany if it is new and the tenant has `most` of them."""
    await connection.lock_tenants([tenant])
    before = await get_url_group(connection, tenant, name)
    after = change(before)
    if after is None:
        await connection.execute("delete_url_group", tenant=tenant, name=name)
    elif after != before:
        if before is None:
            await _check_room(connection, tenant, most)
        await connection.execute("put_url_group", tenant=tenant, name=name, url_group=as_json(after))
    return after


async def get_url_group(connection: Connection, tenant: str, name: str) -> UrlGroup | None:
    row = await connection.row("get_url_group", tenant=tenant, name=name)
    return None if row is None else json.decode(row[0], type=UrlGroup)


async def list_url_groups(connection: Connection, tenant: str) -> list[UrlGroup]:
    return await connection.read("list_url_groups", UrlGroup, tenant=tenant)


async def _check_room(connection: Connection, tenant: str, most: int) -> None:
    there = await connection.count("count_url_groups", tenant=tenant)
    if there >= most:
        raise TooMany(
            f"one more would exceed the limit of {most} URL groups",
            code="too_many_url_groups",
            hint="delete one that is not used any more, or raise limits.url_groups",
        )

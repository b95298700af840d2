"""Destination profiles, as sealed bytes."""

from __future__ import annotations

from outrider.domain.errors import TooMany
from outrider.domain.instant import Instant
from outrider.ports import SealedProfile
from outrider.store.relational.connection import Connection


async def put_profile(
    connection: Connection, tenant: str, host: str, sealed: bytes, now: Instant, *, most: int
) -> None:
    """Raises TooMany if it is new and the tenant has `most` of them."""
    await connection.lock_tenants([tenant])
    if await get_profile(connection, tenant, host) is None:
        there = await connection.count("count_profiles", tenant=tenant)
        if there >= most:
            raise TooMany(
                f"one more would exceed the limit of {most} destination profiles",
                code="too_many_profiles",
                hint="delete one that is not used any more, or raise limits.profiles",
            )
    await connection.execute("put_profile", tenant=tenant, host=host, updated_at=now, sealed=sealed)


async def get_profile(connection: Connection, tenant: str, host: str) -> SealedProfile | None:
    row = await connection.row("get_profile", tenant=tenant, host=host)
    return None if row is None else SealedProfile(*row)


async def list_profiles(connection: Connection, tenant: str) -> list[SealedProfile]:
    return [SealedProfile(*row) for row in await connection.fetch("list_profiles", tenant=tenant)]


async def delete_profile(connection: Connection, tenant: str, host: str) -> bool:
    """Whether there was one."""
    return await connection.execute("delete_profile", tenant=tenant, host=host) > 0

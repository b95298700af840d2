"""Destination profiles, as sealed bytes."""

from __future__ import annotations

from sqlite3 import Connection

from outrider.domain.errors import TooMany
from outrider.domain.instant import Instant
from outrider.ports import SealedProfile
from outrider.store.sqlite.queries import SQL


def put_profile(connection: Connection, tenant: str, host: str, sealed: bytes, now: Instant, *, most: int) -> None:
    """Raises TooMany if it is new and the tenant has `most` of them."""
    if get_profile(connection, tenant, host) is None:
        (there,) = connection.execute(SQL["count_profiles"], {"tenant": tenant}).fetchone()
        if there >= most:
            raise TooMany(
                f"one more would exceed the limit of {most} destination profiles",
                code="too_many_profiles",
                hint="delete one that is not used any more, or raise limits.profiles",
            )
    connection.execute(SQL["put_profile"], {"tenant": tenant, "host": host, "updated_at": now, "sealed": sealed})


def get_profile(connection: Connection, tenant: str, host: str) -> SealedProfile | None:
    row = connection.execute(SQL["get_profile"], {"tenant": tenant, "host": host}).fetchone()
    return None if row is None else SealedProfile(*row)


def list_profiles(connection: Connection, tenant: str) -> list[SealedProfile]:
    return [SealedProfile(*row) for row in connection.execute(SQL["list_profiles"], {"tenant": tenant})]


def delete_profile(connection: Connection, tenant: str, host: str) -> bool:
    """Whether there was one."""
    return connection.execute(SQL["delete_profile"], {"tenant": tenant, "host": host}).rowcount > 0

"""URL groups."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

from msgspec import json

from outrider.domain.errors import TooMany
from outrider.domain.url_group import UrlGroup
from outrider.store.sqlite.queries import SQL, listed, read

Change = Callable[[UrlGroup | None], UrlGroup | None]


def change_url_group(connection: Connection, tenant: str, name: str, change: Change, *, most: int) -> UrlGroup | None:
    """Make, change or (by None) delete a group. Raises TooMany if it is new and the tenant has `most` of them."""
    before = get_url_group(connection, tenant, name)
    after = change(before)
    if after is None:
        connection.execute(SQL["delete_url_group"], {"tenant": tenant, "name": name})
    elif after != before:
        if before is None:
            _check_room(connection, tenant, most)
        connection.execute(SQL["put_url_group"], {"tenant": tenant, "name": name, "url_group": listed(after)})
    return after


def get_url_group(connection: Connection, tenant: str, name: str) -> UrlGroup | None:
    row = connection.execute(SQL["get_url_group"], {"tenant": tenant, "name": name}).fetchone()
    return None if row is None else json.decode(row[0], type=UrlGroup)


def list_url_groups(connection: Connection, tenant: str) -> list[UrlGroup]:
    return read(connection, "list_url_groups", {"tenant": tenant}, UrlGroup)


def _check_room(connection: Connection, tenant: str, most: int) -> None:
    (there,) = connection.execute(SQL["count_url_groups"], {"tenant": tenant}).fetchone()
    if there >= most:
        raise TooMany(
            f"one more would exceed the limit of {most} URL groups",
            code="too_many_url_groups",
            hint="delete one that is not used any more, or raise limits.url_groups",
        )

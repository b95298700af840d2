"""Pages of long answers: a cursor names the last line that was given, so pages neither repeat nor skip.

A page holds the lines that were asked for, or fewer where they take more than `PAGE_BYTES`:
a thousand entries with bodies of a megabyte each would not fit into memory.

A page also looks at no more than `MOST_WALKED` rows, however few of them were asked for: it finds where that
many end by their order alone, which an index tells quickly, and looks no further. The cursor goes on from there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.domain.instant import Instant
from outrider.domain.query import Page
from outrider.store.relational.connection import Connection
from outrider.store.relational.filters import Conditions

Key = TypeVar("Key", int, str)
T = TypeVar("T")

PAGE_BYTES = 32 * 1024 * 1024

MOST_WALKED = 50_000
"""Rows that a page may look at."""


class Line(Struct, Generic[Key], array_like=True, frozen=True):
    """Where something on a page is.

    Attributes:
        size: bytes of its own; `body_size`: of the message it is about, which is read once a page.
    """

    time: Instant
    id: Key
    message: int
    size: int
    body_size: int


class Position(Struct, Generic[Key], array_like=True, frozen=True):
    """The last line of the page before, or the last row that a page looks at."""

    time: Instant
    id: Key


class Listing(Struct, frozen=True, kw_only=True):
    """A kind of page.

    Attributes:
        query: the statement that answers with lines.
        end_of_walk: the statement that answers with the Position that `:skipped` others come before.
        time, id: its columns that order them.
        mark: the first letter of its cursors, so that those of another kind are known as foreign.
        id_pattern: what ids look like.
    """

    query: str
    end_of_walk: str
    time: str
    id: str
    mark: str
    id_pattern: str

    def write_cursor(self, line: Line[Key] | Position[Key]) -> str:
        return f"{self.mark}{line.time}-{line.id}"

    def read_cursor(self, cursor: str) -> Position[str]:
        """Raises Malformed for one that `write_cursor` did not write."""
        match = re.fullmatch(rf"{self.mark}([0-9]{{1,18}})-({self.id_pattern})", cursor)
        if match is None:
            raise Malformed(
                f"cursor '{cursor[:100]}' was not given by this listing",
                code="cursor_malformed",
                hint="give back the cursor of the page before as it came, or none for the first page",
            )
        return Position(int(match[1]), match[2])


async def read_lines(
    connection: Connection,
    listing: Listing,
    conditions: Conditions,
    *,
    after: Position[Key] | None,
    latest_first: bool,
    count: int,
    of: type[Line[Key]],
) -> Page[Line[Key]]:
    """The lines of one page, and the cursor for the next where there is, or may be, more."""
    if after is not None:
        conditions.bound(
            f"({listing.time}, {listing.id}) {'<' if latest_first else '>'} (:after_time, :after_id)",
            after_time=after.time,
            after_id=after.id,
        )
    end = None
    if not conditions.leave_all:
        end = await bound_walk(connection, listing, conditions, latest_first=latest_first)
    sql = _ordered(conditions.put_into(listing.query), latest_first=latest_first)
    lines = await connection.read_composed(sql, of, conditions.parameters | {"limit": count + 1})
    lines.sort(key=lambda line: (line.time, line.id), reverse=latest_first)
    fitting = lines[: min(count, _how_many_fit(lines))]
    if len(fitting) < len(lines):
        return Page(tuple(fitting), listing.write_cursor(fitting[-1]))
    return Page(tuple(fitting), None if end is None else listing.write_cursor(end))


async def bound_walk(
    connection: Connection, listing: Listing, conditions: Conditions, *, latest_first: bool
) -> Position[Any] | None:
    """Where what is looked at ends; the conditions say so now. None if all there is may be looked at."""
    if conditions.leave_few:
        return None
    sql = _ordered(conditions.put_into(listing.end_of_walk), latest_first=latest_first)
    ends = await connection.read_composed(sql, Position[Any], conditions.parameters | {"skipped": MOST_WALKED - 1})
    if not ends:
        return None
    conditions.bound(
        f"({listing.time}, {listing.id}) {'>=' if latest_first else '<='} (:end_time, :end_id)",
        end_time=ends[0].time,
        end_id=ends[0].id,
    )
    return ends[0]


def _ordered(sql: str, *, latest_first: bool) -> str:
    return sql if latest_first else sql.replace(" DESC", " ASC")


def _how_many_fit(lines: Sequence[Line[Key]]) -> int:
    """At least one, however large."""
    total = 0
    seen: set[int] = set()
    for number, line in enumerate(lines):
        total += line.size + (0 if line.message in seen else line.body_size)
        seen.add(line.message)
        if total > PAGE_BYTES and number:
            return number
    return len(lines)

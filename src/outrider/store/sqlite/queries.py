"""The SQL of this store: named queries from `queries/*.sql`, and statements of many rows.

A query is written as `-- name: find_due`, a line that describes it, and one statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from msgspec import json

T = TypeVar("T")

Row = Sequence[object]


def load_queries(folder: Path) -> Mapping[str, str]:
    """The statements of a folder by their names. Raises ValueError for a name given twice or a query not described."""
    queries: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        for section in re.split(r"^-- name: ", file.read_text(), flags=re.MULTILINE)[1:]:
            name, described, statement = section.split("\n", 2)
            if name in queries or not described.startswith("-- "):
                raise ValueError(f"{file.name}: query '{name}' has no description, or its name is taken")
            queries[name] = statement.strip()
    return queries


SQL = load_queries(Path(__file__).parent / "queries")

MOST_ROWS = 128
"""Of one statement. More rows a statement are hardly faster, and prepared ones are kept in memory."""

_VALUES = re.compile(r"VALUES (\((?:\?, )*\?\))")


def insert_many(connection: Connection, name: str, rows: Sequence[Row]) -> int | None:
    """Run a statement whose VALUES are `(?, …)` over all rows; the rowid of the last one it inserted.

    One statement a row starves beside a busy thread, which takes the interpreter lock after
    each: 125 rows/s against 3,720. Chunks are powers of two, so that few statements are ever prepared.
    """
    last = None
    for chunk in _chunks(rows):
        parameters = [value for row in chunk for value in row]
        last = connection.execute(_with_rows(name, len(chunk)), parameters).lastrowid
    return last


def read(connection: Connection, name: str, parameters: Mapping[str, object], of: type[T]) -> list[T]:
    """The items of a query that answers with one JSON array."""
    return read_composed(connection, SQL[name], parameters, of)


def read_composed(connection: Connection, sql: str, parameters: Mapping[str, object], of: type[T]) -> list[T]:
    """As `read`, for a statement that was completed by `filters.py`."""
    (answer,) = connection.execute(sql, parameters).fetchone()
    return json.decode(answer, type=list[of])  # type: ignore[valid-type]


def listed(values: object) -> str:
    """Values as one parameter, for `json_each`."""
    return json.encode(values).decode()


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    while left := len(rows) - start:
        size = min(MOST_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


@cache
def _with_rows(name: str, count: int) -> str:
    return _VALUES.sub(lambda row: "VALUES " + ", ".join([row[1]] * count), SQL[name])

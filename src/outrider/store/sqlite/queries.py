"""The SQL of this store, and how its statements of many rows are made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import json

from outrider.store.relational.connection import Row
from outrider.store.relational.queries import load_queries

SQL = load_queries(Path(__file__).parent / "queries")

MOST_ROWS = 128
"""Of one statement. More rows a statement are hardly faster, and prepared ones are kept in memory."""

_VALUES = re.compile(r"VALUES (\((?:\?, )*\?\))")


def listed(values: object) -> str:
    """Values as one parameter, for `json_each`."""
    return json.encode(values).decode()


def chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Powers of two, so that few statements are ever prepared."""
    start = 0
    while left := len(rows) - start:
        size = min(MOST_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


@cache
def with_rows(name: str, count: int) -> str:
    """A named statement whose VALUES are `(?, …)`, for so many rows."""
    return _VALUES.sub(lambda row: "VALUES " + ", ".join([row[1]] * count), SQL[name])

"""The SQL of this store, and how its statements of many rows are made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from msgspec import json

from outrider.store.relational.queries import load_queries

SQL = load_queries(Path(__file__).parent / "queries")

MOST_ROWS = 128
"""Of one statement. More rows a statement are hardly faster, and prepared ones are kept in memory."""

_VALUES = re.compile(r"VALUES (\((?:\?, )*\?\))")


def listed(values: object) -> str:
    """Values as one parameter, for `json_each`."""
    return json.encode(values).decode()


def chunks(rows: int) -> Iterator[tuple[int, int]]:
    """Where the rows of each statement begin and end: few statements, of few sizes, so that few are ever prepared.

    A size has three significant bits, so 61 rows are 56 and 5.
    """
    start = 0
    while left := min(MOST_ROWS, rows - start):
        cut = max(0, left.bit_length() - 3)
        end = start + (left >> cut << cut)
        yield start, end
        start = end


@cache
def with_rows(name: str, count: int) -> str:
    """A named statement whose VALUES are `(?, …)`, for so many rows."""
    return _VALUES.sub(lambda row: "VALUES " + ", ".join([row[1]] * count), SQL[name])

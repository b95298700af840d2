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
_ROWS = "SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL"


def listed(values: object) -> str:
    """Values as one parameter, for `json_each`."""
    return json.encode(values).decode()


def chunks(rows: int) -> Iterator[tuple[int, int, int]]:
    """Where the rows of each statement begin and end, and for how many it is made.

    A statement costs a hand-over of the interpreter lock, and one that was prepared costs memory. So there are few
    of few sizes, of three significant bits: 61 rows are one statement for 64, whose last rows are empty.
    """
    for start in range(0, rows, MOST_ROWS):
        end = min(start + MOST_ROWS, rows)
        cut = max(0, (end - start).bit_length() - 3)
        yield start, end, -(start - end >> cut) << cut


@cache
def with_rows(name: str, count: int) -> str:
    """A named statement whose VALUES are `(?, …)`, for so many rows; one that begins with NULL does nothing."""
    return _VALUES.sub(lambda row: _ROWS.format(", ".join([row[1]] * count)), SQL[name])

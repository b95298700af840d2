"""The SQL of this store, and how parameters by name become PostgreSQL's.

`:tenant` is a value. `:rows.2` is the second column of many rows, as an array; a statement names its type,
as in `:rows.2::bigint[]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from outrider.store.relational.connection import Parameters
from outrider.store.relational.queries import load_queries

SQL = load_queries(Path(__file__).parent / "queries")

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)(?:\.([0-9]+))?\b")


class Statement(Struct, frozen=True):
    """SQL with `$1`, and which parameter, or which column of one, that is."""

    sql: str
    places: tuple[tuple[str, int | None], ...]

    def bind(self, parameters: Parameters) -> list[object]:
        """The values in their places."""
        columns: dict[str, Sequence[Any]] = {}
        values: list[object] = []
        for name, column in self.places:
            if column is None:
                values.append(parameters[name])
                continue
            if name not in columns:
                columns[name] = _columns(parameters[name])
            values.append(columns[name][column] if columns[name] else ())
        return values


def _columns(rows: Any) -> Sequence[Any]:
    return tuple(zip(*rows, strict=True))


def translate(sql: str) -> Statement:
    """The statement that PostgreSQL understands."""
    places: dict[tuple[str, int | None], int] = {}

    def number(match: re.Match[str]) -> str:
        place = (match[1], None if match[2] is None else int(match[2]) - 1)
        return f"${places.setdefault(place, len(places) + 1)}"

    return Statement(_PARAMETER.sub(number, sql), tuple(places))


@cache
def named(query: str) -> Statement:
    return translate(SQL[query])


composed = lru_cache(maxsize=256)(translate)
"""As `translate`: a filter's statement comes again and again."""

"""Operations' view of a SQLite connection: nothing in it ever suspends."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Hashable, Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeVar, cast

from msgspec import json

from outrider.domain.message import Message
from outrider.store.relational.connection import Dialect, Parameters, Row
from outrider.store.relational.rows import MessageRow, message_to_row
from outrider.store.sqlite.queries import SQL, chunks, listed, with_rows

T = TypeVar("T")
R = TypeVar("R")

DIALECT = Dialect(
    among="IN (SELECT value FROM json_each(:{name}))",
    has_host="(m.host IN (SELECT value FROM json_each(:hosts))"
    " OR rtrim(m.host, '0123456789') IN (SELECT value || ':' FROM json_each(:hosts)))",
    has_label="EXISTS (SELECT 1 FROM json_each(m.labels) AS label"
    " WHERE label.value IN (SELECT value FROM json_each(:labels)))",
    # The planner prefers to walk all of the tenant's rows in their order; a `+` takes that index away.
    few="+{tenant}",
)

LARGEST_BODY_IN_ROW = 1024
"""A change of state writes the whole row again, so a larger body stands in a table of its own.

Measured with bodies of 16 KB: 11,300 whole lives a second against 9,300; with 1 KB they are even.
"""

_none: dict[None, None] = {}
sqlite3.register_adapter(type(None), _none.get)
"""None as it is, for the whole process. Where it has no adapter, `sqlite3` looks for other ways at each None that it
binds: 0.25 µs instead of 0.09 on Python 3.11, 0.15 on 3.12. The rows of a message hold twenty.
"""


class SqliteConnection:
    """A relational.Connection. What is read in many rows comes as one JSON array: a thread that fetches row by
    row hands over the interpreter lock for each of them.
    """

    alone = True
    dialect = DIALECT

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    def statement(self, query: str) -> str:
        return SQL[query]

    async def read(self, query: str, of: type[T], /, **parameters: object) -> list[T]:
        return await self.read_composed(SQL[query], of, parameters)

    async def read_composed(self, sql: str, of: type[T], parameters: Parameters) -> list[T]:
        (answer,) = self.raw.execute(sql, _bound(parameters)).fetchone()
        items: list[T] = _list_of(cast("Hashable", of)).decode(answer)
        return items

    async def fetch(self, query: str, /, **parameters: object) -> Sequence[Sequence[Any]]:
        return self.raw.execute(SQL[query], _bound(parameters)).fetchall()

    async def row(self, query: str, /, **parameters: object) -> Sequence[Any] | None:
        row: Sequence[Any] | None = self.raw.execute(SQL[query], _bound(parameters)).fetchone()
        return row

    async def count(self, query: str, /, **parameters: object) -> int:
        row = self.raw.execute(SQL[query], _bound(parameters)).fetchone()
        return 0 if row is None else row[0]

    async def execute(self, query: str, /, **parameters: object) -> int:
        return self.raw.execute(SQL[query], _bound(parameters)).rowcount

    async def insert(self, query: str, rows: Sequence[Row]) -> None:
        self._insert(query, rows)

    async def insert_messages(self, messages: Sequence[Message]) -> Sequence[int]:
        rows = [message_to_row(message, None if _is_large(message) else message.body) for message in messages]
        last = self._insert("insert_messages", rows)
        seqs = range(last - len(messages) + 1, last + 1)
        bodies = [(seq, message.body) for seq, message in zip(seqs, messages, strict=True) if _is_large(message)]
        self._insert("insert_bodies", bodies)
        self.raw.execute(SQL["log_creation"], {"first": seqs[0], "last": last})
        return seqs

    async def read_messages(self, seqs: Sequence[int]) -> dict[int, Message]:
        if not seqs:
            return {}
        wanted = {"seqs": listed(seqs)}
        large: dict[int, bytes] = dict(self.raw.execute(SQL["bodies_by_seq"], wanted).fetchall())
        rows = await self.read_composed(SQL["messages_by_seq"], MessageRow, wanted)
        rows.sort(key=lambda row: row.seq)
        return {row.seq: row.value(large.get(row.seq)) for row in rows}

    async def read_messages_of_dead_letters(self, seqs: Sequence[int]) -> dict[int, Message]:
        return await self.read_messages(seqs)

    async def lock_tenants(self, tenants: Iterable[str]) -> None:
        """Nobody else writes."""

    async def lock_deduplications(self, keys: Iterable[tuple[str, str]]) -> None:
        """Nobody else writes."""

    def _insert(self, query: str, rows: Sequence[Row]) -> int:
        """The rowid of the last row.

        One statement a row starves beside a busy thread, which takes the interpreter lock after
        each: 125 rows/s against 3,720.
        """
        last = 0
        for start, end, size in chunks(len(rows)):
            parameters = list(chain.from_iterable(rows[start:end]))
            parameters += [None] * (len(rows[start]) * (start + size - end))
            last = self.raw.execute(with_rows(query, size), parameters).lastrowid or 0
        return last


def run_now(operation: Coroutine[Any, Any, R]) -> R:
    """What an operation on a SqliteConnection returns: it is taken from its beginning to its end."""
    try:
        operation.send(None)
    except StopIteration as ended:
        result: R = ended.value
        return result
    operation.close()
    raise RuntimeError("an operation on SQLite waited for something")


def _is_large(message: Message) -> bool:
    return len(message.body) > LARGEST_BODY_IN_ROW


def _bound(parameters: Parameters) -> dict[str, object]:
    return {name: listed(value) if isinstance(value, list | tuple) else value for name, value in parameters.items()}


@cache
def _list_of(of: Hashable) -> json.Decoder[Any]:
    return json.Decoder(list[of])  # type: ignore[valid-type]

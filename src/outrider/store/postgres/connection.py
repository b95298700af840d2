"""Operations' view of a PostgreSQL connection while it is in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

import asyncpg
from msgspec import json

from outrider.domain.errors import NotFound
from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.store.postgres.queries import SQL, Statement, composed, named
from outrider.store.relational.connection import Dialect, Parameters, Row
from outrider.store.relational.rows import MessageRow, message_to_row

T = TypeVar("T")

DIALECT = Dialect(
    among="= ANY(:{name}::{of}[])",
    has_host="(m.host = ANY(:hosts::text[])"
    " OR rtrim(m.host, '0123456789') = ANY(ARRAY(SELECT host || ':' FROM unnest(:hosts::text[]) AS host)))",
    has_label="m.labels ?| :labels::text[]",
)


class UnknownTenant(Exception):
    """Messages were offered for a tenant that is not there; known after they were, so that it is no Refusal."""

    def as_refusal(self) -> NotFound:
        return NotFound("the tenant does not exist any more", code="tenant_not_found")


class PostgresConnection:
    """A relational.Connection.

    What settles messages waits for the entries about it, and what counts messages waits for those, to go with them
    in one statement.

    Args:
        raw: in a transaction.
        lane: where this connection counts usage.

    Attributes:
        has_changed: whether there is anything to commit.
    """

    alone = False
    dialect = DIALECT

    def __init__(self, raw: asyncpg.Connection[Any], lane: int) -> None:
        self.raw = raw
        self.has_changed = False
        self._lane = lane
        self._waiting: dict[str, Sequence[Row]] = {}
        self._running: tuple[str, Parameters] = "", {}

    def statement(self, query: str) -> str:
        return SQL[query]

    async def read(self, query: str, of: type[T], /, **parameters: object) -> list[T]:
        return _decode(of, await self._value(query, parameters))

    async def read_composed(self, sql: str, of: type[T], parameters: Parameters) -> list[T]:
        await self.flush()
        statement = composed(sql)
        return _decode(of, await self.raw.fetchval(statement.sql, *statement.bind(parameters)))

    async def fetch(self, query: str, /, **parameters: object) -> Sequence[Sequence[Any]]:
        await self.flush()
        return cast("Sequence[Sequence[Any]]", await self._fetch(query, parameters))

    async def row(self, query: str, /, **parameters: object) -> Sequence[Any] | None:
        rows = await self.fetch(query, **parameters)
        return rows[0] if rows else None

    async def count(self, query: str, /, **parameters: object) -> int:
        return cast("int | None", await self._value(query, parameters)) or 0

    async def execute(self, query: str, /, **parameters: object) -> int:
        await self.flush()
        return await self._execute(query, parameters)

    async def insert(self, query: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if query in _ERRORS:
            rows = [_without_nul(row, _ERRORS[query]) for row in rows]
        if query in _JOINS:
            await self.flush()
            self._waiting[query] = rows
        elif query == "insert_events" and "settle_messages" in self._waiting:
            await self._execute("settle_and_log", {"settled": self._waiting.pop("settle_messages"), "rows": rows})
        else:
            await self.flush()
            await self._execute(query, {"rows": rows, "lane": self._lane})

    async def insert_messages(self, messages: Sequence[Message]) -> Sequence[int]:
        rows = [message_to_row(message, message.body) for message in messages]
        counted = self._waiting.pop("count_messages", ())
        await self.flush()
        self.has_changed = True
        inserted = await self._fetch("insert_messages", {"rows": rows, "counted": counted, "lane": self._lane})
        if len(inserted) < len(messages):
            raise UnknownTenant
        return sorted(row[0] for row in inserted)

    async def read_messages(self, seqs: Sequence[int]) -> dict[int, Message]:
        """Most that are read are unfinished; the partitions of all days are searched for the rest alone."""
        found: dict[int, Message] = {}
        missing: Sequence[int] = seqs
        for query in ("unfinished_by_seq", "finished_by_seq", "messages_of_dead_letters"):
            if missing:
                found |= await self._read_messages(query, missing)
                missing = [seq for seq in missing if seq not in found]
        return dict(sorted(found.items()))

    async def read_messages_of_dead_letters(self, seqs: Sequence[int]) -> dict[int, Message]:
        return await self._read_messages("messages_of_dead_letters", seqs) if seqs else {}

    async def lock_tenants(self, tenants: Iterable[str]) -> None:
        wanted = sorted(set(tenants))
        if wanted:
            await self.fetch("lock_tenants", tenants=wanted)

    async def lock_deduplications(self, keys: Iterable[tuple[str, str]]) -> None:
        await self.execute("reserve_deduplications", wanted=sorted(set(keys)))

    async def flush(self) -> None:
        """Nothing waits any more; to be called before the transaction is committed."""
        while self._waiting:
            query, rows = self._waiting.popitem()
            await self._execute(query, {"rows": rows, "lane": self._lane})

    def instants(self) -> Sequence[Instant]:
        """The times that the latest statement was to store: there may be no partitions of them."""
        query, parameters = self._running
        times = _TIMES.get(query)
        return [] if times is None else [at for at in times(parameters) if at is not None]

    async def _read_messages(self, query: str, seqs: Sequence[int]) -> dict[int, Message]:
        rows = [(_MESSAGE.decode(row), body) for row, body in await self.fetch(query, seqs=seqs)]
        rows.sort(key=lambda row: row[0].seq)
        return {row.seq: row.value(body) for row, body in rows}

    async def _value(self, query: str, parameters: Parameters) -> object:
        await self.flush()
        return await self.raw.fetchval(*self._bound(query, parameters))

    async def _fetch(self, query: str, parameters: Parameters) -> Sequence[Any]:
        rows: Sequence[Any] = await self.raw.fetch(*self._bound(query, parameters))
        return rows

    async def _execute(self, query: str, parameters: Parameters) -> int:
        """How many rows were changed; the server's answer says so, but not of what WITH does besides."""
        status: str = await self.raw.execute(*self._bound(query, parameters))
        last = status.rpartition(" ")[2]
        changed = int(last) if last.isdigit() else 0
        self.has_changed = self.has_changed or changed > 0 or SQL[query].startswith("WITH")
        return changed

    def _bound(self, query: str, parameters: Parameters) -> tuple[Any, ...]:
        self._running = query, parameters
        statement: Statement = named(query)
        return statement.sql, *statement.bind(parameters)


def _column(number: int, rows: str = "rows") -> Callable[[Parameters], Sequence[Instant | None]]:
    return lambda parameters: [row[number] for row in cast("Any", parameters[rows])]


_TIMES: Mapping[str, Callable[[Parameters], Sequence[Instant | None]]] = {
    "insert_messages": lambda parameters: [*_column(8)(parameters), *_column(7)(parameters)],
    "insert_events": _column(2),
    "settle_messages": _column(4),
    "settle_and_log": lambda parameters: [*_column(2)(parameters), *_column(4, "settled")(parameters)],
    "cancel_messages": lambda parameters: [cast("Instant", parameters["now"])],
    "log_entries": lambda parameters: [cast("Instant", parameters["now"])],
}


_JOINS = frozenset({"settle_messages", "count_messages"})
"""What waits for its companions."""

_ERRORS = {"insert_events": 6, "insert_dead_letters": 4}
"""Where rows tell what a destination said, which may be anything."""

SHOWN_NUL = "\u2400"
"""The picture of the character that a text cannot hold here."""


def _without_nul(row: Row, place: int) -> Row:
    error = row[place]
    if not isinstance(error, str) or "\0" not in error:
        return row
    return (*row[:place], error.replace("\0", SHOWN_NUL), *row[place + 1 :])


def _decode(of: type[T], answer: object) -> list[T]:
    items: list[T] = _list_of(cast("Hashable", of)).decode(cast("str", answer))
    return items


@cache
def _list_of(of: Hashable) -> json.Decoder[Any]:
    return json.Decoder(list[of])  # type: ignore[valid-type]


_MESSAGE = json.Decoder(MessageRow)

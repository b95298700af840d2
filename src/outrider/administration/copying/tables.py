"""What is copied: every table, in an order in which each row finds those that it refers to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct, json

from outrider.administration.copying.digest import Value
from outrider.domain.errors import Misconfigured
from outrider.storage import KEY_FINGERPRINT

SHOWN_NUL = "\u2400"
"""The picture of the character that PostgreSQL's texts cannot hold."""

_NUL_IN_TEXT = re.compile("\0")
_NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""The escape sequence, and no backslash that is followed by such letters."""


class Table(Struct, frozen=True, kw_only=True):
    """A table, as both databases have it.

    Attributes:
        columns: of the copy, in order.
        key: how many of them, from the first on, tell a row from others; rows are read in their order.
        instead: how the source says a column that it has not got as it is.
        source: where the source has its rows, if not in the table of that name alone.
        only: a condition on the rows, in either database.
        booleans: columns that are numbers in SQLite.
        documents: columns that hold JSON.
        reordered: those of them that PostgreSQL writes in its own way (jsonb).
        telling: columns that only tell people something: a NUL becomes SHOWN_NUL there, and is refused elsewhere.
        sequence: what the first column goes on from by itself, as PostgreSQL calls it.
        day: a column by whose days the copy may be divided into partitions.
    """

    name: str
    columns: tuple[str, ...]
    key: int = 1
    instead: dict[str, str] = {}
    source: str = ""
    only: str = "true"
    booleans: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    reordered: frozenset[str] = frozenset()
    telling: frozenset[str] = frozenset()
    sequence: str | None = None
    day: str | None = None

    @property
    def first_key(self) -> Sequence[Value]:
        """Lower than that of any row."""
        return [-1 if self.sequence or self.name == "gated" else ""] * self.key

    def key_of(self, row: Sequence[Value]) -> Sequence[Value]:
        return row[: self.key]

    @property
    def read_source(self) -> str:
        """The SQLite statement that reads every row after a key."""
        columns = [self.instead.get(column, column) for column in self.columns]
        key = columns[: self.key]
        return (
            f"SELECT {', '.join(columns)} FROM {self.source or self.name} "  # noqa: S608 - all of it stands below
            f"WHERE ({', '.join(key)}) > ({', '.join('?' * self.key)}) AND {self.only} ORDER BY {', '.join(key)}"
        )

    @property
    def read_copy(self) -> str:
        """The PostgreSQL statement that reads every row."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE {self.only}"  # noqa: S608 - as above

    def storable(self, row: Sequence[Value]) -> tuple[Sequence[Value], int]:
        """The row as PostgreSQL can hold it, and how many of its texts had to be changed for that.

        Raises Misconfigured for one that would mean something else afterwards.
        """
        values, changed = list(row), 0
        for place, (column, value) in enumerate(zip(self.columns, row, strict=True)):
            if not isinstance(value, str):
                continue
            is_document = column in self.documents
            if not (_NUL_IN_JSON if is_document else _NUL_IN_TEXT).search(value):
                continue
            if column not in self.telling:
                raise Misconfigured(
                    f"{self.name}.{column} of {json.encode(self.key_of(row)).decode()} holds a NUL character, which "
                    "PostgreSQL cannot store in a text",
                    code="nul_in_text",
                    hint="remove it from the source, then run the same command again",
                )
            values[place] = (
                _NUL_IN_JSON.sub(rf"\1{SHOWN_NUL}", value) if is_document else value.replace("\0", SHOWN_NUL)
            )
            changed += 1
        return values, changed

    def record(self, row: Sequence[Value]) -> Sequence[Value]:
        """The row as PostgreSQL's types have it."""
        if not self.booleans:
            return row
        return [
            bool(value) if column in self.booleans and value is not None else value
            for column, value in zip(self.columns, row, strict=True)
        ]

    def comparable(self, row: Sequence[Value]) -> Sequence[Value]:
        """The row as it is the same from both databases."""
        if not self.reordered:
            return row
        return [
            json.encode(json.decode(value)) if column in self.reordered and isinstance(value, str) else value
            for column, value in zip(self.columns, row, strict=True)
        ]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_OF_MESSAGE = _names(
    "id tenant state due_at retried lease cancel_requested finished_at created_at not_before host path url queue "
    "group_name endpoint schedule_id flow_key labels caller_ip callback_of deduplication_key deduplication_window_ms "
    "options body"
)
_OF_DEAD_MESSAGE = tuple(
    "message_id" if column == "id" else column for column in _OF_MESSAGE if column not in {"tenant", "lease"}
)
_OF_RESPONSE = ("response_status", "response_headers", "response_truncated", "response_body")
_BODY = "coalesce((SELECT b.body FROM bodies AS b WHERE b.message = messages.seq), messages.body)"

TABLES: tuple[Table, ...] = (
    Table(name="facts", columns=("name", "value"), only=f"name = '{KEY_FINGERPRINT}'"),
    Table(name="tenants", columns=("id", "name", "created_at")),
    Table(
        name="signing_keys",
        columns=("tenant", "sealed_current", "sealed_next", "standard_webhooks"),
        booleans=frozenset({"standard_webhooks"}),
    ),
    Table(name="tokens", columns=("id", "tenant", "scope", "hash", "hint", "name", "created_at", "last_used_at")),
    Table(
        name="audit",
        columns=("id", "time", "tenant", "actor", "hint", "action", "subject"),
        sequence="pg_get_serial_sequence('audit', 'id')",
    ),
    Table(name="profiles", key=2, columns=("tenant", "host", "updated_at", "sealed")),
    Table(name="url_groups", key=2, columns=("tenant", "name", "url_group"), documents=frozenset({"url_group"})),
    Table(
        name="schedules",
        key=2,
        columns=("tenant", "id", "next_fire_at", "created_at", "schedule", "body"),
        documents=frozenset({"schedule"}),
    ),
    Table(
        name="queues",
        columns=_names("id tenant name parallelism paused created_at updated_at in_use waiting opens_at"),
        booleans=frozenset({"paused"}),
        sequence="pg_get_serial_sequence('queues', 'id')",
    ),
    Table(
        name="flow_keys",
        columns=_names(
            "id tenant key parallelism rate period_ms paused pinned_parallelism pinned_rate in_flight "
            "window_started_at window_count waiting next_place opens_at used_at"
        ),
        booleans=frozenset({"paused", "pinned_parallelism", "pinned_rate"}),
        sequence="pg_get_serial_sequence('flow_keys', 'id')",
    ),
    Table(
        name="messages",
        columns=("seq", *_OF_MESSAGE),
        instead={"body": _BODY},
        booleans=frozenset({"cancel_requested"}),
        documents=frozenset({"labels", "options"}),
        reordered=frozenset({"labels"}),
        sequence="'message_seq'",
        day="finished_at",
    ),
    Table(name="gated", columns=("message", "line", "slot", "wait_list", "place", "admitted", "source")),
    Table(
        name="events",
        columns=_names("id message tenant time kind next_delivery_at duration_ms error") + _OF_RESPONSE,
        booleans=frozenset({"response_truncated"}),
        documents=frozenset({"response_headers"}),
        telling=frozenset({"error", "response_headers"}),
        sequence="'event_id'",
        day="time",
    ),
    Table(
        name="dead_letters",
        columns=("seq", "tenant", "id", "message", "failed_at", "error", *_OF_RESPONSE, *_OF_DEAD_MESSAGE),
        source="dead_letters JOIN messages ON messages.seq = dead_letters.message",
        instead={
            **{column: f"dead_letters.{column}" for column in ("seq", "tenant", "id")},
            **{column: f"messages.{column}" for column in _OF_DEAD_MESSAGE},
            "message_id": "messages.id",
            "body": _BODY,
        },
        booleans=frozenset({"response_truncated", "cancel_requested"}),
        documents=frozenset({"response_headers", "labels", "options"}),
        telling=frozenset({"error", "response_headers"}),
        reordered=frozenset({"labels"}),
        sequence="pg_get_serial_sequence('dead_letters', 'seq')",
    ),
    Table(name="deduplications", key=2, columns=("tenant", "key", "message_id", "expires_at")),
    Table(name="usage", key=2, columns=("tenant", "day", "lane", "messages"), instead={"lane": "0"}),
    Table(
        name="activity",
        key=3,
        columns=("tenant", "resolution", "time", "counts"),
        documents=frozenset({"counts"}),
    ),
)
"""Statements are made of these names alone."""

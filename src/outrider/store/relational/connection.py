"""The wall between the operations and the databases.

An operation is a coroutine over a Connection. On SQLite nothing in it ever suspends: the writer's
thread takes it from its beginning to its end. On PostgreSQL it waits for the server between two
statements, and other operations go on meanwhile, in transactions of their own.

Where others may change things at the same time, locks are taken in this order, and so that nobody
waits in a circle: tenants, then deduplication keys, then messages, each in their own order. A tenant's
gates, settings and schedules are touched only by who holds its lock. So they have one writer
at a time, on however many nodes, and their rules are the same everywhere. Messages that pass no gate take
no tenant's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from outrider.domain.message import Message

T = TypeVar("T")

Row = Sequence[object]

Parameters = Mapping[str, object]


class Dialect(Struct, frozen=True):
    """What the composed statements of `filters.py` say differently.

    Attributes:
        among: what follows a column whose value is one of those of the parameter `{name}`, of the type `{of}`.
        has_host: the message's host is one of `:hosts`; one without a port means each of its ports.
        has_label: one of the message's labels is one of `:labels`.
        few: what the condition on the tenant, `{tenant}`, becomes where the others leave few rows.
    """

    among: str
    has_host: str
    has_label: str
    few: str = "{tenant}"


class Connection(Protocol):
    """A transaction, and the named queries of its database.

    Parameters go by name; a list among them stands for many values.

    Attributes:
        alone: whether nobody else can change anything until the transaction ends.
    """

    @property
    def alone(self) -> bool: ...

    @property
    def dialect(self) -> Dialect: ...

    def statement(self, query: str) -> str:
        """The SQL of a named query, to be completed."""
        ...

    async def read(self, query: str, of: type[T], /, **parameters: object) -> list[T]:
        """The items of a query that answers with one JSON array."""
        ...

    async def read_composed(self, sql: str, of: type[T], parameters: Parameters) -> list[T]:
        """As `read`, for a completed statement."""
        ...

    async def fetch(self, query: str, /, **parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a query."""
        ...

    async def row(self, query: str, /, **parameters: object) -> Sequence[Any] | None:
        """The first row of a query."""
        ...

    async def count(self, query: str, /, **parameters: object) -> int:
        """The one number that a query answers with."""
        ...

    async def execute(self, query: str, /, **parameters: object) -> int:
        """How many rows a query changed."""
        ...

    async def insert(self, query: str, rows: Sequence[Row]) -> None:
        """Run a query that is made for many rows over all of these."""
        ...

    async def insert_messages(self, messages: Sequence[Message]) -> Sequence[int]:
        """Store new messages with their CREATED entries; the `seq` of each, rising, in order."""
        ...

    async def read_messages(self, seqs: Sequence[int]) -> dict[int, Message]:
        """The messages there are, by `seq`, in order of arrival; each is read once."""
        ...

    async def read_messages_of_dead_letters(self, seqs: Sequence[int]) -> dict[int, Message]:
        """The same for messages that are dead letters."""
        ...

    async def lock_tenants(self, tenants: Iterable[str]) -> None:
        """Nobody else takes the lock of these tenants until the transaction ends."""
        ...

    async def lock_deduplications(self, keys: Iterable[tuple[str, str]]) -> None:
        """Nobody else reads or stores these keys of tenants in order to add until the transaction ends."""
        ...

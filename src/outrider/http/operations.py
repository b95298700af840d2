"""What the API description says of a route, besides what its row says already."""

from __future__ import annotations

from msgspec import Struct

from outrider.wire.parameters import Table
from outrider.wire.schema import Schema


class Operation(Struct, frozen=True):
    """A route in words and schemas.

    Attributes:
        summary: a short sentence for people.
        answer: the schema of its answer; None for an answer without a body.
        statuses: under which it answers so.
        body: the schema of the JSON it takes; None if it takes none.
        query: the parameters it takes.
        takes_options: whether options of a message may stand in its headers and query.
        takes_bytes: whether its body is a message's own, of any type.
        media: the type of its answer.
    """

    summary: str
    answer: Schema | None = None
    statuses: tuple[int, ...] = (200,)
    body: Schema | None = None
    query: Table | None = None
    takes_options: bool = False
    takes_bytes: bool = False
    media: str = "application/json"

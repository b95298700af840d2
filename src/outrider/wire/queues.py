"""Queues as clients write and read them."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.domain.queue import MOST_PARALLELISM, Oldest, Queue, check_parallelism
from outrider.wire.bodies import decode_body
from outrider.wire.names import check_name
from outrider.wire.schema import NAME, TIME_MS, integer, text, thing, truth

_EXAMPLE = '{"queueName": "mail", "parallelism": 1}'


class QueueRequest(Struct, frozen=True):
    """What is said of a queue; None leaves it as it is, or the default for a new one."""

    name: str
    parallelism: int | None
    paused: bool | None


class _Body(Struct):
    queueName: str | None = None  # noqa: N815 - the field's name on the wire
    parallelism: int | None = None
    paused: bool | None = None


def parse_queue(body: bytes) -> QueueRequest:
    """The queue that `POST /v2/queues` makes or changes. Raises Malformed."""
    said = decode_body(body, _Body, _EXAMPLE)
    if said.queueName is None:
        raise Malformed("the body has no queueName", code="invalid_body", hint=f"write {_EXAMPLE}")
    if said.parallelism is not None:
        try:
            check_parallelism(said.parallelism)
        except ValueError as error:
            raise Malformed(str(error), code="invalid_parallelism") from None
    return QueueRequest(check_name("queue", said.queueName), said.parallelism, said.paused)


def present_queue(queue: Queue, oldest: Oldest | None = None) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": queue.name,
        "parallelism": queue.parallelism,
        "createdAt": queue.created_at,
        "updatedAt": queue.updated_at,
        "lag": queue.waiting,
        "paused": queue.paused,
    }
    if oldest is not None:
        shown["oldest"] = {"messageId": oldest.message_id, "createdAt": oldest.created_at}
    return shown


_PARALLELISM = integer("How many of its messages may be on their way at once; 1 is strict order.") | {
    "minimum": 1,
    "maximum": MOST_PARALLELISM,
}

QUEUE = thing(
    "Queue",
    {
        "name": text(),
        "parallelism": _PARALLELISM,
        "createdAt": TIME_MS,
        "updatedAt": TIME_MS,
        "lag": integer("Messages that stand in the line."),
        "paused": truth(),
    },
    {
        "oldest": thing(
            "OldestInQueue",
            {
                "messageId": text("Of the message that was published first of those in the line and on their way."),
                "createdAt": TIME_MS,
            },
        )
    },
)
QUEUE_BODY = thing(
    "QueueRequest",
    {"queueName": NAME},
    {"parallelism": _PARALLELISM, "paused": truth()},
)

"""Queues: named lines of messages of which at most `parallelism` are on their way at once."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.instant import Instant

MOST_PARALLELISM = 1_000_000_000


class Oldest(Struct, frozen=True):
    """The message of a queue that was published first of those that wait or hold a slot, and when it was."""

    message_id: str
    created_at: Instant


class Queue(Struct, frozen=True, kw_only=True):
    """A line of messages, in order of arrival.

    Attributes:
        parallelism: how many messages may be past the line at once.
        in_use: messages that hold a slot: from their first start until they are finished, retries
            and callbacks included.
        waiting: messages that stand in the line (`lag`).
    """

    name: str
    parallelism: int = 1
    paused: bool = False
    created_at: Instant
    updated_at: Instant
    in_use: int = 0
    waiting: int = 0


def free(queue: Queue) -> int:
    """Slots that may be taken now; none while the queue is paused or was narrowed below what it has in use."""
    return 0 if queue.paused else max(0, queue.parallelism - queue.in_use)


def check_parallelism(n: int) -> int:
    """The number, if a queue can have it as its parallelism. Raises ValueError with the rule."""
    if not 1 <= n <= MOST_PARALLELISM:
        raise ValueError(
            f"parallelism {n} is not between 1 and {MOST_PARALLELISM}; write 1 for strict order, "
            "and pause the queue to stop it"
        )
    return n

"""What a store does with messages, their log and their dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from outrider.domain.event import Event, EventKind
from outrider.domain.hosts import EVERY_HOST, Hosts
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message
from outrider.domain.query import Clusters, Count, DeadLetterQuery, LogQuery, MessageFilter, MessageQuery, Page
from outrider.domain.settlement import Settlement
from outrider.ports.nodes import EndedLeases


class Stored(Struct, frozen=True):
    """The message was stored, as it now stands: LEASED if its caller holds it, else DUE or HELD."""

    message: Message


class Duplicate(Struct, frozen=True):
    """A message with its deduplication key was stored before; nothing new was."""

    message_id: str


Receipt = Stored | Duplicate


class Applied(Struct, frozen=True):
    """The settlement took effect, as `settlement` says (a cancellation may have changed it)."""

    settlement: Settlement


class LeaseLost(Struct, frozen=True):
    """The row is gone, or no longer leased as the settlement names it; nothing was changed."""

    message_id: str


Verdict = Applied | LeaseLost


class Cancellation(Struct, frozen=True):
    """What a cancellation did.

    Attributes:
        canceled: ids that are CANCELED now.
        requested: ids that were LEASED: each ends CANCELED unless its running attempt succeeds.
        more: whether the filter matches more than `limit`.
    """

    canceled: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    more: bool = False


class LogEntry(Struct, frozen=True):
    """An event with the message it happened to."""

    event: Event
    message: Message


class MessageSummary(Struct, frozen=True):
    """A message with what the log says of it.

    Attributes:
        entries: how many it has.
        first_at, last_at: the times of its first and its last entry.
        attempts: how many have ended.
        response_status, error: of the last attempt that ended; None where there is none.
    """

    message: Message
    entries: int
    first_at: Instant
    last_at: Instant
    attempts: int
    response_status: int | None = None
    error: str | None = None


class Retention(Struct, frozen=True):
    """What upkeep may remove: everything that ended before these instants."""

    logs_before: Instant
    dead_letters_before: Instant
    now: Instant
    changes_before: Instant = 0


class MessageStore(Protocol):
    """Messages on their way, through two gates.

    A queue's gate: a message with a `queue` needs one of the queue's slots before its first
    attempt, and keeps it until it is finished and every callback it caused is too. Who finds no
    free slot, the queue paused, or others waiting, is HELD in line; a slot that comes free goes
    to the first in line.

    A flow-control key's gate: each attempt of a message with a key must be admitted
    (`domain/flow_control.py`). A message that is due and cannot be is HELD on the key's wait list;
    what ends, opens or resumes admits the first of it. A queue's gate comes before the key's.

    Whoever is let through is DUE at `max(not_before, now)` (LEASED only in the call that added it), so
    the due index holds nothing that a gate holds back, and opening one costs O(log n), whatever
    waits. A queue that does not exist is made on first use, with parallelism 1.
    """

    async def add(self, messages: Sequence[Message], now: Instant, *, per_day: int | None = None) -> list[Receipt]:
        """Store messages with their CREATED entries; one receipt each, in order.

        A message offered as LEASED stays leased unless something holds it. Deduplication
        looks at earlier messages of the same call too. All are stored, or none. Raises
        LimitReached if the tenant's UTC day would count more than `per_day` messages with these.
        """
        ...

    async def claim_due(
        self,
        node: str,
        now: Instant,
        limit: int,
        hosts: Hosts = EVERY_HOST,
        *,
        after: tuple[str, str] | None = None,
        each: int | None = None,
    ) -> list[Message]:
        """Lease up to `limit` DUE messages with `due_at <= now` to the node, earliest first.

        With `after`, a tenant and a host, claims take turns: as many messages of each tenant at each host, the
        earliest of them first, beginning with whose names follow those, in a circle, and at most `each` of them.
        Fewer than `limit` may come while more is due; `next_due_at` says so.
        """
        ...

    async def next_due_at(self, hosts: Hosts = EVERY_HOST) -> Instant | None:
        """When `claim_due` may next find something: a message that is due, a key whose window ends. None: never."""
        ...

    async def apply(self, settlements: Sequence[Settlement], now: Instant) -> list[Verdict]:
        """Carry out settlements: state, entries, dead letters, follow-ups; one verdict each, in order.

        A settlement whose message is no longer LEASED to the same node at the same `retried` is
        refused. One whose message has a requested cancellation goes through `honour_cancellation`.
        """
        ...

    async def give_back(self, node: str, message_ids: Sequence[str], now: Instant) -> EndedLeases:
        """Make LEASED messages of the node DUE again, unattempted (CANCELED where that was requested)."""
        ...

    async def get_message(self, tenant: str, message_id: str) -> Message | None: ...

    async def list_messages(self, tenant: str, query: MessageQuery, now: Instant) -> Page[MessageSummary]:
        """Unfinished messages, soonest due first. Raises Malformed for a cursor that this method did not give."""
        ...

    async def count_messages(self, tenant: str, query: MessageQuery, now: Instant) -> Count:
        """How many `list_messages` would give on all its pages; the query's page does not matter."""
        ...

    async def make_due(self, tenant: str, message_id: str, now: Instant) -> bool:
        """A DUE message becomes due now, with a RETRY entry; whether there is one of that id."""
        ...

    async def cancel(self, tenant: str, which: MessageFilter, now: Instant, limit: int) -> Cancellation:
        """Cancel up to `limit` unfinished messages, oldest first; see the state table."""
        ...


class LogStore(Protocol):
    """What happened."""

    async def record(self, events: Sequence[Event]) -> None:
        """Store entries that accompany no change of state (ACTIVE). Those of unknown messages are dropped."""
        ...

    async def list_log(self, tenant: str, query: LogQuery) -> Page[LogEntry]:
        """Entries ordered by time. Raises Malformed for a cursor that this method did not give."""
        ...

    async def count_entries(self, tenant: str, since: Instant, until: Instant) -> dict[EventKind, int]:
        """How many entries of each kind there are with `since <= time < until`; it reads them all."""
        ...

    async def list_logged(self, tenant: str, query: LogQuery) -> Page[MessageSummary]:
        """Messages that have entries as asked for, each once, that with the latest such entry first.

        Raises Malformed for a cursor that this method did not give.
        """
        ...


class DeadLetterStore(Protocol):
    """Messages that were given up."""

    async def list_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Page[DeadLetter]:
        """Dead letters ordered by time of failure. Raises Malformed for a foreign cursor."""
        ...

    async def count_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Count:
        """How many `list_dead_letters` would give on all its pages; the query's page does not matter."""
        ...

    async def cluster_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Clusters:
        """The same by status and host."""
        ...

    async def get_dead_letter(self, tenant: str, dead_letter_id: str) -> DeadLetter | None: ...

    async def delete_dead_letters(self, tenant: str, dead_letter_ids: Sequence[str]) -> int:
        """Delete those that exist; how many did."""
        ...

    async def retry_dead_letters(
        self, tenant: str, retries: Sequence[tuple[str, Message]], now: Instant
    ) -> list[Receipt]:
        """Replace dead letters by new messages, all or none. Raises NotFound naming an id that is gone."""
        ...

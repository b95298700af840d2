"""What the engine asks of the outside: Store, Sender, Clock, Observer.

Every method of `Store` that changes something is one transaction: a crash finds the state
before it or the state after it. A method that returns has committed. One that cannot commit
raises `StoreUnavailable`, and then nothing of it was kept; one that has too much waiting
raises `Overloaded`. How commits are grouped is the store's own affair.

Times are `Instant`s handed in by the caller; no store reads a clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from outrider.domain.attempt import Outcome
from outrider.domain.event import Event
from outrider.domain.flow_control import KeyState
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message, MessageState
from outrider.domain.options import Headers
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter, Page
from outrider.domain.queue import Queue
from outrider.domain.schedule import Schedule
from outrider.domain.settlement import Settlement
from outrider.domain.tenant import SigningKeys, Tenant, Token
from outrider.domain.url_group import UrlGroup


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


class Retention(Struct, frozen=True):
    """What upkeep may remove: everything that ended before these instants."""

    logs_before: Instant
    dead_letters_before: Instant
    now: Instant


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
        self, node: str, now: Instant, limit: int, excluding_hosts: frozenset[str] = frozenset()
    ) -> list[Message]:
        """Lease up to `limit` DUE messages with `due_at <= now` to the node, earliest first."""
        ...

    async def next_due_at(self, excluding_hosts: frozenset[str] = frozenset()) -> Instant | None:
        """When `claim_due` may next find something: a message that is due, a key whose window ends. None: never."""
        ...

    async def apply(self, settlements: Sequence[Settlement], now: Instant) -> list[Verdict]:
        """Carry out settlements: state, entries, dead letters, follow-ups; one verdict each, in order.

        A settlement whose message is no longer LEASED to the same node at the same `retried` is
        refused. One whose message has a requested cancellation goes through `honour_cancellation`.
        """
        ...

    async def give_back(self, node: str, message_ids: Sequence[str], now: Instant) -> None:
        """Make LEASED messages of the node DUE again, unattempted (CANCELED where that was requested)."""
        ...

    async def void_leases(self, now: Instant) -> int:
        """Make every LEASED message DUE again (CANCELED where requested), entries included; how many.

        For a store with one process: whoever held a lease is dead.
        """
        ...

    async def get_message(self, tenant: str, message_id: str) -> Message | None: ...

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


class DeadLetterStore(Protocol):
    """Messages that were given up."""

    async def list_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Page[DeadLetter]:
        """Dead letters ordered by time of failure. Raises Malformed for a foreign cursor."""
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


class QueueStore(Protocol):
    """Queues; their lines are messages."""

    async def change_queue(
        self, tenant: str, name: str, change: Callable[[Queue | None], Queue], now: Instant, *, most: int
    ) -> Queue:
        """Make or change a queue by a pure function; what waits takes the slots that this frees.

        Raises TooMany if it is new and the tenant has `most` of them.
        """
        ...

    async def get_queue(self, tenant: str, name: str) -> Queue | None: ...

    async def list_queues(self, tenant: str) -> list[Queue]: ...

    async def delete_queue(self, tenant: str, name: str) -> bool:
        """Delete a queue in whose line nothing waits; whether it is gone. Who holds a slot goes on without it."""
        ...


class FlowControlStore(Protocol):
    """Flow-control keys; each is made by the first message that names it."""

    async def change_flow_key(
        self, tenant: str, key: str, change: Callable[[KeyState], KeyState], now: Instant
    ) -> KeyState | None:
        """Change a key by a pure function, and admit what it then may; None if it is unknown."""
        ...

    async def get_flow_key(self, tenant: str, key: str) -> KeyState | None: ...

    async def list_flow_keys(self, tenant: str, search: str, limit: int) -> list[tuple[str, KeyState]]:
        """Keys that contain `search`, by name."""
        ...


class UrlGroupStore(Protocol):
    """URL groups."""

    async def change_url_group(
        self,
        tenant: str,
        name: str,
        change: Callable[[UrlGroup | None], UrlGroup | None],
        *,
        most: int,
    ) -> UrlGroup | None:
        """Make, change or (by None) delete a group by a pure function. Raises TooMany like `change_queue`."""
        ...

    async def get_url_group(self, tenant: str, name: str) -> UrlGroup | None: ...

    async def list_url_groups(self, tenant: str) -> list[UrlGroup]: ...


class ScheduleStore(Protocol):
    """Schedules, and the one transaction in which one fires."""

    async def put_schedule(self, schedule: Schedule, *, most: int) -> None:
        """Create, or overwrite whole the one with its id (`created_at` stays). Raises TooMany."""
        ...

    async def change_schedule(
        self, tenant: str, schedule_id: str, change: Callable[[Schedule], Schedule]
    ) -> Schedule | None:
        """Change by a pure function; None if it is unknown."""
        ...

    async def delete_schedule(self, tenant: str, schedule_id: str) -> bool: ...

    async def get_schedule(self, tenant: str, schedule_id: str) -> Schedule | None: ...

    async def list_schedules(self, tenant: str) -> list[Schedule]: ...

    async def due_schedules(self, now: Instant, limit: int) -> list[Schedule]:
        """Of all tenants, those with `next_fire_at <= now`, earliest first."""
        ...

    async def next_fire_at(self) -> Instant | None: ...

    async def fire_schedule(
        self, before: Schedule, after: Schedule, messages: Sequence[Message], now: Instant, *, per_day: int | None
    ) -> list[Receipt] | None:
        """Replace `before` by `after` and add the messages, as `add` does, all in one transaction.

        None, and nothing done, if the stored schedule is no longer `before` (fired, changed or deleted meanwhile).
        """
        ...

    async def message_states(self, tenant: str, message_ids: Sequence[str]) -> dict[str, MessageState]:
        """The states of those messages that are still there."""
        ...


class UsageStore(Protocol):
    """What tenants have used."""

    async def messages_on(self, tenant: str, day: Instant) -> int:
        """Messages the tenant published in the UTC day that begins then; callbacks do not count."""
        ...


class TenantStore(Protocol):
    """Tenants, their tokens and keys."""

    async def add_tenant(self, tenant: Tenant, keys: SigningKeys) -> None:
        """Raises Malformed if the name is taken."""
        ...

    async def remove_tenant(self, tenant_id: str) -> None:
        """Remove a tenant and everything it owns."""
        ...

    async def list_tenants(self) -> list[Tenant]: ...

    async def add_token(self, token: Token) -> None:
        """Raises Malformed if the hash is stored already."""
        ...

    async def list_tokens(self, tenant_id: str) -> list[Token]: ...

    async def revoke_token(self, tenant_id: str, token_id: str) -> bool:
        """Whether there was one."""
        ...

    async def find_token(self, token_hash: str) -> Token | None: ...

    async def get_keys(self, tenant_id: str) -> SigningKeys | None: ...

    async def set_keys(self, tenant_id: str, keys: SigningKeys) -> None: ...

    async def rotate_keys(self, tenant_id: str, fresh: str) -> SigningKeys | None:
        """Rotate in one transaction; the keys as they now are, None for an unknown tenant."""
        ...


class Store(
    MessageStore,
    LogStore,
    DeadLetterStore,
    QueueStore,
    FlowControlStore,
    UrlGroupStore,
    ScheduleStore,
    UsageStore,
    TenantStore,
    Protocol,
):
    """All that is kept."""

    async def check(self, now: Instant) -> None:
        """Commit something small; raises StoreUnavailable if that is impossible."""
        ...

    async def purge(self, retention: Retention, limit: int) -> int:
        """Remove up to `limit` rows that outlived their retention; how many. Unfinished messages stay."""
        ...

    async def close(self) -> None:
        """Commit what was accepted, then release every resource. Idempotent."""
        ...


class OutgoingRequest(Struct, frozen=True):
    """The bytes to send. `url` is sent as it stands; `headers` in order and spelling."""

    method: str
    url: str
    headers: Headers
    body: bytes
    timeout_ms: int


class Sender(Protocol):
    """Calls a destination once."""

    async def send(self, request: OutgoingRequest) -> Outcome:
        """How it ended. Never raises for anything the far end or the network does."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    """The only reader of time."""

    def now(self) -> Instant: ...

    async def sleep_until(self, instant: Instant) -> None:
        """Return at or after the instant; at once if it has passed."""
        ...

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Return when the event is set or the instant has come, whichever is first; the event stays set."""
        ...


class Observer(Protocol):
    """Told of what happened, after the commit. Must be quick and never raise."""

    def events(self, events: Sequence[Event]) -> None: ...

    def note(self, name: str, **facts: object) -> None:
        """Something about the process itself, not about a message (`node_started`, `store_failed`)."""
        ...

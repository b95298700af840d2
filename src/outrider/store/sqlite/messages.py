"""Messages in and out: stored, leased, given back, looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection

from msgspec import Struct, structs

from outrider.domain.errors import LimitReached
from outrider.domain.event import EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.ports import Duplicate, Receipt, Stored
from outrider.store.sqlite.gates import Gates, next_opening
from outrider.store.sqlite.queries import SQL, insert_many, listed, read
from outrider.store.sqlite.rows import has_large_body, message_to_row, read_messages
from outrider.store.sqlite.usage import Tally

Batch = tuple[Sequence[Message], Instant, int | None]
"""What one caller of `add` gave: messages, now, and how many its tenant may publish a day."""

CLAIM_ROUNDS = 4
CLAIM_LOOK = 250
"""How often one claim looks again, and at how many messages, in the place of those that must wait for their keys."""


def add(connection: Connection, batches: Sequence[Batch]) -> list[list[Receipt] | LimitReached]:
    """Store what several callers gave, in as few statements as one caller's; each one's receipts, or its refusal."""
    memory = _remembered(connection, batches)
    tally = Tally(connection)
    fresh: list[Message] = []
    receipts = [_admit_all(batch, memory, tally, fresh) for batch in batches]
    gates = Gates(connection, max(now for _, now, _ in batches))
    held = insert_messages(connection, fresh, gates)
    gates.close()
    memory.write(connection)
    tally.write()
    if not held:
        return receipts
    return [
        own if isinstance(own, LimitReached) else [_as_it_stands(receipt, held) for receipt in own] for own in receipts
    ]


def _admit_all(batch: Batch, memory: _Memory, tally: Tally, fresh: list[Message]) -> list[Receipt] | LimitReached:
    """One caller's receipts, and its new messages to the `fresh` ones; or its refusal, and nothing of it is kept."""
    messages, now, per_day = batch
    mine: list[Message] = []
    receipts = [_admit(message, now, memory, mine) for message in messages]
    try:
        tally.count(mine, now, per_day)
    except LimitReached as refusal:
        memory.forget()
        return refusal
    memory.confirm()
    fresh += mine
    return receipts


def insert_messages(connection: Connection, messages: Sequence[Message], gates: Gates) -> Mapping[str, Message]:
    """Insert messages with their CREATED entries; by id those that a gate holds back, as they stand."""
    standing = gates.receive(messages)
    last = insert_many(connection, "insert_messages", [message_to_row(message) for message in standing])
    if last is None:
        return {}
    first = last - len(messages) + 1
    bodies = [(seq, message.body) for seq, message in enumerate(messages, first) if has_large_body(message)]
    insert_many(connection, "insert_bodies", bodies)
    connection.execute(SQL["log_creation"], {"first": first, "last": last})
    if standing is messages:
        return {}
    gates.place(first)
    return {now.id: now for now, offered in zip(standing, messages, strict=True) if now is not offered}


def _as_it_stands(receipt: Receipt, held: Mapping[str, Message]) -> Receipt:
    if isinstance(receipt, Stored) and receipt.message.id in held:
        return Stored(held[receipt.message.id])
    return receipt


class _Memory:
    """The messages that had certain deduplication keys first, and until when that counts."""

    def __init__(self, known: dict[tuple[str, str], tuple[str, Instant]]) -> None:
        self._known = known
        self._new: dict[tuple[str, str], tuple[str, Instant]] = {}
        self._unconfirmed: dict[tuple[str, str], tuple[str, Instant]] = {}

    def recall(self, key: tuple[str, str], now: Instant) -> str | None:
        first = self._unconfirmed.get(key) or self._known.get(key)
        return None if first is None or first[1] <= now else first[0]

    def keep(self, key: tuple[str, str], message_id: str, expires_at: Instant) -> None:
        """Remember until it is confirmed or forgotten."""
        self._unconfirmed[key] = (message_id, expires_at)

    def confirm(self) -> None:
        if self._unconfirmed:
            self._known |= self._unconfirmed
            self._new |= self._unconfirmed
            self._unconfirmed = {}

    def forget(self) -> None:
        self._unconfirmed = {}

    def write(self, connection: Connection) -> None:
        insert_many(connection, "remember_keys", [(*key, *first) for key, first in self._new.items()])


class _Remembered(Struct, array_like=True, frozen=True):
    tenant: str
    key: str
    message_id: str
    expires_at: Instant


def _remembered(connection: Connection, batches: Sequence[Batch]) -> _Memory:
    wanted = {
        (message.tenant, message.deduplication.key)
        for messages, _, _ in batches
        for message in messages
        if message.deduplication is not None
    }
    if not wanted:
        return _Memory({})
    rows = read(connection, "find_duplicates", {"wanted": listed(sorted(wanted))}, _Remembered)
    return _Memory({(row.tenant, row.key): (row.message_id, row.expires_at) for row in rows})


def _admit(message: Message, now: Instant, memory: _Memory, fresh: list[Message]) -> Receipt:
    """The message's receipt; one that is no duplicate joins the `fresh` ones."""
    if message.deduplication is not None:
        key = (message.tenant, message.deduplication.key)
        first = memory.recall(key, now)
        if first is not None:
            return Duplicate(first)
        memory.keep(key, message.id, now + message.deduplication.window_ms)
    fresh.append(message)
    return Stored(message)


def claim_due(
    connection: Connection, node: str, now: Instant, limit: int, excluding_hosts: frozenset[str]
) -> list[Message]:
    """Lease what is due and may pass, earliest first."""
    gates = Gates(connection, now)
    gates.open_due()
    wanted = {"now": now, "excluded_hosts": listed(sorted(excluding_hosts))}
    claimed: list[Message] = []
    look_at = limit
    for _ in range(CLAIM_ROUNDS):
        due = read(connection, "find_due", wanted | {"limit": look_at}, int)
        messages = read_messages(connection, due)
        passing = gates.ask(messages, due, limit - len(claimed))
        if passing:
            connection.execute(SQL["lease"], {"node": node, "seqs": listed(passing)})
            claimed += [structs.replace(messages[seq], state=MessageState.LEASED, lease=node) for seq in passing]
        if len(claimed) == limit or len(due) < look_at:
            break
        look_at = max(limit - len(claimed), CLAIM_LOOK)
    gates.close()
    return claimed


def next_due_at(connection: Connection, excluding_hosts: frozenset[str]) -> Instant | None:
    row = connection.execute(SQL["next_due_at"], {"excluded_hosts": listed(sorted(excluding_hosts))}).fetchone()
    return min((at for at in (next_opening(connection), row and row[0]) if at is not None), default=None)


class _Leased(Struct, array_like=True, frozen=True):
    seq: int
    cancel_requested: int


def give_back(connection: Connection, node: str, message_ids: Sequence[str], now: Instant) -> None:
    """End these leases of the node."""
    _end_leases(connection, read(connection, "leased_by_id", {"ids": listed(message_ids), "node": node}, _Leased), now)


def void_leases(connection: Connection, now: Instant) -> int:
    """End every lease; how many there were."""
    leased = read(connection, "leased_by_anyone", {}, _Leased)
    _end_leases(connection, leased, now)
    return len(leased)


def _end_leases(connection: Connection, leased: Sequence[_Leased], now: Instant) -> None:
    wanted = [row.seq for row in leased if not row.cancel_requested]
    unwanted = [row.seq for row in leased if row.cancel_requested]
    if wanted:
        connection.execute(SQL["end_leases"], {"seqs": listed(wanted)})
    if unwanted:
        end_canceled(connection, unwanted, now)
    gates = Gates(connection, now)
    gates.leave(put_back=wanted, finished=unwanted)
    gates.close()


def end_canceled(connection: Connection, seqs: Sequence[int], now: Instant) -> None:
    """CANCELED, with its entry."""
    connection.execute(SQL["cancel_messages"], {"seqs": listed(seqs), "now": now})
    log_for_all(connection, seqs, EventKind.CANCELED, now)


def log_for_all(connection: Connection, seqs: Sequence[int], kind: EventKind, now: Instant) -> None:
    connection.execute(SQL["log_entries"], {"seqs": listed(seqs), "kind": kind.value, "now": now})


def get_message(connection: Connection, tenant: str, message_id: str) -> Message | None:
    row = connection.execute(SQL["seq_of_message"], {"tenant": tenant, "id": message_id}).fetchone()
    return None if row is None else read_messages(connection, row).get(row[0])

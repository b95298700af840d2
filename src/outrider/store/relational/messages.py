"""Messages in and out: stored, leased, given back, looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from outrider.domain.errors import LimitReached
from outrider.domain.event import Event, EventKind
from outrider.domain.hosts import EVERY_HOST, Hosts
from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.ports import Duplicate, EndedLeases, Receipt, Stored
from outrider.store.relational.connection import Connection
from outrider.store.relational.gates import Gates, lock_gates, next_opening
from outrider.store.relational.rows import event_to_row
from outrider.store.relational.turns import FIRST, Candidate, Lane, look_at_lanes, take_turns
from outrider.store.relational.usage import Tally

Batch = tuple[Sequence[Message], Instant, int | None]
"""What one caller of `add` gave: messages, now, and how many its tenant may publish a day."""

CLAIM_ROUNDS = 4
CLAIM_LOOK = 250
"""How often one claim looks again, and at how many messages, in the place of those that must wait for their keys."""


async def add(connection: Connection, batches: Sequence[Batch]) -> list[list[Receipt] | LimitReached]:
    """Store what several callers gave, in as few statements as one caller's; each one's receipts, or its refusal."""
    await lock_gates(
        connection,
        (message for messages, _, _ in batches for message in messages),
        # Whoever is counted against a limit waits for those who are being counted.
        besides={message.tenant for messages, _, per_day in batches if per_day is not None for message in messages},
    )
    memory = await _remembered(connection, batches)
    tally = Tally(connection)
    fresh: list[Message] = []
    receipts = [await _admit_all(batch, memory, tally, fresh) for batch in batches]
    gates = Gates(connection, max(now for _, now, _ in batches))
    await tally.write()
    held = await insert_messages(connection, fresh, gates)
    await gates.close()
    await memory.write(connection)
    if not held:
        return receipts
    return [
        own if isinstance(own, LimitReached) else [_as_it_stands(receipt, held) for receipt in own] for own in receipts
    ]


async def _admit_all(batch: Batch, memory: _Memory, tally: Tally, fresh: list[Message]) -> list[Receipt] | LimitReached:
    """One caller's receipts, and its new messages to the `fresh` ones; or its refusal, and nothing of it is kept."""
    messages, now, per_day = batch
    mine: list[Message] = []
    receipts = [_admit(message, now, memory, mine) for message in messages]
    try:
        await tally.count(mine, now, per_day)
    except LimitReached as refusal:
        memory.forget()
        return refusal
    memory.confirm()
    fresh += mine
    return receipts


async def insert_messages(connection: Connection, messages: Sequence[Message], gates: Gates) -> Mapping[str, Message]:
    """Insert messages with their CREATED entries; by id those that a gate holds back, as they stand."""
    if not messages:
        return {}
    standing = await gates.receive(messages)
    seqs = await connection.insert_messages(standing)
    if standing is messages:
        return {}
    await gates.place(seqs)
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

    async def write(self, connection: Connection) -> None:
        await connection.insert("remember_keys", [(*key, *first) for key, first in self._new.items()])


class _Remembered(Struct, array_like=True, frozen=True):
    tenant: str
    key: str
    message_id: str
    expires_at: Instant


async def _remembered(connection: Connection, batches: Sequence[Batch]) -> _Memory:
    wanted = {
        (message.tenant, message.deduplication.key)
        for messages, _, _ in batches
        for message in messages
        if message.deduplication is not None
    }
    if not wanted:
        return _Memory({})
    await connection.lock_deduplications(wanted)
    rows = await connection.read("find_duplicates", _Remembered, wanted=sorted(wanted))
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


async def claim_due(
    connection: Connection,
    node: str,
    now: Instant,
    limit: int,
    hosts: Hosts,
    *,
    after: Lane | None = None,
    each: int | None = None,
) -> list[Message]:
    """Lease what is due and may pass: the earliest, or by turns from the lane that follows `after`."""
    if after is not None:
        fronts = await look_at_lanes(connection, after, hosts)
        lanes = fronts.due(now)
        if lanes or fronts.all:
            candidates = await take_turns(connection, lanes, now, room=limit, most=each or limit)
            return await _claim_candidates(connection, node, now, candidates)
    return await _claim_earliest(connection, node, now, limit, hosts)


async def _claim_earliest(connection: Connection, node: str, now: Instant, limit: int, hosts: Hosts) -> list[Message]:
    gates = Gates(connection, now)
    named = _named(hosts)
    tenants: list[str] = []
    if not connection.alone:
        tenants = await connection.read("claim_tenants", str, now=now, limit=limit, **named)
        await connection.lock_tenants(tenants)
    if connection.alone or tenants:
        await gates.open_due(tenants)
    claimed: list[Message] = []
    look_at = limit
    for _ in range(CLAIM_ROUNDS):
        due = await connection.read("find_due", int, now=now, limit=look_at, tenants=tenants, **named)
        claimed += await _lease(connection, gates, node, due, limit - len(claimed))
        if len(claimed) == limit or len(due) < look_at:
            break
        look_at = max(limit - len(claimed), CLAIM_LOOK)
    await gates.close()
    return claimed


async def _claim_candidates(
    connection: Connection, node: str, now: Instant, candidates: Sequence[Candidate]
) -> list[Message]:
    """Lease those that are still due. They were looked up first: they tell which locks it takes."""
    gates = Gates(connection, now)
    due = [candidate.seq for candidate in candidates]
    tenants: list[str] = []
    if not connection.alone:
        opening = await connection.read("claim_tenants", str, now=now, limit=0, **_named(EVERY_HOST))
        tenants = [*opening, *(one.tenant_of_key for one in candidates if one.tenant_of_key is not None)]
        await connection.lock_tenants(tenants)
        free = set(await connection.read("take_due", int, seqs=due)) if due else set()
        due = [seq for seq in due if seq in free]
    if connection.alone or tenants:
        await gates.open_due(tenants)
    claimed = await _lease(connection, gates, node, due, len(due))
    await gates.close()
    return claimed


async def _lease(connection: Connection, gates: Gates, node: str, due: Sequence[int], room: int) -> list[Message]:
    """Those of the due messages that may pass, in order, up to `room`, now leased to the node."""
    messages = await connection.read_messages(due)
    passing = await gates.ask(messages, due, room)
    if passing:
        await connection.execute("lease", node=node, seqs=passing)
    return [structs.replace(messages[seq], state=MessageState.LEASED, lease=node) for seq in passing]


async def next_due_at(connection: Connection, hosts: Hosts) -> Instant | None:
    """When a claim may next find something."""
    opening = await next_opening(connection)
    due_at = await _next_due_at(connection, hosts)
    return min((at for at in (opening, due_at) if at is not None), default=None)


async def make_due(connection: Connection, tenant: str, message_id: str, now: Instant) -> bool:
    """A message that waits for its time waits no more; whether there is one of that id."""
    row = await connection.row("find_delayed", tenant=tenant, id=message_id)
    if row is None:
        return False
    await connection.execute("make_due", seqs=[row[0]], now=now)
    event = Event(tenant=tenant, message_id=message_id, kind=EventKind.RETRY, time=now, next_delivery_at=now)
    await connection.insert("insert_events", [event_to_row(row[0], event)])
    return True


async def _next_due_at(connection: Connection, hosts: Hosts) -> Instant | None:
    if hosts.leave_any_out:
        fronts = await look_at_lanes(connection, FIRST, hosts)
        if fronts.all:
            return fronts.next_due_at()
    row = await connection.row("next_due_at", **_named(hosts))
    return None if row is None else row[0]


def _named(hosts: Hosts) -> dict[str, Any]:
    """As the queries want them."""
    return {"hosts": sorted(hosts.names), "are_all": hosts.are_all}


class Leased(Struct, array_like=True, frozen=True):
    """A message that a node holds."""

    seq: int
    id: str
    tenant: str
    cancel_requested: int


async def give_back(connection: Connection, node: str, message_ids: Sequence[str], now: Instant) -> EndedLeases:
    """End these leases of the node."""
    if not connection.alone:
        await connection.lock_tenants(await connection.read("gated_tenants", str, ids=message_ids))
    leased = await connection.read("leased_by_id", Leased, ids=message_ids, node=node)
    return await end_leases(connection, leased, now)


async def end_leases(connection: Connection, leased: Sequence[Leased], now: Instant) -> EndedLeases:
    """What nobody holds any more is DUE again, as it was before; CANCELED where that was requested."""
    if not leased:
        return EndedLeases()
    wanted = [row.seq for row in leased if not row.cancel_requested]
    unwanted = [row.seq for row in leased if row.cancel_requested]
    if wanted:
        await connection.execute("end_leases", seqs=wanted)
    if unwanted:
        await end_canceled(connection, unwanted, now)
    gates = Gates(connection, now)
    await gates.leave(put_back=wanted, finished=unwanted)
    await gates.close()
    return EndedLeases(
        count=len(leased),
        canceled=tuple(
            Event(tenant=row.tenant, message_id=row.id, kind=EventKind.CANCELED, time=now)
            for row in leased
            if row.cancel_requested
        ),
    )


async def end_canceled(connection: Connection, seqs: Sequence[int], now: Instant) -> None:
    """CANCELED, with its entry."""
    await connection.execute("cancel_messages", seqs=seqs, now=now)
    await log_for_all(connection, seqs, EventKind.CANCELED, now)


async def log_for_all(connection: Connection, seqs: Sequence[int], kind: EventKind, now: Instant) -> None:
    """The same entry for each."""
    await connection.execute("log_entries", seqs=seqs, kind=kind.value, now=now)


async def get_message(connection: Connection, tenant: str, message_id: str) -> Message | None:
    row = await connection.row("seq_of_message", tenant=tenant, id=message_id)
    return None if row is None else (await connection.read_messages(row)).get(row[0])

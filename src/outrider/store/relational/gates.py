"""The two gates that messages pass on their way, and the one object that minds both in a transaction.

    what happens              its queue                          its key
    ───────────────────────── ────────────────────────────────── ──────────────────────────────────────────
    added                     takes a slot if one is free and    asked next. LEASED: admitted if nothing
                              nobody waits, else HELD in line     waits and the budget allows, else HELD on
                                                                  the list. DUE now: HELD if it could not
                                                                  be admitted, else asked when claimed.
                                                                  DUE later: asked when claimed
    claimed                                                      asked as above, unless admitted already
    attempt failed, retried   keeps its slot                     ends; asked anew when claimed
    lease given back, voided  keeps its slot                     ends; back to where it stood on the list
    finished                  its slot is free once its          ends
                              callbacks are finished too
    cancelled while HELD      leaves the line                    leaves the list

    a slot is free            the first in line takes it, DUE
    a key has room                                               the first on the list is admitted, DUE

Room comes by what ends, by a change of limits, a resume, a reset, and (a key's) by time: the end of a
window. One transaction lets at most RELEASE_MOST through; where there is room for more, `opens_at`
says so, and the next claim goes on. It is also where the end of a window stands, so a claim finds
what is to be opened by one look at an index.

A message in the line of a queue is not known to its key yet. What a queue lets through is asked by
its key like any other message that is due. A slot is known by the id of its queue, which is never
given twice: who holds one of a deleted queue goes on without it.

Messages that pass no gate have no row in `gated` and cost no statement here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.store.relational.connection import Connection
from outrider.store.relational.flow_keys import WaitLists
from outrider.store.relational.queues import Lines


class Standing(Struct, array_like=True):
    """Where a message stands: a row of `gated`, whose columns the schema describes."""

    message: int
    line: int | None = None
    slot: int | None = None
    wait_list: int | None = None
    place: int | None = None
    admitted: int | None = None
    source: int | None = None

    @property
    def matters(self) -> bool:
        return any(fact is not None for fact in (self.line, self.slot, self.wait_list, self.admitted, self.source))


class _Holder(Struct, array_like=True, frozen=True):
    id: str
    seq: int


class _Slot(Struct, array_like=True, frozen=True):
    message: int
    queue: int


async def lock_gates(connection: Connection, messages: Iterable[Message], *, besides: Iterable[str] = ()) -> None:
    """To be called first in a transaction that adds or ends these messages: nobody else is at the gates they pass.

    Tenants `besides` are locked whatever their messages pass.
    """
    if connection.alone:
        return
    passing = [message for message in messages if meets_gate(message)]
    tenants = set(besides)
    tenants.update(
        message.tenant for message in passing if message.queue is not None or message.options.flow_control is not None
    )
    # A callback has to do with a gate only where the message it reports holds a slot.
    related = [
        id_
        for message in passing
        if message.callback_of is not None and message.tenant not in tenants
        for id_ in (message.id, message.callback_of)
    ]
    if related:
        tenants.update(await connection.read("gated_tenants", str, ids=related))
    await connection.lock_tenants(tenants)


def meets_gate(message: Message) -> bool:
    """Whether a gate may have to do with the message. Callbacks may keep a slot from being free."""
    return message.queue is not None or message.callback_of is not None or message.options.flow_control is not None


class Gates:
    """What one operation changes at the gates. `close` ends it; until then nothing may be read of the gates.

    Args:
        now: of several callers' moments the latest.
    """

    def __init__(self, connection: Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now
        self._lines = Lines(connection, now)
        self._wait_lists = WaitLists(connection, now)
        self._arrivals: list[Standing] = []
        self._maybe_free: set[int] = set()

    # In

    async def receive(self, messages: Sequence[Message]) -> Sequence[Message]:
        """New messages as they stand, some of them HELD. Once they are inserted, `place` must follow."""
        if not any(map(meets_gate, messages)):
            return messages
        await self._lines.meet(messages)
        await self._wait_lists.meet(messages)
        for message in messages:
            self._wait_lists.configure(message)
        # Those who waited before come first, where the new limits have made room.
        await self._wait_lists.release()
        sources = await self._slot_holders(messages)
        return [self._receive(index, message, sources) for index, message in enumerate(messages)]

    async def place(self, seqs: Sequence[int]) -> None:
        """The received messages were inserted, each with its `seq`."""
        for standing in self._arrivals:
            standing.message = seqs[standing.message]
        await self._write(self._arrivals)
        self._arrivals = []

    def _receive(self, index: int, message: Message, sources: Mapping[str, int]) -> Message:
        """The message as it stands; if that is to be remembered, its standing joins the arrivals."""
        standing = Standing(index, source=None if message.callback_of is None else sources.get(message.callback_of))
        waits = False
        if message.queue is not None:
            line = self._lines.of(message)
            waits = not line.takes()
            if waits:
                standing.line = line.id
            else:
                standing.slot = line.id
        if not waits and message.options.flow_control is not None:
            waits = self._ask_arrival(message, standing)
        if standing.matters:
            self._arrivals.append(standing)
        return structs.replace(message, state=MessageState.HELD, lease=None) if waits else message

    def _ask_arrival(self, message: Message, standing: Standing) -> bool:
        """Whether the message must wait for its key."""
        if message.state is MessageState.LEASED:
            return not self._ask(message, standing)
        if message.due_at > self._now or self._wait_lists.of(message).admits(self._now):
            return False
        self._hold(message, standing)
        return True

    async def _slot_holders(self, messages: Sequence[Message]) -> Mapping[str, int]:
        """Of the messages that these are callbacks of, those which hold a slot: id to seq."""
        ids = {message.callback_of for message in messages if message.callback_of is not None}
        if not ids:
            return {}
        holders = await self._connection.read("slot_holders", _Holder, ids=sorted(ids))
        return {holder.id: holder.seq for holder in holders}

    # On the way

    async def open_due(self, tenants: Sequence[str]) -> None:
        """Let through what time or an unfinished release has let come; of these tenants, where others may do so too."""
        await self._wait_lists.meet_opening(tenants)
        await self._lines.meet_opening(tenants)
        await self._wait_lists.release()
        await self._lines.release()

    async def ask(self, due: Mapping[int, Message], order: Sequence[int], room: int) -> list[int]:
        """The first messages that may pass, up to `room`; those before the last of them that may not are HELD now."""
        keyed = {seq: message for seq, message in due.items() if message.options.flow_control is not None}
        if not keyed:
            return list(order[:room])
        await self._wait_lists.meet(list(keyed.values()))
        known = {standing.message: standing for standing in await self._standings(list(keyed))}
        asked: list[Standing] = []
        held: set[int] = set()
        passing: list[int] = []
        for seq in order:
            if len(passing) == room:
                break
            if seq in keyed:
                standing = known.get(seq) or Standing(seq)
                if standing.admitted is None:
                    asked.append(standing)
                    if not self._ask(keyed[seq], standing):
                        held.add(seq)
                        continue
            passing.append(seq)
        await self._write(asked)
        await self._hold_messages(held)
        return passing

    def _ask(self, message: Message, standing: Standing) -> bool:
        """Whether the message's key admits it; it joins the wait list if not."""
        key = self._wait_lists.of(message)
        if not key.admits(self._now):
            self._hold(message, standing)
            return False
        standing.place = key.start(self._now)
        standing.admitted = key.id
        return True

    def _hold(self, message: Message, standing: Standing) -> None:
        key = self._wait_lists.of(message)
        standing.place = key.hold()
        standing.wait_list = key.id

    # Out

    async def leave(
        self, *, retried: Sequence[int] = (), put_back: Sequence[int] = (), finished: Sequence[int] = ()
    ) -> None:
        """Messages, by `seq`, whose attempt has failed but not for ever, never began, or that are finished.

        Their rows say so already.
        """
        standings = await self._standings([*retried, *put_back, *finished])
        if not standings:
            return
        await self._wait_lists.load(
            key for row in standings for key in (row.admitted, row.wait_list) if key is not None
        )
        await self._lines.load(row.line for row in standings if row.line is not None)
        back, over = set(put_back), set(finished)
        held: set[int] = set()
        for standing in standings:
            key, standing.admitted = standing.admitted, None
            if key is not None:
                self._wait_lists.end(key)
                if standing.message in back:
                    self._wait_lists.hold_again(key)
                    standing.wait_list = key
                    held.add(standing.message)
            if standing.message in over:
                self._finish(standing)
            if standing.wait_list is None:
                standing.place = None
        await self._write(standings)
        await self._hold_messages(held)
        await self._wait_lists.release()

    async def close(self) -> None:
        """Free the slots of those who are finished, let through who takes them, and store the counts."""
        if self._maybe_free:
            await self._free_slots()
        await self._lines.release()
        await self._lines.write()
        await self._wait_lists.write()

    def _finish(self, standing: Standing) -> None:
        if standing.line is not None:
            self._lines.leave(standing.line)
        if standing.wait_list is not None:
            self._wait_lists.drop(standing.wait_list)
        if standing.slot is not None:
            self._maybe_free.add(standing.message)
        if standing.source is not None:
            self._maybe_free.add(standing.source)
        standing.line = standing.wait_list = standing.source = None

    async def _free_slots(self) -> None:
        slots = await self._connection.read("slots_to_free", _Slot, messages=sorted(self._maybe_free))
        await self._connection.execute("forget_standings", messages=[slot.message for slot in slots])
        await self._lines.load(slot.queue for slot in slots)
        for slot in slots:
            self._lines.free(slot.queue)
        self._maybe_free = set()

    # Rows

    async def _standings(self, messages: Sequence[int]) -> list[Standing]:
        return await self._connection.read("standings", Standing, messages=messages)

    async def _write(self, standings: Iterable[Standing]) -> None:
        kept = [structs.astuple(standing) for standing in standings if standing.matters]
        gone = [standing.message for standing in standings if not standing.matters]
        await self._connection.insert("write_standings", kept)
        if gone:
            await self._connection.execute("forget_standings", messages=gone)

    async def _hold_messages(self, messages: set[int]) -> None:
        if messages:
            await self._connection.execute("hold", messages=sorted(messages))


async def next_opening(connection: Connection) -> Instant | None:
    """When a claim may next let something through; None if time brings nothing."""
    openings = [await connection.row(query) for query in ("next_queue_opening", "next_key_opening")]
    return min((row[0] for row in openings if row is not None and row[0] is not None), default=None)

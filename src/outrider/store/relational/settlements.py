"""Carrying out settlements: the one place where an attempt changes what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.settlement import Settlement, honour_cancellation
from outrider.ports import Applied, LeaseLost, Verdict
from outrider.store.relational.connection import Connection
from outrider.store.relational.gates import Gates, lock_gates, meets_gate
from outrider.store.relational.messages import insert_messages
from outrider.store.relational.rows import dead_letter_to_row, event_to_row

Batch = tuple[Sequence[Settlement], Instant]
"""What one caller of `apply` gave."""


class _Standing(Struct, array_like=True, frozen=True):
    """What is stored of a message that somebody wants settled."""

    id: str
    seq: int
    tenant: str
    state: MessageState
    lease: str | None
    retried: int
    cancel_requested: int


Effect = tuple[int, Settlement, Instant]
"""The message's `seq`, what is to happen to it, and when that is."""


async def apply(connection: Connection, batches: Sequence[Batch]) -> list[list[Verdict]]:
    """Carry out what several callers gave, in as few statements as one caller's; each one's verdicts."""
    await lock_gates(connection, (settlement.message for settlements, _ in batches for settlement in settlements))
    ids = [settlement.message.id for settlements, _ in batches for settlement in settlements]
    standing = {row.id: row for row in await connection.read("standing", _Standing, ids=ids)}
    effects: list[Effect] = []
    verdicts = [
        [_judge(settlement, now, standing, effects) for settlement in settlements] for settlements, now in batches
    ]
    held = await _carry_out(connection, effects, max(now for _, now in batches))
    return [[_as_stored(verdict, held) for verdict in own] for own in verdicts] if held else verdicts


def _judge(settlement: Settlement, now: Instant, standing: dict[str, _Standing], effects: list[Effect]) -> Verdict:
    """Whether the settlement's fence holds; what it comes to joins the `effects`."""
    message = settlement.message
    row = standing.get(message.id)
    if (
        row is None
        or row.state is not MessageState.LEASED
        or row.lease != message.lease
        or row.retried != message.retried
        or row.tenant != message.tenant
    ):
        return LeaseLost(message.id)
    # Whatever else is offered for this message has come too late.
    del standing[message.id]
    effective = honour_cancellation(settlement) if row.cancel_requested else settlement
    effects.append((row.seq, effective, now))
    return Applied(effective)


async def _carry_out(connection: Connection, effects: Sequence[Effect], now: Instant) -> Mapping[str, Message]:
    """By id the follow-ups that a gate holds back, as they stand."""
    await connection.insert("settle_messages", [_new_state(*effect) for effect in effects])
    await connection.insert(
        "insert_events", [event_to_row(seq, event) for seq, settlement, _ in effects for event in settlement.events]
    )
    await connection.insert(
        "insert_dead_letters",
        [
            dead_letter_to_row(seq, settlement.dead_letter)
            for seq, settlement, _ in effects
            if settlement.dead_letter is not None
        ],
    )
    gates = Gates(connection, now)
    passing = [
        (seq, settlement.state is MessageState.DUE) for seq, settlement, _ in effects if meets_gate(settlement.message)
    ]
    if passing:
        await gates.leave(
            retried=[seq for seq, is_retried in passing if is_retried],
            finished=[seq for seq, is_retried in passing if not is_retried],
        )
    follow_ups = [message for _, settlement, _ in effects for message in settlement.follow_ups]
    held = await insert_messages(connection, follow_ups, gates)
    await gates.close()
    return held


def _as_stored(verdict: Verdict, held: Mapping[str, Message]) -> Verdict:
    if not isinstance(verdict, Applied):
        return verdict
    settlement = verdict.settlement
    follow_ups = tuple(held.get(message.id, message) for message in settlement.follow_ups)
    return (
        verdict if follow_ups == settlement.follow_ups else Applied(structs.replace(settlement, follow_ups=follow_ups))
    )


def _new_state(seq: int, settlement: Settlement, now: Instant) -> tuple[object, ...]:
    """The columns of `settle_messages`."""
    message = settlement.message
    if settlement.state is MessageState.DUE:
        due_at = message.due_at if settlement.due_at is None else settlement.due_at
        return seq, settlement.state.value, due_at, message.retried + 1, None
    return seq, settlement.state.value, message.due_at, message.retried, now

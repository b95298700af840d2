"""What must be true once all has come to rest: every message has ended once, and all accounts agree."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.simulation.model import Model
from tests.simulation.node import Node
from tests.simulation.records import Letter, Record

from outrider.domain.attempt import Delivered
from outrider.domain.event import EventKind
from outrider.domain.message import MessageState
from outrider.domain.query import LogQuery, MessageFilter
from outrider.store.sqlite.connection import run_now

LETTERS = {
    EventKind.CREATED: "C",
    EventKind.ACTIVE: "a",
    EventKind.ERROR: "E",
    EventKind.RETRY: "R",
    EventKind.DELIVERED: "D",
    EventKind.FAILED: "F",
    EventKind.CANCEL_REQUESTED: "q",
    EventKind.CANCELED: "X",
}

PATH = re.compile(r"C(ER)*(D|EF|E?X)")
"""What a log may say, but for ACTIVE, whose entry may be late or lost, and the request of a cancellation."""


def check_rest(model: Model, nodes: Iterable[Node], *, clocks_agree: bool) -> None:
    """Nothing is under way any more, on any of these nodes or in the store."""
    for record in model.records.values():
        _check_end(model, record)
        _check_log(model, record, clocks_agree=clocks_agree)
    for letter_id, letter in model.letters.items():
        _check_letter(model, letter_id, letter)
    for node in nodes:
        held = node.engine.dispatcher.in_flight
        if held:
            model.violate("place lost", node.process.name, f"counts {held} messages in its window, and there are none")
    check_store(model)


def check_store(model: Model) -> None:
    """Nothing is stored that cannot be."""
    for violation in run_now(model.truth.inspect()):
        subject = model.records.get(violation.subject)
        model.violate("inspection", violation.subject if subject is None else subject.name, violation.fault)


def _check_letter(model: Model, letter_id: str, letter: Letter) -> None:
    is_there = run_now(model.truth.get_dead_letter(model.tenant, letter_id)) is not None
    if is_there and model.retention.letter_must_be_gone(letter, model.now):
        model.violate("kept", letter.record.name, "is in the dead-letter queue, and has outlived its retention")
    is_lost = letter.fate == "there" and not is_there and not model.retention.letter_may_be_gone(letter, model.now)
    if is_lost or (letter.fate in {"retried", "deleted"} and is_there):
        model.violate("dead letter", letter.record.name, f"was {letter.fate}, and the store disagrees")


def _check_end(model: Model, record: Record) -> None:
    stored = model.stored_now(record.message.id)
    if stored is None and model.retention.may_be_gone(record, model.now):
        return
    if stored is not None and model.retention.must_be_gone(record, model.now) and not _is_dead_letter(model, record):
        model.violate("kept", record.name, "is stored, and has outlived its retention")
    if stored is None or not stored.state.finished or stored.state is not record.state:
        found = "nothing" if stored is None else stored.state
        model.violate("lost", record.name, f"ended as {record.state}, and the store has {found}")
        return
    outcomes = [attempt.outcome for attempt in record.attempts if isinstance(attempt.outcome, Delivered)]
    if stored.state is MessageState.DELIVERED and not outcomes:
        model.violate("delivered unseen", record.name, "is DELIVERED, and no destination took it")
    if stored.state is MessageState.CANCELED and record.cancel_requested is None:
        model.violate("canceled unasked", record.name, "is CANCELED, and nobody asked for it")


def _is_dead_letter(model: Model, record: Record) -> bool:
    return any(
        letter.record is record and run_now(model.truth.get_dead_letter(model.tenant, letter_id)) is not None
        for letter_id, letter in model.letters.items()
    )


def _check_log(model: Model, record: Record, *, clocks_agree: bool) -> None:
    if model.retention.entries_may_be_gone(record, model.now):
        return
    query = LogQuery(filter=MessageFilter(ids=(record.message.id,)), latest_first=False, count=1000)
    entries = [entry.event for entry in run_now(model.truth.list_log(model.tenant, query)).items]
    path = "".join(LETTERS[event.kind] for event in entries)
    steps = path.replace("a", "").replace("q", "")
    if not clocks_agree:
        # Entries are in the order of their time, of which each node had its own.
        steps = "C" + "ER" * steps.count("R") + "E" * (steps.count("E") - steps.count("R")) + steps.strip("CER")[-1:]
    legal = PATH.fullmatch(steps) is not None and path.count("C") == 1
    if not legal or path.count("R") != sum(each.state is MessageState.DUE for _, each in record.settlements):
        model.violate("log", record.name, f"has the entries {path}")

"""What the service has promised, and what of that is not so after the power was lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any

from outrider.domain.errors import Unavailable
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.domain.query import DeadLetterQuery, LogQuery
from outrider.domain.settlement import dead_letter_id
from outrider.ports import Store

FINISHES = frozenset({EventKind.DELIVERED, EventKind.FAILED, EventKind.CANCELED})

Fact = tuple[str, str]
"""A kind of thing and its name: ("queue", "letters")."""


class Account:
    """Promises, noted as they are answered.

    Args:
        retention_ms: how long what is finished is kept.
    """

    def __init__(self, retention_ms: int) -> None:
        self.accepted: dict[str, bytes] = {}
        self.refused: set[bytes] = set()
        self.told: list[Event] = []
        self.faults: list[str] = []
        self._finished_at: dict[str, Instant] = {}
        self.facts: dict[Fact, Any] = {}
        self._batches: dict[bytes, int] = {}
        self._unanswered: set[Fact] = set()
        self._undecided: set[Fact] = set()
        self._retention_ms = retention_ms

    # What a producer, a destination and an observer see

    async def publish(self, body: bytes, publishing: Awaitable[Any]) -> None:
        """Publish one message."""
        try:
            publication = await publishing
        except Unavailable:
            self.refused.add(body)
            raise
        if not publication.deduplicated:
            self.accepted[publication.message_id] = body

    async def publish_together(self, batch: bytes, size: int, publishing: Awaitable[Iterable[Any]]) -> None:
        """Publish so many messages in one transaction; each body is `part_of(batch, number)`."""
        self._batches[batch] = size
        try:
            publications = await publishing
        except Unavailable:
            self.refused.update(part_of(batch, number) for number in range(size))
            raise
        del self._batches[batch]
        for number, publication in enumerate(publications):
            self.accepted[publication.message_id] = part_of(batch, number)

    async def change(self, fact: Fact, value: Any, changing: Awaitable[Any]) -> None:
        """Change something; until that is answered it may be as before or as it will be."""
        self._unanswered.add(fact)
        await changing
        self._unanswered.discard(fact)
        self.facts[fact] = value

    def events(self, events: Iterable[Event]) -> None:
        """As an Observer is told."""
        for event in events:
            self.told.append(event)
            # Whom it finds with a cancellation requested, a start cancels, and tells nobody.
            if event.kind in FINISHES or event.kind is EventKind.CANCEL_REQUESTED:
                self._finished_at[event.message_id] = event.time

    def note(self, name: str, **said: object) -> None:
        if name.endswith("faulted"):
            self.faults.append(f"{name}: {said}")

    def is_changing(self, fact: Fact) -> bool:
        return fact in self._unanswered

    def forget_unanswered(self) -> None:
        """Whatever was being changed may be either way for ever."""
        self._undecided |= self._unanswered
        for fact in self._unanswered:
            self.facts.pop(fact, None)
        self._unanswered.clear()

    # What is found

    async def check(self, store: Store, tenant: str, now: Instant, *, refused: bool = False) -> list[str]:
        """What is not as it was promised, as sentences; none is right. What is found is promised from now on.

        Args:
            refused: whether what was refused must not be there either.
        """
        entries = [entry async for entry in _log(store, tenant)]
        messages = {entry.message.id: entry.message for entry in entries}
        for message_id in self.accepted.keys() - messages.keys():
            # It may have outlived its entries.
            message = await store.get_message(tenant, message_id)
            if message is not None:
                messages[message_id] = message
        events = [entry.event for entry in entries]
        letters = {letter.message.id: letter.id async for letter in _dead_letters(store, tenant)}
        broken = [
            *self._lost_messages(messages, now),
            *self._lost_entries(events, set(messages), now),
            *self._half_batches(messages),
            *self._contradictions(messages, events, letters, now),
            *await self._lost_changes(store, tenant, letters),
            *self.faults,
        ]
        if refused:
            bodies = {message.body for message in messages.values()}
            broken += [f"{body[:10]!r} was refused, and is stored" for body in self.refused & bodies]
        self.told.clear()
        self.events(events)
        self.accepted |= {message.id: message.body for message in messages.values()}
        self._batches.clear()
        return broken

    def _lost_messages(self, messages: dict[str, Message], now: Instant) -> Iterator[str]:
        outlived = self._outlived(now)
        for message_id, body in self.accepted.items():
            message = messages.get(message_id)
            if message is None:
                if message_id not in outlived:
                    yield f"{message_id} was accepted, and is lost"
            elif message.body != body:
                yield f"{message_id} was accepted, and is another"

    def _lost_entries(self, events: list[Event], there: set[str], now: Instant) -> Iterator[str]:
        found = {_key(event) for event in events}
        outlived = self._outlived(now)
        for event in self.told:
            may_be_gone = event.time < now - self._retention_ms or event.message_id in outlived - there
            if _key(event) not in found and not may_be_gone:
                yield f"{event.message_id} was told to be {event.kind}, and is not"

    def _half_batches(self, messages: dict[str, Message]) -> Iterator[str]:
        bodies = {message.body for message in messages.values()}
        for batch, size in self._batches.items():
            parts = sum(part_of(batch, number) in bodies for number in range(size))
            if parts not in {0, size}:
                yield f"{parts} of {size} messages of {batch[:10]!r} are there"

    async def _lost_changes(self, store: Store, tenant: str, letters: dict[str, str]) -> list[str]:
        found: dict[Fact, Any] = {("queue", queue.name): queue.paused for queue in await store.list_queues(tenant)}
        found |= {("schedule", schedule.id): schedule.cron for schedule in await store.list_schedules(tenant)}
        found |= {("dead letter", letter_id): True for letter_id in letters.values()}
        return [
            f"{kind} {name} was to be {value}, and is {found.get((kind, name))}"
            for (kind, name), value in self.facts.items()
            if found.get((kind, name)) != value
        ]

    def _contradictions(
        self, messages: dict[str, Message], events: list[Event], letters: dict[str, str], now: Instant
    ) -> Iterator[str]:
        """What one transaction writes, and is there in part."""
        log: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            log[event.message_id].append(event)
        for message in messages.values():
            kinds = [event.kind for event in log[message.id]]
            ends = [kind.value.lower() for kind in kinds if kind in FINISHES]
            if kinds and ends != ([message.state.value] if message.state.finished else []):
                yield f"{message.id} is {message.state}, and its log says {ends}"
            if EventKind.CREATED not in kinds and message.created_at >= now - self._retention_ms:
                yield f"{message.id} is there without its beginning"
        for event in events:
            if event.kind is not EventKind.FAILED or event.time < now - self._retention_ms:
                continue
            letter = ("dead letter", dead_letter_id(messages[event.message_id], event.time))
            if letter[1] not in letters.values() and letter not in self.facts.keys() | self._undecided:
                yield f"{event.message_id} failed, and is no dead letter"

    def _outlived(self, now: Instant) -> set[str]:
        """Messages that finished so long ago that they may have been removed."""
        return {message_id for message_id, at in self._finished_at.items() if at < now - self._retention_ms}


def part_of(batch: bytes, number: int) -> bytes:
    return b"%s, part %d" % (batch, number)


def _key(event: Event) -> tuple[str, EventKind, Instant]:
    return event.message_id, event.kind, event.time


async def _log(store: Store, tenant: str):
    cursor = None
    while True:
        page = await store.list_log(tenant, LogQuery(latest_first=False, count=1000, cursor=cursor))
        for entry in page.items:
            yield entry
        if (cursor := page.cursor) is None:
            return


async def _dead_letters(store: Store, tenant: str):
    cursor = None
    while True:
        page = await store.list_dead_letters(tenant, DeadLetterQuery(count=1000, cursor=cursor))
        for letter in page.items:
            yield letter
        if (cursor := page.cursor) is None:
            return

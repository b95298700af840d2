"""Values as rows, and rows as values."""

from __future__ import annotations

from msgspec import Struct, json

from outrider.domain.attempt import Response
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, DeduplicationKey, Message, MessageState
from outrider.domain.options import DeliveryOptions, Headers
from outrider.store.relational.connection import Row


def as_json(value: object) -> str:
    return json.encode(value).decode()


def message_to_row(message: Message, body: bytes | None) -> Row:
    """The columns of `insert_messages`; the body may stand elsewhere."""
    options = message.options
    deduplication = message.deduplication
    return (
        message.id,
        message.tenant,
        message.state.value,
        message.due_at,
        message.retried,
        message.lease,
        message.cancel_requested,
        message.finished_at,
        message.created_at,
        message.not_before,
        message.host,
        message.path,
        message.url,
        message.queue,
        message.group,
        message.endpoint,
        message.schedule_id,
        None if options.flow_control is None else options.flow_control.key,
        as_json(options.labels) if options.labels else None,
        message.caller_ip,
        message.callback_of,
        None if deduplication is None else deduplication.key,
        None if deduplication is None else deduplication.window_ms,
        as_json(options),
        body,
    )


class MessageRow(Struct, array_like=True, frozen=True):
    """What `messages_by_seq` reads of a message, in its order."""

    seq: int
    id: str
    tenant: str
    state: MessageState
    due_at: Instant
    retried: int
    lease: str | None
    cancel_requested: int
    finished_at: Instant | None
    created_at: Instant
    not_before: Instant
    url: str
    queue: str | None
    group: str | None
    endpoint: str | None
    schedule_id: str | None
    caller_ip: str | None
    callback_of: str | None
    deduplication_key: str | None
    deduplication_window_ms: int | None
    options: DeliveryOptions
    body: str

    def value(self, large_body: bytes | None = None) -> Message:
        """The message; a body that stands elsewhere takes the place of the row's."""
        return Message(
            id=self.id,
            tenant=self.tenant,
            url=self.url,
            options=self.options,
            body=bytes.fromhex(self.body) if large_body is None else large_body,
            created_at=self.created_at,
            not_before=self.not_before,
            state=self.state,
            due_at=self.due_at,
            retried=self.retried,
            lease=self.lease,
            queue=self.queue,
            group=self.group,
            endpoint=self.endpoint,
            schedule_id=self.schedule_id,
            caller_ip=self.caller_ip,
            callback_of=self.callback_of,
            deduplication=None
            if self.deduplication_key is None
            else DeduplicationKey(self.deduplication_key, self.deduplication_window_ms or 0),
            cancel_requested=bool(self.cancel_requested),
            finished_at=self.finished_at,
        )


class ResponseRow(Struct, array_like=True, frozen=True):
    """The four columns of a response; all NULL where there was none."""

    status: int | None
    headers: Headers | None
    truncated: int | None
    body: str

    def value(self) -> Response | None:
        if self.status is None:
            return None
        return Response(self.status, self.headers or (), bytes.fromhex(self.body), bool(self.truncated))


_NO_RESPONSE = (None, None, None, None)


def response_to_columns(response: Response | None) -> Row:
    """Status, headers, truncated, body."""
    if response is None:
        return _NO_RESPONSE
    return response.status, as_json(response.headers), response.truncated, response.body


def event_to_row(seq: int, event: Event) -> Row:
    """The columns of `insert_events`, for an event of the message at `seq`."""
    return (
        seq,
        event.tenant,
        event.time,
        event.kind.value,
        event.next_delivery_at,
        event.duration_ms,
        event.error,
        *response_to_columns(event.response),
    )


class EventRow(Struct, array_like=True, frozen=True):
    """What `events_by_id` reads of an entry, in its order."""

    id: int
    message: int
    tenant: str
    time: Instant
    kind: EventKind
    next_delivery_at: Instant | None
    duration_ms: int | None
    error: str | None
    response: ResponseRow

    def value(self, message_id: str) -> Event:
        return Event(
            tenant=self.tenant,
            message_id=message_id,
            kind=self.kind,
            time=self.time,
            error=self.error,
            next_delivery_at=self.next_delivery_at,
            response=self.response.value(),
            duration_ms=self.duration_ms,
        )


def dead_letter_to_row(seq: int, letter: DeadLetter) -> Row:
    """The columns of `insert_dead_letters`, for the message at `seq`."""
    return (
        letter.message.tenant,
        letter.id,
        seq,
        letter.failed_at,
        letter.error,
        *response_to_columns(letter.response),
    )


class DeadLetterRow(Struct, array_like=True, frozen=True):
    """What `dead_letters_by_id` reads of a dead letter, in its order."""

    id: str
    message: int
    failed_at: Instant
    error: str
    response: ResponseRow

    def value(self, message: Message) -> DeadLetter:
        return DeadLetter(
            id=self.id, message=message, failed_at=self.failed_at, response=self.response.value(), error=self.error
        )

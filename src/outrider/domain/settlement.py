"""The state table, and `settle`: what an attempt's outcome means for its message.

    state       event                                          next state   entries
    ─────────── ────────────────────────────────────────────── ──────────── ───────────────────────
    (none)      published, due now, its node has room          LEASED       CREATED
    (none)      published, due later or no room                DUE          CREATED
    (none)      published behind a queue, a key or a pause     HELD         CREATED
    HELD        released                                       DUE | LEASED
    DUE         told to go now                                 DUE, now     RETRY
    DUE         claimed by a node                              LEASED
    LEASED      the request starts                             LEASED       ACTIVE
    LEASED      Delivered                                      DELIVERED    DELIVERED
    LEASED      failed, may be retried, retries left           DUE          ERROR, RETRY
    LEASED      failed, must not be retried or none left       FAILED       ERROR, FAILED; dead letter
    LEASED      failed after a cancellation was requested      CANCELED     ERROR, CANCELED
    LEASED      its node died or gave it back                  DUE          (CANCELED if requested)
    DUE | HELD  cancelled                                      CANCELED     CANCEL_REQUESTED, CANCELED
    LEASED      cancelled                                      LEASED       CANCEL_REQUESTED

`settle` decides every row that follows an attempt; the store carries it out in one
transaction. The only row settled inside the store is the race between an attempt and a
cancellation, and it asks `honour_cancellation` here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import assert_never

from msgspec import Struct, structs

from outrider.domain import backoff
from outrider.domain.attempt import (
    Attempt,
    Blocked,
    Delivered,
    Refused,
    Response,
    TimedOut,
    Unreachable,
    failure_of,
    forbids_retry,
)
from outrider.domain.errors import Conflict
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message, MessageState
from outrider.domain.options import Callback


class Report(Struct, frozen=True):
    """A callback that is due: `callback` tells where, `dead_letter_id` is set on a failure callback."""

    callback: Callback
    dead_letter_id: str | None = None


class Settlement(Struct, frozen=True, kw_only=True):
    """What one attempt means for its message.

    Attributes:
        message: as it was when it was attempted; its `lease` and `retried` are the fence: the
            store refuses the settlement if the row no longer has them.
        state: DELIVERED, FAILED, DUE (a retry) or CANCELED.
        due_at: the next attempt, with DUE.
        events: in the order they happened; ACTIVE is put in front by who recorded the start.
        reports: callbacks to publish.
        follow_ups: those callbacks as messages, once the engine has made them.
    """

    message: Message
    state: MessageState
    due_at: Instant | None = None
    events: tuple[Event, ...]
    dead_letter: DeadLetter | None = None
    reports: tuple[Report, ...] = ()
    follow_ups: tuple[Message, ...] = ()


def settle(message: Message, attempt: Attempt) -> Settlement:
    """What the attempt means for the message; the table above, row by row."""
    outcome = attempt.outcome
    match outcome:
        case Delivered(response):
            return _delivered(message, attempt, response)
        case Refused(response, error):
            if forbids_retry(response):
                return _failed(message, attempt, response, f"{error}; it asked not to be retried")
            return _retry_or_fail(message, attempt, response, error)
        case TimedOut(error=error) | Unreachable(error=error):
            return _retry_or_fail(message, attempt, None, error)
        case Blocked(error=error):
            return _failed(message, attempt, None, error)
        case _:
            assert_never(outcome)


def honour_cancellation(settlement: Settlement) -> Settlement:
    """The settlement of a message whose cancellation was requested while it was attempted.

    A success stands. A failure ends in CANCELED: no retry, no dead letter, no failure callback;
    the report of the attempt itself still goes out.
    """
    if settlement.state is MessageState.DELIVERED:
        return settlement
    kept = [i for i, report in enumerate(settlement.reports) if report.dead_letter_id is None]
    happened = tuple(event for event in settlement.events if event.kind in _PART_OF_THE_ATTEMPT)
    canceled = Event(
        tenant=settlement.message.tenant,
        message_id=settlement.message.id,
        kind=EventKind.CANCELED,
        time=happened[-1].time,
    )
    return structs.replace(
        settlement,
        state=MessageState.CANCELED,
        due_at=None,
        events=(*happened, canceled),
        dead_letter=None,
        reports=tuple(settlement.reports[i] for i in kept),
        follow_ups=tuple(settlement.follow_ups[i] for i in kept) if settlement.follow_ups else (),
    )


def cannot_go_now(message: Message) -> Conflict:
    """Why a message that does not wait for time alone cannot be told to go now."""
    match message.state:
        case MessageState.LEASED:
            why, hint = "is being attempted", "wait for what comes of it"
        case MessageState.HELD:
            why, hint = "waits for its queue or its flow-control key, not for time", "open that: resume it, or raise it"
        case MessageState.FAILED:
            why, hint = "was given up", "retry its dead letter: POST /v2/dlq/retry/{dlqId}"
        case MessageState.DELIVERED | MessageState.CANCELED:
            why, hint = f"is {message.state.value}", "publish it again"
        case MessageState.DUE:
            why, hint = "was just being changed", "ask again"
    return Conflict(f"message '{message.id}' {why}", code="message_not_delayed", hint=hint)


_PART_OF_THE_ATTEMPT = (EventKind.ACTIVE, EventKind.ERROR)


def with_follow_ups(settlement: Settlement, make: Callable[[Report], Message]) -> Settlement:
    """The settlement with its reports made into messages, one for one and in order."""
    return structs.replace(settlement, follow_ups=tuple(make(report) for report in settlement.reports))


def dead_letter_id(message: Message, failed_at: Instant) -> str:
    """`<unix ms>-<number>`: sorts by time; the number, taken from the message id, parts equal times."""
    return f"{failed_at}-{zlib.crc32(message.id.encode())}"


def _delivered(message: Message, attempt: Attempt, response: Response) -> Settlement:
    return Settlement(
        message=message,
        state=MessageState.DELIVERED,
        events=(_entry(EventKind.DELIVERED, message, attempt, response=response),),
        reports=_attempt_report(message),
    )


def _retry_or_fail(message: Message, attempt: Attempt, response: Response | None, error: str) -> Settlement:
    if attempt.retried >= message.options.retries:
        return _failed(message, attempt, response, error)
    due_at = attempt.ended_at + backoff.next_delay_ms(
        retried=attempt.retried,
        expression=message.options.retry_delay,
        response=response,
        now=attempt.ended_at,
    )
    return Settlement(
        message=message,
        state=MessageState.DUE,
        due_at=due_at,
        events=(
            _entry(EventKind.ERROR, message, attempt, response=response, error=error),
            Event(
                tenant=message.tenant,
                message_id=message.id,
                kind=EventKind.RETRY,
                time=attempt.ended_at,
                next_delivery_at=due_at,
            ),
        ),
        reports=_attempt_report(message),
    )


def _failed(message: Message, attempt: Attempt, response: Response | None, error: str) -> Settlement:
    letter = DeadLetter(
        id=dead_letter_id(message, attempt.ended_at),
        message=message,
        failed_at=attempt.ended_at,
        response=response,
        error=error,
    )
    failure_callback = message.options.failure_callback
    failure = () if failure_callback is None else (Report(failure_callback, dead_letter_id=letter.id),)
    return Settlement(
        message=message,
        state=MessageState.FAILED,
        events=(
            _entry(EventKind.ERROR, message, attempt, response=response, error=error),
            _entry(EventKind.FAILED, message, attempt, response=response, error=error),
        ),
        dead_letter=letter,
        reports=_attempt_report(message) + failure,
    )


def _attempt_report(message: Message) -> tuple[Report, ...]:
    callback = message.options.callback
    return () if callback is None else (Report(callback),)


def _entry(
    kind: EventKind, message: Message, attempt: Attempt, *, response: Response | None, error: str | None = None
) -> Event:
    return Event(
        tenant=message.tenant,
        message_id=message.id,
        kind=kind,
        time=attempt.ended_at,
        error=error,
        response=response,
        duration_ms=attempt.ended_at - attempt.started_at,
        failure=failure_of(attempt.outcome) if kind is EventKind.ERROR else None,
    )

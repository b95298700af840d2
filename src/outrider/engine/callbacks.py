"""Callbacks: an attempt's report as a message of its own.

It is delivered, retried and logged like any other, names its source by `callback_of`, and
has no callbacks itself.
"""

from __future__ import annotations

from msgspec import structs

from outrider.domain.attempt import Attempt
from outrider.domain.message import Message, new_id
from outrider.domain.options import DeliveryOptions, Redaction
from outrider.domain.settlement import Report
from outrider.wire.bodies import callback_body


def callback_message(source: Message, attempt: Attempt, report: Report) -> Message:
    """The message that reports the attempt."""
    now = attempt.ended_at
    options = _as_json(_hiding_what_the_source_hides(report.callback.options, source))
    first_delivery = options.first_delivery_at(now)
    return Message(
        id=new_id("msg", now),
        tenant=source.tenant,
        url=report.callback.url,
        options=options,
        body=callback_body(source, attempt, report.dead_letter_id),
        created_at=now,
        not_before=first_delivery,
        due_at=first_delivery,
        caller_ip=source.caller_ip,
        callback_of=source.id,
    )


def _hiding_what_the_source_hides(options: DeliveryOptions, source: Message) -> DeliveryOptions:
    """The body carries the source's body and headers, so it is shown redacted if any of those is."""
    if not source.options.redaction.hides_anything:
        return options
    mine = options.redaction
    return structs.replace(options, redaction=Redaction(body=True, all_headers=mine.all_headers, headers=mine.headers))


def _as_json(options: DeliveryOptions) -> DeliveryOptions:
    if any(name.lower() == "content-type" for name, _ in options.headers):
        return options
    return structs.replace(options, headers=(("Content-Type", "application/json"), *options.headers))

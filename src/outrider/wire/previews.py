"""What a publish would come to, as clients read it."""

from __future__ import annotations

from collections.abc import Sequence

from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.domain.options import Headers
from outrider.ports import OutgoingRequest
from outrider.wire.cron import CRON
from outrider.wire.names import by_name
from outrider.wire.outgoing import OF_EACH_ATTEMPT
from outrider.wire.present import Presented, flow_control_of, labels_of, without_none
from outrider.wire.redaction import redacted_value
from outrider.wire.schema import FLOW_CONTROL, HEADERS, LABELS, SECONDS, TIME_MS, integer, list_of, text, thing

EACH_TIME = "made anew for each attempt"
"""What stands for a value that no preview can have."""


def present_preview(
    destination: str,
    messages: Sequence[Message],
    request: OutgoingRequest,
    injected: Headers,
    attempts: Sequence[Instant],
) -> Presented:
    """What would be published to a destination, shown by the first of the messages.

    Args:
        destination: as it was written.
        messages: those that would be stored.
        request: the first attempt of the first of them.
        injected: the headers of it whose values are secret.
        attempts: when its attempts are made at the earliest.
    """
    message = messages[0]
    options = message.options
    return without_none(
        {
            "destination": destination,
            "endpoints": None if message.group is None else [one.url for one in messages],
            "method": request.method,
            "notBefore": message.not_before,
            "attempts": [{"number": number, "earliest": at} for number, at in enumerate(attempts, start=1)],
            "timeout": options.timeout_ms / 1000,
            "queueName": message.queue,
            **labels_of(options),
            **flow_control_of(options),
            "headers": by_name(_shown(message, request, {name.lower() for name, _ in injected})),
            "body": {"bytes": len(message.body)},
        }
    )


def _shown(message: Message, request: OutgoingRequest, secret: set[str]) -> list[tuple[str, str]]:
    redaction = message.options.redaction
    own = {name.lower() for name, _ in message.options.headers}
    shown = []
    for name, value in request.headers:
        lower = name.lower()
        if lower in OF_EACH_ATTEMPT:
            shown.append((name, EACH_TIME))
        elif lower in secret or (lower in own and redaction.hides_header(name)):
            shown.append((name, redacted_value(value)))
        else:
            shown.append((name, value))
    return shown


PREVIEW = thing(
    "Preview",
    {
        "destination": text("As it was written: a URL or the name of a URL group."),
        "method": text(),
        "notBefore": TIME_MS,
        "attempts": list_of(
            thing("PreviewedAttempt", {"number": integer("From 1."), "earliest": TIME_MS}),
            "When each attempt is made at the earliest, if all fail at once and the destination asks for no delay.",
        ),
        "timeout": SECONDS,
        "headers": HEADERS,
        "body": thing("PreviewedBody", {"bytes": integer()}),
    },
    {
        "endpoints": list_of(text(), "The URLs of the group's endpoints; headers are those that the first gets."),
        "queueName": text(),
        **LABELS,
        **FLOW_CONTROL,
        "schedule": CRON,
    },
)

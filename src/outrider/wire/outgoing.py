"""The request that a destination gets."""

from __future__ import annotations

from outrider.domain.instant import SECOND_MS, Instant
from outrider.domain.message import Message
from outrider.domain.tenant import SigningKeys
from outrider.ports import OutgoingRequest
from outrider.signing import sign
from outrider.wire.names import as_header_value

USER_AGENT = "Upstash-QStash"

_OURS = frozenset(
    {
        "user-agent",
        "upstash-signature",
        "upstash-message-id",
        "upstash-retried",
        "upstash-caller-ip",
        "upstash-topic-name",
        "upstash-endpoint-name",
        "upstash-schedule-id",
        "upstash-queue-name",
        "upstash-label",
        "upstash-region",
    }
)
"""Never taken from a message, present or not: a receiver may believe them. The last is never sent."""


def outgoing_request(message: Message, keys: SigningKeys, now: Instant) -> OutgoingRequest:
    """The request of the message's next attempt, signed; ours first, then what is forwarded.

    Header values are strings whose Latin-1 encoding is to be sent, names are in canonical spelling.
    """
    options = message.options
    signature = sign(
        keys.current,
        url=message.url,
        body=message.body,
        now_s=now // SECOND_MS,
        jti=f"jwt_{message.id.removeprefix('msg_')}.{message.retried}",
    )
    headers = [
        ("User-Agent", USER_AGENT),
        ("Upstash-Signature", signature),
        ("Upstash-Message-Id", message.id),
        ("Upstash-Retried", str(message.retried)),
    ]
    for name, value in (
        ("Upstash-Caller-Ip", message.caller_ip),
        ("Upstash-Topic-Name", message.group),
        ("Upstash-Endpoint-Name", message.endpoint),
        ("Upstash-Schedule-Id", message.schedule_id),
        ("Upstash-Queue-Name", message.queue),
    ):
        if value is not None:
            headers.append((name, as_header_value(value)))
    if options.labels:
        headers.append(("Upstash-Label", as_header_value(",".join(options.labels))))
    headers += [pair for pair in options.headers if pair[0].lower() not in _OURS]
    return OutgoingRequest(
        method=options.method,
        url=message.url,
        headers=tuple(headers),
        body=message.body,
        timeout_ms=options.timeout_ms,
    )

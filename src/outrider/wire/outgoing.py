"""The request that a destination gets."""

from __future__ import annotations

from outrider.domain.instant import SECOND_MS, Instant
from outrider.domain.message import Message
from outrider.domain.options import Headers
from outrider.domain.tenant import SigningKeys
from outrider.ports import OutgoingRequest
from outrider.signing import sign, sign_webhook, webhook_secret
from outrider.wire.names import as_header_value

USER_AGENT = "Upstash-QStash"

OURS = frozenset(
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

OF_STANDARD_WEBHOOKS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
"""Not taken from a message either where we send them; else they are a message's like any other."""

OF_EACH_ATTEMPT = frozenset(
    {"upstash-signature", "upstash-message-id", "webhook-id", "webhook-timestamp", "webhook-signature"}
)
"""What is another for each message or each of its attempts."""

_OURS_WITH_STANDARD_WEBHOOKS = OURS | OF_STANDARD_WEBHOOKS


def outgoing_request(message: Message, keys: SigningKeys, now: Instant, injected: Headers = ()) -> OutgoingRequest:
    """The request of the message's next attempt, signed; ours first, then what is forwarded or injected.

    Header values are strings whose Latin-1 encoding is to be sent, names are in canonical spelling.
    `injected` are the destination's own: they stand in place of forwarded ones, never of ours.
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
    taken = OURS
    if keys.standard_webhooks if options.standard_webhooks is None else options.standard_webhooks:
        headers += _standard_webhook(message, keys, now // SECOND_MS)
        taken = _OURS_WITH_STANDARD_WEBHOOKS
    if injected:
        injected = tuple(pair for pair in injected if pair[0].lower() not in taken)
        headers += injected
        taken = taken.union(name.lower() for name, _ in injected)
    headers += [pair for pair in options.headers if pair[0].lower() not in taken]
    return OutgoingRequest(
        method=options.method,
        url=message.url,
        headers=tuple(headers),
        body=message.body,
        timeout_ms=options.timeout_ms,
    )


def _standard_webhook(message: Message, keys: SigningKeys, now_s: int) -> Headers:
    """A signature by each key, so that a receiver that holds either verifies across a rotation."""
    secrets = (webhook_secret(keys.current), webhook_secret(keys.next))
    return (
        ("webhook-id", message.id),
        ("webhook-timestamp", str(now_s)),
        ("webhook-signature", " ".join(sign_webhook(secret, message.id, now_s, message.body) for secret in secrets)),
    )

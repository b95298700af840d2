"""Verification in AWS Lambda behind API Gateway (payload 1.0 and 2.0) or a function URL.

@require_signature(Receiver.from_env(), url="https://example.com/receive")
def handler(event, context): ...
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from outrider.receiver.receiver import SIGNATURE_HEADER, Receiver
from outrider.signing import InvalidSignature

Event = Mapping[str, Any]
Handler = Callable[[Event, Any], Any]


def require_signature(
    receiver: Receiver, *, url: str | None = None, clock_tolerance: int = 0
) -> Callable[[Handler], Handler]:
    """A decorator of handlers that answers 401 to what is no delivery of ours.

    Args:
        receiver: holds the keys.
        url: the public URL of the function, as it is published to; unchecked if None.
        clock_tolerance: seconds that the clocks of both sides may be apart.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def verified(event: Event, context: Any) -> Any:
            try:
                receiver.verify(
                    signature=_signature(event), body=_body(event), url=url, clock_tolerance=clock_tolerance
                )
            except InvalidSignature as refusal:
                return {
                    "statusCode": 401,
                    "headers": {"Content-Type": "application/json"},
                    "body": json.dumps({"error": str(refusal)}),
                }
            return handler(event, context)

        return verified

    return decorate


def _signature(event: Event) -> str | None:
    """The header in any case: payload 2.0 lowers names, 1.0 leaves them; a load balancer may give lists."""
    headers: Mapping[str, str] = event.get("headers") or {}
    lists: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    given = [*headers.items(), *((name, value) for name, values in lists.items() for value in values)]
    wanted = SIGNATURE_HEADER.lower()
    return next((value for name, value in given if name.lower() == wanted), None)


def _body(event: Event) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InvalidSignature("the event's body is not base64, although isBase64Encoded says so") from None

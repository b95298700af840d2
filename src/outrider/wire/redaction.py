"""What people are shown of values that a message hides: that they are there, and which are equal."""

from __future__ import annotations

import base64
import hashlib

from outrider.domain.options import Callback, DeliveryOptions, Headers
from outrider.wire.names import by_name


def redacted(original: bytes) -> str:
    """What stands in place of a hidden value: equal values stay recognisable as equal."""
    return f"REDACTED:{hashlib.sha256(original).hexdigest()}"


def redacted_value(value: str) -> str:
    """The same of a header's value."""
    return redacted(value.encode("latin-1", "replace"))


def shown_headers(headers: Headers, options: DeliveryOptions) -> dict[str, list[str]] | None:
    """Headers by name, the hidden ones redacted; None if there are none."""
    redaction = options.redaction
    if redaction.all_headers or redaction.headers:
        headers = tuple(
            (name, redacted_value(value)) if redaction.hides_header(name) else (name, value) for name, value in headers
        )
    return by_name(headers) or None


def shown_callback_headers(callback: Callback | None, source: DeliveryOptions) -> dict[str, list[str]] | None:
    """A callback's headers, hidden where it or its source hides them."""
    if callback is None:
        return None
    kept = tuple(
        (name, redacted_value(value)) if source.redaction.hides_header(name) else (name, value)
        for name, value in callback.options.headers
    )
    return shown_headers(kept, callback.options)


def shown_body(body: bytes, options: DeliveryOptions) -> dict[str, str]:
    """The body as `body` if it is UTF-8, else as `bodyBase64`; redacted if hidden, absent if empty."""
    if options.redaction.body:
        return {"body": redacted(body)}
    return text_or_base64("body", body) if body else {}


def shown_base64(body: bytes, options: DeliveryOptions) -> str | None:
    """The body in Base64; redacted if hidden, None if empty."""
    if options.redaction.body:
        return base64.b64encode(redacted(body).encode()).decode()
    return base64.b64encode(body).decode() if body else None


def text_or_base64(name: str, value: bytes) -> dict[str, str]:
    """A field of this name if the value is UTF-8, else one of the name with `Base64`."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(value).decode()}

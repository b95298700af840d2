"""What makes two messages the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from outrider.domain.limits import Limits
from outrider.domain.message import DeduplicationKey
from outrider.domain.options import Deduplication, Headers


def deduplication_key(
    said: Deduplication, *, url: str, headers: Headers, body: bytes, limits: Limits, endpoint: str | None = None
) -> DeduplicationKey | None:
    """The key under which a message is remembered; None if it asked for no deduplication.

    Args:
        said: an id of the caller's own beats one derived from the content.
        url: where the message goes.
        headers: Content-Type and the forwarded ones; the order of different names does not matter.
        body: the message's.
        limits: give the window of a message that names none.
        endpoint: the endpoint of a URL group, which parts the messages of one publish.
    """
    if said.id is not None:
        # An id has no ':', so no other message's key can look like this one.
        key = f"id:{said.id}" if endpoint is None else f"id:{said.id}:{endpoint}"
    elif said.by_content:
        key = f"content:{_content_hash(url, headers, body, endpoint)}"
    else:
        return None
    window_ms = limits.deduplication_window_ms if said.window_ms is None else said.window_ms
    return DeduplicationKey(key, window_ms)


def _content_hash(url: str, headers: Headers, body: bytes, endpoint: str | None) -> str:
    digest = hashlib.sha256()
    for part in _parts(url, headers, body, endpoint):
        # Each part is led by its length: no two contents run together into one.
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def _parts(url: str, headers: Headers, body: bytes, endpoint: str | None) -> Iterator[bytes]:
    yield url.encode()
    yield (endpoint or "").encode()
    yield body
    for name, value in sorted(headers, key=lambda pair: pair[0].lower()):
        yield name.lower().encode()
        yield value.encode()

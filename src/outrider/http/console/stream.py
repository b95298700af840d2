"""What the console is told while it is open, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from msgspec import json

from outrider.domain.errors import Unavailable
from outrider.domain.instant import HOUR_MS, SECOND_MS
from outrider.engine.live import News, Pulse
from outrider.http.answers import NOT_KEPT, Fields, Stream
from outrider.http.calls import Call
from outrider.http.console.files import GUARDED

KEEP_ALIVE_MS = 15 * SECOND_MS
"""How often a word goes out that means nothing, and it is asked whether the token still counts."""

LONGEST_MS = HOUR_MS
"""Browsers come again by themselves, and who they are is asked anew."""

_FIELDS: Fields = (
    (b"content-type", b"text/event-stream"),
    (b"x-accel-buffering", b"no"),  # nginx would keep it back
    *NOT_KEPT,
    *GUARDED,
)


async def live(call: Call) -> Stream:
    if not call.engine.live.has_room:
        raise Unavailable(
            "as many consoles are open as this server tells live",
            code="too_many_listeners",
            hint="ask for what you show from time to time instead",
        )
    return Stream(lambda: _pieces(call), _FIELDS)


async def _pieces(call: Call) -> AsyncGenerator[bytes, None]:
    clock = call.engine.clock
    end = clock.now() + LONGEST_MS
    with call.engine.live.listening(call.tenant) as listener:
        yield b": here\n\n"
        asked_at = clock.now()
        while not listener.is_lost and clock.now() < end:
            yield _event(await listener.next())
            if clock.now() - asked_at >= KEEP_ALIVE_MS:
                asked_at = clock.now()
                if not await _still_counts(call):
                    return
                yield b": still here\n\n"


async def _still_counts(call: Call) -> bool:
    """Whether the token was not revoked. While nobody can tell, it was not."""
    assert call.actor is not None
    try:
        tokens = await call.engine.directory.list_tokens_of(call.tenant)
    except Unavailable:
        return True
    return any(token.id == call.actor.id for token in tokens)


def _event(news: News) -> bytes:
    if isinstance(news, Pulse):
        return b"event: pulse\ndata: %b\n\n" % json.encode(
            {
                "time": news.time,
                "accepted": news.accepted,
                "delivered": news.delivered,
                "failed": news.failed,
                "deadLettered": news.dead_lettered,
            }
        )
    return b"event: changed\ndata: %b\n\n" % json.encode({"topics": news.topics})

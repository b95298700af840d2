"""What must be written, is written: the one loop around a store that is in trouble for now.

An attempt that has been made is a fact. Its settlement is offered to the store until it
commits; the message stays leased meanwhile, so its place in the window bounds the memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from outrider.domain.errors import Overloaded, StoreUnavailable
from outrider.domain.instant import SECOND_MS
from outrider.ports import Clock, Observer

T = TypeVar("T")

RETRY_STORE_MS = SECOND_MS // 2


async def persist(ask: Callable[[], Awaitable[T]], clock: Clock, observer: Observer) -> T:
    """Ask the store until it answers; a failure is noted once, and the recovery too."""
    failed = False
    while True:
        try:
            answer = await ask()
        except (StoreUnavailable, Overloaded) as failure:
            if not failed:
                observer.note("store_failed", error=failure.sentence)
            failed = True
            await clock.sleep_until(clock.now() + RETRY_STORE_MS)
        else:
            if failed:
                observer.note("store_recovered")
            return answer

"""What was read from the store and is believed for a second, so that every node learns of a change within that time."""

from __future__ import annotations

from typing import Generic, TypeVar

from outrider.domain.instant import SECOND_MS, Instant

K = TypeVar("K")
V = TypeVar("V")

TRUSTED_MS = SECOND_MS
"""How long a value is believed."""

CACHE_ENTRIES = 10_000


class Cache(Generic[K, V]):
    """Values with the moment they were read; older ones, and ones from the future, are not believed.

    Attributes:
        changes: how often something was forgotten. What was asked of the store before the latest
            change must not be put here after it.
    """

    def __init__(self) -> None:
        self._entries: dict[K, tuple[V, Instant]] = {}
        self.changes = 0

    def get(self, key: K, now: Instant) -> V | None:
        """The value, None if it is not known or too old."""
        entry = self._entries.get(key)
        if entry is None or not 0 <= now - entry[1] < TRUSTED_MS:
            return None
        return entry[0]

    def put(self, key: K, value: V, now: Instant) -> None:
        """Believe a value that was read now."""
        if len(self._entries) >= CACHE_ENTRIES:
            self._entries.clear()
        self._entries[key] = (value, now)

    def forget(self, key: K) -> None:
        """The value was changed."""
        self._entries.pop(key, None)
        self.changes += 1

    def clear(self) -> None:
        """Any value may have been changed."""
        self._entries.clear()
        self.changes += 1

"""Which flow-control keys may let something through earlier than is known."""

from __future__ import annotations

from outrider.domain.message import Message, MessageState
from outrider.domain.options import FlowControl

MOST_KEYS = 10_000


class Watch:
    """The keys of stored messages, as far as the store's last answer on what is next due allows for them.

    A message that is held is the first of its key's wait list, perhaps, and the key's window ends
    before anything else is due. One that brings other limits may have let through what waited.
    Either is worth one look into the store a key, not one a message: the next look has the answer
    for all that wait there.
    """

    def __init__(self) -> None:
        self._limits: dict[tuple[str, str], FlowControl] = {}
        self._waiting: set[tuple[str, str]] = set()

    def is_news(self, stored: Message) -> bool:
        """Whether the store must be asked anew, now that this message is in it."""
        limits = stored.options.flow_control
        if limits is None:
            return False
        key = (stored.tenant, limits.key)
        held = stored.state is MessageState.HELD
        if self._limits.get(key) == limits and (not held or key in self._waiting):
            return False
        if len(self._limits) >= MOST_KEYS:
            self.forget()
        self._limits[key] = limits
        if held:
            self._waiting.add(key)
        return True

    def forget(self) -> None:
        """Keys were changed by hand: what was known of limits may be so no more."""
        self._limits.clear()
        self._waiting.clear()

    def has_moved(self) -> None:
        """Something was let through, perhaps: any wait list may be empty now."""
        self._waiting.clear()

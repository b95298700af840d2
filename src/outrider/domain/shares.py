"""How much of the window of messages in flight a destination host may take.

A host may hold as many messages as places are left for others: a busy one takes what it likes of an empty window,
up to the limit for a host. The last quarter of the window is for hosts that hold next to nothing.

A host is in trouble when its latest attempt got no answer, or took long. Hosts in trouble share three quarters of the
window by the same rule, and never have any of the last; so whatever they do, a quarter is left for those who answer.
"""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.attempt import Attempt, TimedOut, Unreachable
from outrider.domain.instant import SECOND_MS

SLOW_MS = 5 * SECOND_MS
"""A host whose attempts take longer holds its places so long that it counts as one in trouble."""


class Shares(Struct, frozen=True):
    """The rule for one window.

    Attributes:
        window: most messages held in all.
        most: of one host.
    """

    window: int
    most: int

    @property
    def reserve(self) -> int:
        """The places that are for hosts which hold `few` at most, and not in trouble."""
        return self.window // 4

    @property
    def few(self) -> int:
        """What any host may hold while there are places."""
        return max(1, self.window // 250)

    def of_host(self, held: int) -> int:
        """How many messages a host may hold while so many are held in all."""
        left = self.window - held
        return min(self.most, left if left > self.reserve else min(left, self.few))

    def of_troubled_host(self, held: int, held_by_troubled: int) -> int:
        """The same of a host in trouble, all of which hold `held_by_troubled` of them."""
        return min(self.of_host(held), self.window - self.reserve - held_by_troubled)


def shows_trouble(attempt: Attempt) -> bool:
    """Whether the attempt got no answer, or took long."""
    return isinstance(attempt.outcome, TimedOut | Unreachable) or attempt.ended_at - attempt.started_at > SLOW_MS

"""How much of the window of messages in flight a destination host may take.

A host may hold as many messages as places are left for others: a busy one takes what it likes of an empty window,
up to the limit for a host. The last quarter of the window is for hosts that hold next to nothing.

A host is in trouble when its latest attempt got no answer, or took long. Hosts in trouble share three quarters of the
window by the same rule, and never have any of the last; so whatever they do, a quarter is left for the others.

A host is unknown until its first attempt has ended. Those in trouble and those unknown leave the last eighth of the
window; so however many hosts nobody has called before hang at once, an eighth is left for those who answer.
"""

from __future__ import annotations

from enum import Enum
from zlib import crc32

from msgspec import Struct

from outrider.domain.attempt import Attempt, TimedOut, Unreachable
from outrider.domain.instant import SECOND_MS

SLOW_MS = 5 * SECOND_MS
"""A host whose attempts take longer holds its places so long that it counts as one in trouble."""

LONGEST_REST_MS = 5 * SECOND_MS
"""About how long an attempt at a host that is dead for certain keeps its place when it has ended."""

REST_EACH_MS = 20
"""So much longer with each in a row that got no answer: the first ones soon find out whether it was for a moment."""


class Repute(Enum):
    """What a host's latest attempt tells of it."""

    UNKNOWN = "unknown"
    ANSWERS = "answers"
    IN_TROUBLE = "in trouble"


class Holding(Struct, frozen=True):
    """How many messages are held.

    Attributes:
        in_all: whosever they are.
        in_trouble: of hosts in trouble.
        unknown: of those that are unknown.
    """

    in_all: int
    in_trouble: int = 0
    unknown: int = 0


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

    def of_host(self, repute: Repute, held: Holding) -> int:
        """How many messages a host may hold while so many are held."""
        if self.left_to(repute, held) <= 0:
            return 0
        left = self.window - held.in_all
        share = min(self.most, left if left > self.reserve else min(left, self.few))
        return share if repute is not Repute.IN_TROUBLE else min(share, self._left_to_troubled(held))

    def left_to(self, repute: Repute, held: Holding) -> int:
        """How many more messages the hosts of a repute may hold, all together."""
        left = self.window - held.in_all
        if repute is Repute.ANSWERS:
            return left
        left = min(left, self.window - self.window // 8 - held.in_trouble - held.unknown)
        return left if repute is Repute.UNKNOWN else min(left, self._left_to_troubled(held))

    def _left_to_troubled(self, held: Holding) -> int:
        return self.window - self.reserve - held.in_trouble


def repute_after(attempt: Attempt) -> Repute:
    """In trouble by an attempt that got no answer, or took long."""
    if not is_answered(attempt) or attempt.ended_at - attempt.started_at > SLOW_MS:
        return Repute.IN_TROUBLE
    return Repute.ANSWERS


def is_answered(attempt: Attempt) -> bool:
    return not isinstance(attempt.outcome, TimedOut | Unreachable)


def rest_ms(message_id: str, failures: int) -> int:
    """How long an attempt without an answer keeps its place when it has ended; it is one of so many in a row.

    A host that refuses would be attempted as fast as this machine can, at the cost of all others. Those that failed
    together rest for different times, by half more or less: they are not to fail together again.
    """
    about = min(LONGEST_REST_MS, failures * REST_EACH_MS)
    return about // 2 + crc32(message_id.encode()) % about

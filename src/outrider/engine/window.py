"""The places of the messages that a node holds, by destination host; who has room is `domain/shares.py`'s rule."""

from __future__ import annotations

from collections import deque

from outrider.domain.message import Message
from outrider.domain.shares import Shares

MOST_TROUBLED = 2000
"""Most hosts in trouble that are remembered, the latest ones."""


class Host:
    """What is held of one destination host.

    Attributes:
        held: its messages.
        attempting: those whose attempt runs.
        surplus: those that wait for one to end.
    """

    __slots__ = ("attempting", "held", "name", "surplus", "troubled")

    def __init__(self, name: str, *, troubled: bool) -> None:
        self.name = name
        self.troubled = troubled
        self.held = 0
        self.attempting = 0
        self.surplus: deque[Message] = deque()


class Window:
    """Who holds how many places.

    Attributes:
        held: places taken, those that are kept for a claim included.
        kept: those kept for a claim, which may bring less.
        hosts: those that hold any.
    """

    def __init__(self, shares: Shares) -> None:
        self.size = shares.window
        self.most_per_host = shares.most
        self.held = 0
        self.kept = 0
        self.hosts: dict[str, Host] = {}
        self._shares = shares
        self._troubled: dict[str, None] = {}
        self._held_by_troubled = 0
        self._left_out: frozenset[str] = frozenset()
        self._least_left_out = self.size

    @property
    def is_full(self) -> bool:
        return self.held >= self.size

    @property
    def has_troubled(self) -> bool:
        """Whether any host is known to be in trouble."""
        return bool(self._troubled)

    def has_room(self, name: str) -> bool:
        """Whether the host may hold one more."""
        host = self.hosts.get(name)
        if host is not None:
            return host.held < self._share(troubled=host.troubled)
        return self._share(troubled=name in self._troubled) > 0

    def keep(self, room: int) -> None:
        """Keep places for what a claim brings."""
        self.kept += room
        self.held += room

    def keep_no_longer(self, room: int) -> None:
        self.kept -= room
        self.held -= room

    def hold(self, name: str) -> Host:
        """Take a place, whether there is one or not."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name, troubled=name in self._troubled)
        host.held += 1
        self.held += 1
        if host.troubled:
            self._held_by_troubled += 1
        return host

    def release(self, host: Host) -> bool:
        """Give back a place; whether a host that was left out of the latest claim has room again."""
        host.held -= 1
        self.held -= 1
        if host.troubled:
            self._held_by_troubled -= 1
        if not host.held:
            del self.hosts[host.name]
        if not self._left_out:
            return False
        if host.name in self._left_out and not host.surplus and self.has_room(host.name):
            return True
        return self._least_left_out < self._share(troubled=False)

    def learn(self, name: str, *, troubled: bool) -> bool:
        """How the latest attempt at a host went; whether it may hold more by that."""
        if troubled == (name in self._troubled):
            return False
        if not troubled:
            self._recover(name)
            return True
        if len(self._troubled) >= MOST_TROUBLED:
            self._recover(next(iter(self._troubled)))
        self._troubled[name] = None
        host = self.hosts.get(name)
        if host is not None:
            host.troubled = True
            self._held_by_troubled += host.held
        return False

    def leave_out(self) -> frozenset[str]:
        """The hosts that have no room, to be left out of a claim."""
        share = self._share(troubled=False)
        share_in_trouble = self._share(troubled=True) if self._troubled else share
        full = [host for host in self.hosts.values() if host.held >= (share_in_trouble if host.troubled else share)]
        self._least_left_out = min(
            (host.held for host in full if not host.troubled and host.held < self.most_per_host), default=self.size
        )
        self._left_out = frozenset(host.name for host in full)
        if share_in_trouble <= 0:
            self._left_out |= self._troubled.keys()
        return self._left_out

    def room_for_claim(self) -> int:
        """How many places one claim may fill: half of what is left, for nobody knows whose messages it will bring."""
        left = self.size - self.held
        left_to_troubled = self.size - self._shares.reserve - self._held_by_troubled
        if self._troubled and 0 < left_to_troubled < left:
            left = left_to_troubled
        return (left + 1) // 2

    def room_for_lane(self) -> int | None:
        """How many of them may be one tenant's for one host; None: as many as it likes."""
        return None if self.size - self.held > self._shares.reserve else self._shares.few

    def _share(self, *, troubled: bool) -> int:
        if troubled:
            return self._shares.of_troubled_host(self.held, self._held_by_troubled)
        return self._shares.of_host(self.held)

    def _recover(self, name: str) -> None:
        del self._troubled[name]
        host = self.hosts.get(name)
        if host is not None:
            host.troubled = False
            self._held_by_troubled -= host.held

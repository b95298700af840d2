"""The places of the messages that a node holds, by destination host; who has room is `domain/shares.py`'s rule."""

from __future__ import annotations

import asyncio
from collections import deque

from outrider.domain.hosts import EVERY_HOST, Hosts
from outrider.domain.message import Message
from outrider.domain.shares import Holding, Repute, Shares

MOST_REMEMBERED = 2000
"""Most hosts in trouble that are remembered, and most that answer: the latest ones."""


class Host:
    """What is held of one destination host.

    Attributes:
        held: its messages.
        attempting: those whose attempt runs.
        surplus: those that wait for one to end.
        awake: set when it answers, for those of its places that rest.
    """

    __slots__ = ("attempting", "awake", "held", "name", "repute", "surplus")

    def __init__(self, name: str, repute: Repute) -> None:
        self.name = name
        self.repute = repute
        self.held = 0
        self.attempting = 0
        self.surplus: deque[Message] = deque()
        self.awake = asyncio.Event()


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
        self._known: dict[Repute, dict[str, int]] = {Repute.ANSWERS: {}, Repute.IN_TROUBLE: {}}
        self._held_by = dict.fromkeys(Repute, 0)
        self._claimed = EVERY_HOST
        self._least_left_out = self.size
        self._coming = 0

    @property
    def is_full(self) -> bool:
        return self.held >= self.size

    def has_room(self, name: str) -> bool:
        """Whether the host may hold one more."""
        host = self.hosts.get(name)
        repute = self._repute(name) if host is None else host.repute
        held = 0 if host is None else host.held
        if self.kept and repute is not Repute.ANSWERS:
            held += self._coming
        return held < self._share(repute)

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
            host = self.hosts[name] = Host(name, self._repute(name))
        host.held += 1
        self.held += 1
        self._held_by[host.repute] += 1
        return host

    def release(self, host: Host) -> bool:
        """Give back a place; whether a host that was left out of the latest claim has room again."""
        host.held -= 1
        self.held -= 1
        self._held_by[host.repute] -= 1
        if not host.held:
            del self.hosts[host.name]
        if not self._claimed.leave_any_out:
            return False
        if self._claimed.are_all and self._share(Repute.UNKNOWN) > 0:
            return True
        if host.name not in self._claimed and not host.surplus and self.has_room(host.name):
            return True
        return self._least_left_out < self._share(Repute.ANSWERS)

    def learn(self, name: str, repute: Repute, *, failures: int = 0) -> bool:
        """How the latest attempts at a host went, `failures` without an answer; whether more may be held by that."""
        known = self._known[repute]
        if name in known:
            known[name] = failures
            return False
        before = self._repute(name)
        self._known.get(before, {}).pop(name, None)
        if len(known) >= MOST_REMEMBERED:
            forgotten = next(iter(known))
            del known[forgotten]
            self._stands(forgotten, Repute.UNKNOWN)
        known[name] = failures
        self._stands(name, repute)
        return repute is Repute.ANSWERS and (before is Repute.IN_TROUBLE or self._claimed.leave_any_out)

    def failures(self, name: str) -> int:
        """How many of the latest attempts at a host got no answer."""
        return self._known[Repute.IN_TROUBLE].get(name, 0)

    def choose_for_claim(self) -> Hosts:
        """The hosts that have room, for a claim; so much that it may bring what it may of one."""
        self._coming = self.room_for_lane() or 0
        share = {repute: self._share(repute) for repute in Repute}
        full = [host for host in self.hosts.values() if host.held + self._least_room(host) > share[host.repute]]
        self._least_left_out = min(
            (
                host.held
                for host in full
                if host.repute is not Repute.IN_TROUBLE and share[host.repute] > 0 and host.held < self.most_per_host
            ),
            default=self.size,
        )
        left_out = {host.name for host in full}
        if share[Repute.UNKNOWN] <= 0:
            # Nobody can name the unknown ones, to leave them out.
            self._claimed = Hosts.only(*(self._known[Repute.ANSWERS].keys() - left_out))
        elif share[Repute.IN_TROUBLE] <= 0:
            self._claimed = Hosts.but(*left_out, *self._known[Repute.IN_TROUBLE])
        else:
            self._claimed = Hosts.but(*left_out)
        return self._claimed

    def is_left_out(self, name: str) -> bool:
        """Whether the latest claim was not for the host; a release that gives it room says so."""
        return name not in self._claimed

    def room_for_claim(self) -> int:
        """How many places one claim may fill: half of what is left, for nobody knows whose messages it will bring."""
        held = self._holding()
        reputes = list(Repute) if self._known[Repute.IN_TROUBLE] else [Repute.UNKNOWN, Repute.ANSWERS]
        # Those that have no room are left out of it.
        left = min((left for one in reputes if (left := self._shares.left_to(one, held)) > 0), default=0)
        return (left + 1) // 2

    def room_for_lane(self) -> int | None:
        """How many of them may be one tenant's for one host; None: as many as it likes."""
        return None if self.size - self.held > self._shares.reserve else self._shares.few

    def _least_room(self, host: Host) -> int:
        """How many more it must be allowed to hold to be claimed for; those that answer hold too much for a moment."""
        return 1 if host.repute is Repute.ANSWERS else max(1, self._coming)

    def _holding(self) -> Holding:
        unknown = self._held_by[Repute.UNKNOWN]
        if not self._claimed.are_all:
            unknown += self.kept
        return Holding(self.held, self._held_by[Repute.IN_TROUBLE], unknown)

    def _share(self, repute: Repute) -> int:
        return self._shares.of_host(repute, self._holding())

    def _repute(self, name: str) -> Repute:
        if name in self._known[Repute.ANSWERS]:
            return Repute.ANSWERS
        return Repute.IN_TROUBLE if name in self._known[Repute.IN_TROUBLE] else Repute.UNKNOWN

    def _stands(self, name: str, repute: Repute) -> None:
        host = self.hosts.get(name)
        if host is not None:
            self._held_by[host.repute] -= host.held
            self._held_by[repute] += host.held
            host.repute = repute

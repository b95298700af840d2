"""Hop 5: which messages are being attempted, and what is claimed next.

The dispatcher holds a window of leased messages, never the backlog. New messages enter by
`offer` (before their commit: may I hold it?) and `accept` (after it: here it is); whatever
became due with time is claimed from the store by `run`.

Bounds: `max_in_flight` messages in all, `max_per_host` attempts at once for a destination
host, and for each host its share of what is left (`domain/shares.py`). A claim may bring more of one
host than that; the surplus waits here, and the host is left out of further claims until it has
drained. While more is due than fits, claims take turns among tenants and hosts.

No attempt starts once the node's lease is over: another node may have the message by then. What is
held waits until the lease runs again, or is let go of when the node was struck off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Protocol

from msgspec import structs

from outrider.domain.attempt import Attempt
from outrider.domain.errors import Unavailable
from outrider.domain.instant import SECOND_MS, Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.settlement import Settlement
from outrider.domain.shares import Shares, is_answered, repute_after, rest_ms
from outrider.engine.membership import Membership
from outrider.engine.persistence import RETRY_STORE_MS, persist
from outrider.engine.watch import Watch
from outrider.engine.window import Host, Window
from outrider.ports import Clock, MessageStore, NodeStore, Observer

Deliver = Callable[[Message], Awaitable[None]]

CLAIM_BATCH = 250
"""Most messages in one claim: enough to amortise its transaction, few enough to stay short."""

TURN = 25
"""So many of a claim are started in one turn of the event loop; who publishes meanwhile waits for no more."""

POLL_MS = 30 * SECOND_MS
"""The net under the wake-ups: the store is asked at least this often, unless another time is given."""

LOCKED_MS = 20
"""How long what is due, but was not to be had, is left to the node that seems to be taking it."""


class DispatchStore(MessageStore, NodeStore, Protocol):
    """What the dispatcher asks of the store."""


class Dispatcher:
    """The window of messages that this node holds."""

    def __init__(
        self,
        store: DispatchStore,
        clock: Clock,
        observer: Observer,
        membership: Membership,
        *,
        max_in_flight: int,
        max_per_host: int,
        poll_ms: int = POLL_MS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._membership = membership
        self._poll_ms = poll_ms
        self._window = Window(Shares(max_in_flight, min(max_per_host, max_in_flight)))
        self._deliver: Deliver = _not_started
        self._after = ("", "")
        self._somebody_waits = False
        self._running: set[asyncio.Task[None]] = set()
        self._rests: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._next_due: Instant | None = None
        self._watch = Watch()
        self._behind = True
        self._told = False
        self._accepting = False

    # What publishers and deliverers call

    def start(self, deliver: Deliver) -> None:
        """Begin to hold messages; each is given to `deliver`."""
        self._deliver = deliver
        self._accepting = True

    def offer(self, message: Message) -> Message:
        """The message as it should be stored: LEASED to this node if it can be attempted at once.

        A place is kept for it until `accept`. While older due messages wait in the store,
        newer ones queue behind them.
        """
        now = self._clock.now()
        if message.due_at > now:
            return message
        host = message.host
        if not self._has_room(host) or not self._membership.holds(now):
            return message
        self._window.hold(host)
        self._idle.clear()
        return structs.replace(message, state=MessageState.LEASED, lease=self._membership.node)

    def accept(self, offered: Message, stored: Message | None) -> None:
        """What became of an offered message: attempt it, wait for it, or give up its place.

        `stored` is the message as the store now has it, None if it was not stored.
        """
        if stored is not None and self._watch.is_news(stored):
            self._wake.set()
        if stored is not None and stored.state is MessageState.LEASED:
            self._attempt(stored)
            return
        if offered.state is MessageState.LEASED:
            self._release(self._window.hosts[offered.host])
        if stored is not None and stored.state is MessageState.DUE:
            self.expect(stored.due_at)
            now = self._clock.now()
            if stored.due_at <= now and not (self._has_room(stored.host) and self._membership.holds(now)):
                self._store.tell()

    def abandon(self, offered: Message) -> None:
        """Nobody knows whether the offered message was stored; if it was, it is given back to be claimed."""
        if offered.state is MessageState.LEASED:
            self._start(self._window.hosts[offered.host], offered, self.give_back)

    def expect(self, due_at: Instant) -> None:
        """Something in the store is due then, perhaps."""
        if self._next_due is None or due_at < self._next_due:
            self._next_due = due_at
            self._wake.set()

    def settled(self, settlement: Settlement) -> None:
        """The store has carried it out: a retry is due in time, and what waited for this message may be due now."""
        message = settlement.message
        if (
            settlement.state is MessageState.DUE
            and settlement.due_at is not None
            # Else it is claimed for again when one of its places is free; this message still has its own.
            and not self._window.is_left_out(message.host)
        ):
            self.expect(settlement.due_at)
        if message.options.flow_control is not None or (
            settlement.state.finished and (message.queue is not None or message.callback_of is not None)
        ):
            self.look()

    def learn(self, message: Message, attempt: Attempt) -> None:
        """How the destination fares: hosts that are unknown or in trouble may hold less, dead ones for longer."""
        failures = 0 if is_answered(attempt) else self._window.failures(message.host) + 1
        host = self._window.hosts[message.host]
        if failures:
            host.awake.clear()
            self._rests[message.id] = rest_ms(message.id, failures)
        else:
            host.awake.set()
        if self._window.learn(message.host, repute_after(attempt), failures=failures):
            self._wake.set()

    def look(self) -> None:
        """Something was changed that may let through what a queue or a key held back."""
        self.expect(self._clock.now())

    def keys_changed(self) -> None:
        """Flow-control keys were changed by hand: the next message that names one is looked into again."""
        self._watch.forget()
        self.look()

    def withdraw(self, message_ids: Iterable[str]) -> None:
        """Give back those that are held but whose attempt has not started (they were cancelled)."""
        wanted = set(message_ids)
        for host in self._window.hosts.values():
            for message in [held for held in host.surplus if held.id in wanted]:
                host.surplus.remove(message)
                self._start(host, message, self.give_back)

    async def give_back(self, message: Message) -> None:
        """End the lease of a message that was not attempted; where it is over already, nothing changes."""
        lease = message.lease or self._membership.node
        ended = await persist(
            lambda: self._store.give_back(lease, [message.id], self._clock.now()), self._clock, self._observer
        )
        self._observer.events(ended.canceled)
        self.look()

    def review(self) -> None:
        """The node's lease runs again, or its id is another one, or leases were ended that nobody held.

        What is held under a former id is let go of: its lease is ended, and it is claimed like any other.
        """
        for host in list(self._window.hosts.values()):
            waiting = len(host.surplus)
            host.surplus = deque(held for held in host.surplus if held.lease == self._membership.node)
            for _ in range(waiting - len(host.surplus)):
                self._release(host)
            if self._accepting:
                self._attempt_surplus(host)
        self.look()
        # Who waits for the lease waits for no time, so what has long been due must wake it too.
        self._wake.set()

    # The loop

    async def run(self) -> None:
        """Claim what becomes due, until `stop`."""
        while self._accepting:
            self._wake.clear()
            if not self._membership.holds(self._clock.now()):
                await self._wake.wait()
                continue
            if self._next_due is not None and self._next_due <= self._clock.now():
                self._watch.has_moved()
            self._next_due = None
            try:
                claimed_all = await self._claim()
            except Unavailable as failure:
                self._observer.note("claim_failed", error=failure.sentence)
                await self._clock.sleep_until(self._clock.now() + RETRY_STORE_MS)
                continue
            if claimed_all:
                await self._clock.wait(self._wake, self._until())
            elif self._window.is_full:
                await self._wake.wait()

    def stop(self) -> None:
        """Hold nothing new; `run` ends after the claim it is in."""
        self._accepting = False
        for host in self._window.hosts.values():
            host.awake.set()
        self._wake.set()

    def hurry(self) -> None:
        """End a `drain` now: what runs is cut, and attempted again by the next process."""
        self._idle.set()

    async def idle(self) -> None:
        """Return when nothing is held."""
        await self._idle.wait()

    async def drain(self, until: Instant) -> None:
        """After `stop`: let attempts that run end by then, and give back the rest."""
        surplus = []
        for host in list(self._window.hosts.values()):
            while host.surplus:
                surplus.append(host.surplus.popleft())
                self._release(host)
        if surplus:
            # What cannot be given back now is when the node leaves, or when it is struck off.
            with suppress(Unavailable):
                ids = [message.id for message in surplus]
                ended = await self._store.give_back(self._membership.node, ids, self._clock.now())
                self._observer.events(ended.canceled)
        await self._clock.wait(self._idle, until)
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def max_in_flight(self) -> int:
        """How many messages may be held."""
        return self._window.size

    @property
    def in_flight(self) -> int:
        """How many messages are held."""
        return self._window.held - self._window.kept

    # Details, in call order

    async def _claim(self) -> bool:
        """Claim one batch; whether that was all that is due (of hosts that have room)."""
        room = min(self._window.room_for_claim(), CLAIM_BATCH)
        if room <= 0:
            self._fall_behind()
            return False
        hosts = self._window.choose_for_claim()
        now = self._clock.now()
        each = self._window.room_for_lane()
        takes_turns = self._behind or self._somebody_waits or hosts.leave_any_out or each is not None
        after = self._after if takes_turns else None
        self._somebody_waits = hosts.leave_any_out
        self._window.keep(room)
        self._idle.clear()
        claimed: list[Message] = []
        try:
            claimed = await self._store.claim_due(self._membership.node, now, room, hosts, after=after, each=each)
        finally:
            self._window.keep_no_longer(room)
            self._check_idle()
        for message in claimed:
            self._window.hold(message.host)
            self._idle.clear()
        if claimed:
            self._after = (claimed[-1].tenant, claimed[-1].host)
        for number, message in enumerate(claimed, 1):
            self._attempt(message)
            if number % TURN == 0:
                await asyncio.sleep(0)
        if len(claimed) == room:
            self._fall_behind()
            return False
        self._behind = self._told = False
        next_due = await self._store.next_due_at(hosts)
        if next_due is not None and next_due <= now and not claimed:
            next_due = self._clock.now() + LOCKED_MS
        if next_due is not None:
            self._next_due = next_due if self._next_due is None else min(self._next_due, next_due)
        return True

    def _fall_behind(self) -> None:
        """More is due than is held here: new messages queue behind it, and other nodes may have room for it."""
        self._behind = True
        if not self._told:
            # Once: two nodes that are both full must not tell one another for ever.
            self._told = True
            self._store.tell()

    def _until(self) -> Instant:
        poll = self._clock.now() + self._poll_ms
        return poll if self._next_due is None else min(poll, self._next_due)

    def _attempt(self, message: Message) -> None:
        """Attempt a message that is held, now or when its host has room and the node's lease runs."""
        host = self._window.hosts[message.host]
        if message.lease != self._membership.node:
            self._release(host)
            return
        host.surplus.append(message)
        self._attempt_surplus(host)

    def _attempt_surplus(self, host: Host) -> None:
        while (
            host.surplus and host.attempting < self._window.most_per_host and self._membership.holds(self._clock.now())
        ):
            self._start(host, host.surplus.popleft(), self._deliver)

    def _start(self, host: Host, message: Message, step: Deliver) -> None:
        host.attempting += 1
        task = asyncio.create_task(self._run(host, message, step), name=message.id)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, host: Host, message: Message, step: Deliver) -> None:
        try:
            await step(message)
            if self._accepting and (rest := self._rests.get(message.id)):
                await self._clock.wait(host.awake, self._clock.now() + rest)
        except Exception as fault:  # noqa: BLE001 - whatever it was, this message's place must not leak
            self._observer.note("delivery_faulted", message_id=message.id, error=repr(fault))
        finally:
            self._rests.pop(message.id, None)
            self._ended(host)

    def _ended(self, host: Host) -> None:
        host.attempting -= 1
        self._release(host)
        if self._accepting:
            self._attempt_surplus(host)

    def _release(self, host: Host) -> None:
        if self._window.release(host) or self._behind:
            self._wake.set()
        self._check_idle()

    def _has_room(self, name: str) -> bool:
        """Whether a message to the host that is due now can be attempted at once."""
        return self._accepting and not self._behind and not self._window.is_full and self._window.has_room(name)

    def _check_idle(self) -> None:
        if self._window.held == 0:
            self._idle.set()


async def _not_started(message: Message) -> None:
    raise AssertionError(f"{message.id} reached a dispatcher that was not started")

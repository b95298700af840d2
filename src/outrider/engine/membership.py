"""This process as one of the nodes of a store: its id, its lease, and the end of nodes that are dead.

A node enters the store under an id, and beats: it says until when it lives. What it leases is its
own for that long. A node that does not beat in time is struck off by any other, and its leases are
ended. It may be alive all the same: paused, or cut off. So it starts nothing once its lease is over
by its own clock, and when it learns that it was struck off it goes on under another id: what it
settles under the old one is refused by the store.

Who could not reach the store cannot tell the dead from those who were cut off like itself. So a node
strikes nobody off within a lease after its own start or outage: by then, whoever lives has beaten.
"""

from __future__ import annotations

from collections.abc import Callable

from outrider.domain.errors import Unavailable
from outrider.domain.instant import Instant
from outrider.engine.persistence import RETRY_STORE_MS
from outrider.engine.time_keeper import TimeKeeper
from outrider.ports import Clock, EndedLeases, NodeStore, Observer

BEATS = 3
"""How often a node beats in the time of its lease: one that is late does not cost the lease."""

RECOVER_BATCH = 500
"""Most leases ended in one transaction."""

NOBODY: Instant = 0
"""No node was to beat before then."""


class Membership:
    """The node that this process is."""

    def __init__(
        self,
        store: NodeStore,
        clock: Clock,
        observer: Observer,
        *,
        node: str,
        lease_ms: int,
        time_keeper: TimeKeeper | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._first_id = node
        self._node = node
        self._ids = 1
        self._lease_ms = lease_ms
        self._beat_ms = max(1, lease_ms // BEATS)
        self._time_keeper = time_keeper
        self._until: Instant = 0
        self._in_touch_at: Instant = 0
        self._in_touch_since: Instant = 0
        self._failing = False

    @property
    def node(self) -> str:
        """The id under which to lease; a new one each time this node was struck off."""
        return self._node

    def holds(self, now: Instant) -> bool:
        """Whether the lease still runs by this node's own clock: what it has leased under `node` is its own."""
        return now < self._until

    async def join(self) -> int:
        """Enter the store, and end the leases that nobody holds; how many. Raises Unavailable."""
        if self._time_keeper is not None:
            await self._time_keeper.start()
        ended = await self._enter(self._node)
        return ended + await self._end_leases(dead_before=NOBODY)

    async def run(self, changed: Callable[[], None]) -> None:
        """Beat, and look after the dead, until cancelled.

        `changed` is called when more or something else may be attempted: the lease runs again, the id is
        another one, or leases were ended.

        Beats are counted from when they were asked for, as the lease is. One that is answered late, by a slow
        store or to a process that was paused, is followed by the next at once.
        """
        asked_at = self._clock.now()
        while True:
            wait_ms = min(RETRY_STORE_MS, self._beat_ms) if self._failing else self._beat_ms
            # A clock that was set back must not lengthen the wait.
            await self._clock.sleep_until(min(asked_at, self._clock.now()) + wait_ms)
            asked_at = self._clock.now()
            try:
                await self.beat(changed)
            except Unavailable as failure:
                if not self._failing:
                    self._observer.note("beat_failed", node=self._node, error=failure.sentence)
                self._failing = True
            else:
                if self._failing:
                    self._observer.note("beat_recovered", node=self._node)
                self._failing = False

    async def beat(self, changed: Callable[[], None]) -> None:
        """Live on for another lease, and end what the dead have leased. Raises Unavailable."""
        if self._time_keeper is not None:
            await self._time_keeper.look()
        now = self._clock.now()
        # A clock that was set back must not lengthen what was granted.
        self._until = min(self._until, now + self._lease_ms)
        if not await self._store.beat(self._node, now, now + self._lease_ms):
            await self._enter_anew()
            changed()
        elif self._renew(now):
            changed()
        ended = await self._end_leases(dead_before=self._dead_before())
        if ended:
            self._observer.note("leases_ended", leases=ended)
            changed()

    async def leave(self) -> int:
        """End this node's leases and its entry; how many leases. Raises Unavailable."""
        self._until = 0
        return self._told(await self._store.leave(self._node, self._clock.now()))

    # Details, in call order

    async def _enter(self, node: str) -> int:
        now = self._clock.now()
        ended = await self._store.join(node, now, now + self._lease_ms)
        self._node = node
        self._renew(now)
        self._in_touch_since = self._in_touch_at
        return self._told(ended)

    async def _enter_anew(self) -> None:
        """Go on under another id: the leases of this one were ended, or will be."""
        self._until = 0
        former = self._node
        self._ids += 1
        await self._enter(f"{self._first_id}.{self._ids}")
        self._observer.note("node_struck_off", node=former, joined_as=self._node)

    def _renew(self, asked_at: Instant) -> bool:
        """The store has granted a lease; whether the one before was over."""
        now = self._clock.now()
        lapsed = not self.holds(now)
        # Others beat as often: without a gap of this length, the lease of none of them can have run out unseen.
        if self._failing or not 0 <= now - self._in_touch_at <= 2 * self._beat_ms:
            self._in_touch_since = now
        self._in_touch_at = now
        self._until = asked_at + self._lease_ms
        return lapsed

    def _dead_before(self) -> Instant:
        """Who was to beat before then is dead."""
        now = self._clock.now()
        return now if now - self._in_touch_since >= self._lease_ms else NOBODY

    async def _end_leases(self, *, dead_before: Instant) -> int:
        total = 0
        while ended := self._told(await self._store.recover(self._clock.now(), RECOVER_BATCH, dead_before=dead_before)):
            total += ended
        return total

    def _told(self, ended: EndedLeases) -> int:
        """How many leases were ended; observers are told of the cancellations that this carried out."""
        if ended.canceled:
            self._observer.events(ended.canceled)
        return ended.count

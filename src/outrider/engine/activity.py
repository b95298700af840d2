"""Figures: what happened is counted as it is told, and written down when its second is over.

Every node counts on its own, and all of them add to the same rows. A node that dies takes the counts of its last
second or two with it; the log of messages, which is written with what it tells of, has them all the same.
While nothing happens, nothing is written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from outrider.domain.activity import Counts, Figures, Series, add, figures_of, name_of, rows_of, series_of, span_of
from outrider.domain.errors import Unavailable
from outrider.domain.event import Event
from outrider.domain.instant import SECOND_MS, Instant
from outrider.ports import ActivityStore, Clock, Observer

_Second = tuple[str, Instant]
"""A tenant, and when a second begins."""

LATE_MS = 50
"""How long after a second its counts are written: what ended in it may be told a little later."""


class Activity:
    """An observer that counts events by tenant and second, and tells another observer of everything."""

    def __init__(self, store: ActivityStore, clock: Clock, observer: Observer) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._counted: dict[_Second, defaultdict[str, int]] = {}
        self._written: Mapping[_Second, Counts] = {}
        self._something_counted = asyncio.Event()
        self._failing = False

    def events(self, events: Sequence[Event]) -> None:
        for event in events:
            name = name_of(event)
            if name is not None:
                second = event.tenant, event.time - event.time % SECOND_MS
                try:
                    self._counted[second][name] += 1
                except KeyError:
                    self._begin(second)[name] += 1
        self._observer.events(events)

    def _begin(self, second: _Second) -> defaultdict[str, int]:
        """The sums of a second in which nothing was counted before."""
        sums = self._counted[second] = defaultdict(int)
        self._something_counted.set()
        return sums

    def note(self, name: str, **facts: object) -> None:
        self._observer.note(name, **facts)

    def last_second(self, tenant: str) -> Figures:
        """Of the whole second before this one, as this process has counted it. It asks no database."""
        now = self._clock.now()
        second = tenant, now - now % SECOND_MS - SECOND_MS
        sums = dict(self._written.get(second, {}))
        add(sums, self._counted.get(second, {}))
        return figures_of(sums)

    async def series(self, tenant: str, begin: Instant, end: Instant, points: int) -> Series:
        """What all nodes have counted between two instants, in at most so many steps."""
        span = span_of(begin, end, points, self._clock.now())
        counted = await self._store.read_activity(tenant, span)
        # A thousand points of a busy tenant are 100 ms of work: deliveries go on beside it.
        return await asyncio.to_thread(series_of, span, counted)

    async def run(self) -> None:
        """Write down every second in which something happened, until cancelled."""
        while True:
            await self._clock.wait(self._something_counted, None)
            now = self._clock.now()
            await self._clock.sleep_until(now - now % SECOND_MS + SECOND_MS + LATE_MS)
            now = self._clock.now()
            try:
                await self.write(before=now - now % SECOND_MS)
            except Unavailable as failure:
                if not self._failing:
                    self._observer.note("activity_failed", error=failure.sentence)
                self._failing = True
            else:
                self._failing = False

    async def write(self, *, before: Instant) -> None:
        """Write down what happened before that instant. Raises Unavailable, and keeps it for the next time."""
        taken = {second: sums for second, sums in self._counted.items() if second[1] < before}
        for second in taken:
            del self._counted[second]
        if not self._counted:
            self._something_counted.clear()
        rows = rows_of(taken)
        if not rows:
            return
        try:
            await self._store.add_activity(rows)
        except Unavailable:
            for second, sums in taken.items():
                add(self._counted.get(second) or self._begin(second), sums)
            raise
        self._written = taken

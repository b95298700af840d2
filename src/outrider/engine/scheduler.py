"""The loop that fires schedules.

A fire is one transaction: the schedule advances and its messages are stored, or neither. Whoever
dies before the commit leaves the schedule due, and it fires when somebody looks again; whoever
dies after it leaves messages that are delivered like any other. If several nodes come for the
same fire, the store takes that of the first.

A fire that must publish and cannot (its group was deleted, its destination may not be called,
the day's messages are used up) is not tried again before its next trigger: the schedule advances
and says why in `error`. One whose expression cannot be read any more stands still until it is
overwritten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import structs

from outrider.domain.errors import Refusal, Unavailable
from outrider.domain.instant import SECOND_MS
from outrider.domain.limits import Limits
from outrider.domain.message import Message
from outrider.domain.schedule import Firing, Schedule, fire
from outrider.engine.persistence import RETRY_STORE_MS
from outrider.engine.publisher import Publisher
from outrider.engine.schedules import request_of
from outrider.ports import Clock, Observer, Receipt, ScheduleStore

FIRE_BATCH = 50
"""Most schedules that fire side by side: each may hold a body, and their commits are grouped."""

POLL_MS = 30 * SECOND_MS
"""The net under the wake-ups: schedules of other nodes are seen within this time, unless another is given."""

TAKEN_MS = 20
"""How long a trigger that another node came for first is left to it, if the store does not show its fire yet."""


class Scheduler:
    """Fires what is due.

    Args:
        catch_up: whether a trigger that was missed is caught up with; the rule is in `domain/schedule.py`.
    """

    def __init__(
        self,
        store: ScheduleStore,
        clock: Clock,
        observer: Observer,
        publisher: Publisher,
        limits: Limits,
        *,
        catch_up: bool,
        poll_ms: int = POLL_MS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._publisher = publisher
        self._limits = limits
        self._catch_up = catch_up
        self._poll_ms = poll_ms
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Another schedule may be next."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            try:
                all_fired = await self.fire_due()
                next_fire_at = await self._store.next_fire_at()
            except Unavailable as failure:
                self._observer.note("scheduling_failed", error=failure.sentence)
                await self._clock.sleep_until(self._clock.now() + RETRY_STORE_MS)
                continue
            now = self._clock.now()
            if next_fire_at is not None and not all_fired:
                next_fire_at = max(next_fire_at, now + TAKEN_MS)
            poll = now + self._poll_ms
            await self._clock.wait(self._woken, poll if next_fire_at is None else min(poll, next_fire_at))

    async def fire_due(self) -> bool:
        """Fire every schedule that is due now, at most FIRE_BATCH at once.

        False if the store goes on showing what it does not let fire: another node came first for all of it.
        """
        refused: list[Schedule] = []
        while due := await self._store.due_schedules(self._clock.now(), FIRE_BATCH):
            if due == refused:
                return False
            ends = await asyncio.gather(*map(self._fire, due), return_exceptions=True)
            for end in ends:
                if isinstance(end, BaseException):
                    raise end
            refused = [] if any(ends) else due
        return True

    async def _fire(self, schedule: Schedule) -> bool:
        """Whether it was advanced; another node may have done that."""
        now = self._clock.now()
        try:
            firing = fire(schedule, now, catch_up=self._catch_up)
        except ValueError as error:
            stopped = structs.replace(schedule, next_fire_at=None)
            return await self._give_up(
                schedule, stopped, f"its cron '{schedule.cron}' cannot be read any more: it {error}"
            )
        if firing.trigger is None:
            return await self._replace(schedule, firing.schedule)
        try:
            return await self._publish(schedule, firing)
        except Refusal as refusal:
            return await self._give_up(schedule, _passed_over(schedule, firing), refusal.sentence)
        except Unavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - a fault in one schedule must not stop the others
            self._observer.note("schedule_faulted", schedule_id=schedule.id, tenant=schedule.tenant, error=repr(fault))
            return await self._give_up(
                schedule, _passed_over(schedule, firing), "an internal fault, which the log describes"
            )

    async def _publish(self, before: Schedule, firing: Firing) -> bool:
        now = self._clock.now()
        drafts = await self._publisher.draft(request_of(before))
        after = structs.replace(firing.schedule, last_message_ids=tuple(message.id for message in drafts))
        fired = False

        async def write(messages: Sequence[Message]) -> list[Receipt] | None:
            nonlocal fired
            receipts = await self._store.fire_schedule(
                before, after, messages, now, per_day=self._limits.messages_per_day
            )
            fired = receipts is not None
            return receipts

        await self._publisher.commit(drafts, write)
        return fired

    async def _give_up(self, before: Schedule, after: Schedule, error: str) -> bool:
        if not await self._replace(before, structs.replace(after, error=error)):
            return False
        self._observer.note("schedule_failed", schedule_id=before.id, tenant=before.tenant, error=error)
        return True

    async def _replace(self, before: Schedule, after: Schedule) -> bool:
        """Advance without publishing."""
        return await self._store.fire_schedule(before, after, (), self._clock.now(), per_day=None) is not None


def _passed_over(schedule: Schedule, firing: Firing) -> Schedule:
    """The schedule as it was, on to its next fire: what it last published is still the last."""
    return structs.replace(schedule, next_fire_at=firing.schedule.next_fire_at)

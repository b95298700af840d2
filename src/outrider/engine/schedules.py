"""Schedules as people make, see and steer them. `scheduler.py` fires them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct, structs

from outrider.domain import schedule as rules
from outrider.domain.destination import Destination
from outrider.domain.errors import Malformed, NotFound
from outrider.domain.instant import Instant
from outrider.domain.limits import Limits
from outrider.domain.message import MessageState, new_id
from outrider.domain.options import OptionPatch
from outrider.domain.schedule import Schedule
from outrider.engine.publisher import FanOut, Publication, Publisher, PublishRequest
from outrider.ports import Clock, ScheduleStore
from outrider.wire.names import quoted


class ScheduleView(Struct, frozen=True):
    """A schedule as it is shown.

    Attributes:
        states: how the messages of its last fire stand, by id, as far as they are still kept:
            IN_PROGRESS, SUCCESS or FAIL.
    """

    schedule: Schedule
    states: dict[str, str]


class Schedules:
    """A tenant's schedules."""

    def __init__(
        self, store: ScheduleStore, clock: Clock, publisher: Publisher, limits: Limits, wake: Callable[[], None]
    ) -> None:
        """`wake` tells the scheduler that another schedule may be next."""
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._limits = limits
        self._wake = wake

    async def put(
        self, tenant: str, destination: Destination, patch: OptionPatch, body: bytes, caller_ip: str | None
    ) -> Schedule:
        """Create a schedule, or overwrite whole the one that `patch.schedule_id` names.

        It is refused for whatever a publish of its message would be refused for now: an unknown
        group, an address that may not be called. Raises Malformed for a cron expression that cannot
        be read, and TooMany for a schedule or a queue over the limit.
        """
        if patch.cron is UNSET:
            raise Malformed("Upstash-Cron is missing; it says when the schedule fires, such as '*/5 * * * *'")
        now = self._clock.now()
        schedule = Schedule(
            id=new_id("scd", now) if patch.schedule_id is UNSET else patch.schedule_id,
            tenant=tenant,
            cron=patch.cron.strip(),
            destination=destination,
            patch=structs.replace(patch, cron=UNSET, cron_jitter_ms=UNSET, schedule_id=UNSET, queue=UNSET),
            body=body,
            queue=None if patch.queue is UNSET else patch.queue,
            caller_ip=caller_ip,
            created_at=now,
            updated_at=now,
            jitter_ms=0 if patch.cron_jitter_ms is UNSET else patch.cron_jitter_ms,
        )
        schedule = structs.replace(schedule, next_fire_at=_first_fire(schedule, now))
        await self._publisher.draft(request_of(schedule))
        await self._store.put_schedule(schedule, most=self._limits.schedules)
        self._wake()
        return schedule

    async def get(self, tenant: str, schedule_id: str) -> ScheduleView:
        """Raises NotFound."""
        (view,) = await self._views(tenant, [await self._stored(tenant, schedule_id)])
        return view

    async def list(self, tenant: str) -> list[ScheduleView]:
        """Oldest first."""
        return [*await self._views(tenant, await self._store.list_schedules(tenant))]

    async def delete(self, tenant: str, schedule_id: str) -> None:
        """What it has published goes on. Raises NotFound."""
        if not await self._store.delete_schedule(tenant, schedule_id):
            raise _unknown(schedule_id)

    async def pause(self, tenant: str, schedule_id: str) -> Schedule:
        """It ignores its triggers until it is resumed. Raises NotFound."""
        now = self._clock.now()
        return await self._change(tenant, schedule_id, lambda schedule: rules.pause(schedule, now))

    async def resume(self, tenant: str, schedule_id: str) -> Schedule:
        """It fires again from its next trigger on. Raises NotFound."""
        now = self._clock.now()
        return await self._change(tenant, schedule_id, lambda schedule: _resumed(schedule, now))

    async def run_now(self, tenant: str, schedule_id: str) -> Publication | FanOut:
        """Publish what a fire would; when it fires next, and what it last did, stay as they were. Raises NotFound."""
        return await self._publisher.publish(request_of(await self._stored(tenant, schedule_id)))

    async def _stored(self, tenant: str, schedule_id: str) -> Schedule:
        schedule = await self._store.get_schedule(tenant, schedule_id)
        if schedule is None:
            raise _unknown(schedule_id)
        return schedule

    async def _change(self, tenant: str, schedule_id: str, change: Callable[[Schedule], Schedule]) -> Schedule:
        changed = await self._store.change_schedule(tenant, schedule_id, change)
        if changed is None:
            raise _unknown(schedule_id)
        self._wake()
        return changed

    async def _views(self, tenant: str, schedules: Sequence[Schedule]) -> tuple[ScheduleView, ...]:
        ids = [message_id for schedule in schedules for message_id in schedule.last_message_ids]
        states = await self._store.message_states(tenant, ids) if ids else {}
        return tuple(
            ScheduleView(
                schedule,
                {
                    message_id: _shown(states[message_id])
                    for message_id in schedule.last_message_ids
                    if message_id in states
                },
            )
            for schedule in schedules
        )


def request_of(schedule: Schedule) -> PublishRequest:
    """What a fire of the schedule publishes."""
    return PublishRequest(
        tenant=schedule.tenant,
        destination=schedule.destination,
        patch=schedule.patch,
        body=schedule.body,
        queue=schedule.queue,
        schedule_id=schedule.id,
        caller_ip=schedule.caller_ip,
    )


def _first_fire(schedule: Schedule, now: Instant) -> Instant | None:
    try:
        return rules.first_fire(schedule, now)
    except ValueError as error:
        raise Malformed(f"Upstash-Cron {quoted(schedule.cron)} {error}", code="invalid_cron") from None


def _resumed(schedule: Schedule, now: Instant) -> Schedule:
    try:
        return rules.resume(schedule, now)
    except ValueError as error:
        raise Malformed(
            f"schedule {quoted(schedule.id)} cannot be resumed: its cron {quoted(schedule.cron)} {error}",
            code="invalid_cron",
            hint="overwrite it with an expression that can be read",
        ) from None


def _shown(state: MessageState) -> str:
    match state:
        case MessageState.DELIVERED:
            return "SUCCESS"
        case MessageState.FAILED | MessageState.CANCELED:
            return "FAIL"
        case MessageState.DUE | MessageState.HELD | MessageState.LEASED:
            return "IN_PROGRESS"


def _unknown(schedule_id: str) -> NotFound:
    return NotFound(
        f"schedule {quoted(schedule_id)} does not exist",
        code="schedule_not_found",
        hint="GET /v2/schedules lists those there are",
    )

"""Schedules as people make, see and steer them. `scheduler.py` fires them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
from outrider.wire.editing import Edit
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
        now = self._clock.now()
        schedule = Schedule(
            id=new_id("scd", now) if patch.schedule_id is UNSET else patch.schedule_id,
            tenant=tenant,
            destination=destination,
            body=body,
            caller_ip=caller_ip,
            created_at=now,
            updated_at=now,
            **_parted(patch),
        )
        schedule = structs.replace(schedule, next_fire_at=_first_fire(schedule, now))
        await self._publisher.draft(request_of(schedule))
        await self._store.put_schedule(schedule, most=self._limits.schedules)
        self._wake()
        return schedule

    async def edit(self, tenant: str, schedule_id: str, edit: Edit) -> Schedule:
        """Change what the edit says of a schedule. Everything else stays: every option, what it did, a pause.

        Raises NotFound, and whatever `put` raises.
        """
        other = edit.patch.schedule_id
        if other not in (UNSET, schedule_id):
            raise Malformed(
                f"schedule {quoted(schedule_id)} cannot be called {quoted(str(other))}: it keeps its id",
                hint="POST /v2/schedules/{id}/copy makes another of it, under another id",
            )
        while True:
            before, now = await self._stored(tenant, schedule_id), self._clock.now()
            after = _edited(before, edit, now)
            after = rules.edit(before, structs.replace(after, next_fire_at=_first_fire(after, now)))
            await self._publisher.draft(request_of(after))
            if await self._replace(before, after):
                return after
            # It fired or was changed between the look and the transaction: look again.

    async def copy(self, tenant: str, schedule_id: str, edit: Edit, caller_ip: str | None) -> Schedule:
        """Another schedule like this one but for what the edit says: under the id that it says, or a new one.

        Raises NotFound, and whatever `put` raises.
        """
        before = await self._stored(tenant, schedule_id)
        like = _edited(before, edit, self._clock.now())
        patch = structs.replace(_joined(like), schedule_id=edit.patch.schedule_id)
        return await self.put(tenant, like.destination, patch, like.body, caller_ip)

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

    async def _replace(self, before: Schedule, after: Schedule) -> bool:
        """Whether it was still as it was."""

        def change(found: Schedule) -> Schedule:
            return after if found == before else found

        return await self._change(before.tenant, before.id, change) == after

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


def _parted(patch: OptionPatch) -> dict[str, Any]:
    """The fields of a schedule that options say: some are its own, the rest its messages'. Raises Malformed."""
    if patch.cron is UNSET:
        raise Malformed("Upstash-Cron is missing; it says when the schedule fires, such as '*/5 * * * *'")
    return {
        "cron": patch.cron.strip(),
        "jitter_ms": 0 if patch.cron_jitter_ms is UNSET else patch.cron_jitter_ms,
        "queue": None if patch.queue is UNSET else patch.queue,
        "patch": structs.replace(patch, cron=UNSET, cron_jitter_ms=UNSET, schedule_id=UNSET, queue=UNSET),
    }


def _joined(schedule: Schedule) -> OptionPatch:
    """The options that a schedule was made by: the way back."""
    return structs.replace(
        schedule.patch,
        cron=schedule.cron,
        cron_jitter_ms=schedule.jitter_ms or UNSET,
        queue=UNSET if schedule.queue is None else schedule.queue,
    )


def _edited(schedule: Schedule, edit: Edit, now: Instant) -> Schedule:
    """The schedule with what the edit says; when it fires next is not looked at."""
    return structs.replace(
        schedule,
        destination=schedule.destination if edit.destination is None else edit.destination,
        body=schedule.body if edit.body is None else edit.body,
        updated_at=now,
        **_parted(edit.of(_joined(schedule))),
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

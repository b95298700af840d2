"""Schedules: what is published whenever a cron expression fires.

    trigger   a moment named by the expression
    fire      the moment its messages are published: the trigger, later by the trigger's jitter

The jitter is drawn from the schedule's id and the trigger, so that every node and every restart
finds the same one; it never reaches the next trigger, so that each trigger keeps its turn.

A trigger is missed if nobody could fire it within a minute of its time. Missed triggers are not
replayed, except that the last one is caught up with once, if it is younger than its period: the
time from the trigger before it. So a daily report that fell into an hour's downtime comes late,
while Friday's last five-minute check does not come on Sunday.
"""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct, structs

from outrider.domain.cron import Cron
from outrider.domain.destination import Destination
from outrider.domain.instant import MINUTE_MS, Instant
from outrider.domain.options import OptionPatch

ON_TIME_MS = MINUTE_MS
"""How late a fire may be and still be on time: the smallest period an expression can name."""


class Schedule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to publish, where, and when.

    Attributes:
        cron: as it was given, without surrounding space.
        patch: the options of each message, as far as they were said.
        queue: the queue each message is put into.
        jitter_ms: how much later than its trigger a fire may come.
        last_fired_at: when messages were last published.
        next_fire_at: when they will next be; None if the expression never fires again.
        last_message_ids: what the last fire published.
        error: why the last fire published nothing, if it should have.
        last_trigger: the latest that was published, by this one or by those it has overwritten. It is shown to nobody.
    """

    id: str
    tenant: str
    cron: str
    destination: Destination
    patch: OptionPatch = OptionPatch()
    body: bytes = b""
    queue: str | None = None
    caller_ip: str | None = None
    created_at: Instant
    updated_at: Instant
    paused: bool = False
    jitter_ms: int = 0
    last_fired_at: Instant | None = None
    next_fire_at: Instant | None = None
    last_message_ids: tuple[str, ...] = ()
    error: str | None = None
    last_trigger: Instant | None = None


class Firing(Struct, frozen=True):
    """What a fire comes to.

    Attributes:
        schedule: advanced to its next fire.
        trigger: the moment to publish for, now; None if nothing is to be published. A schedule has
            each trigger once, so that the two together tell a fire from its repetition.
    """

    schedule: Schedule
    trigger: Instant | None


def first_fire(schedule: Schedule, now: Instant) -> Instant | None:
    """The fire of the first trigger after now: where a new, changed or resumed schedule begins.

    Like all here, it raises ValueError if the expression cannot be read any more (its zone is gone).
    """
    return _fire_behind(schedule, Cron.parse(schedule.cron), now)


def overwrite(before: Schedule, after: Schedule) -> Schedule:
    """`after` in the place of `before`, as which it was created.

    No trigger is published by both, and none is lost between them. One that `before` published, after `after` had been
    computed or before its clock was set back, is passed over. One that fell due and was not published yet stays
    due, if both have it: the expression is the same, and `before` was not paused. Triggers are compared, not their
    fires: with another jitter, one trigger has another fire.
    """
    return structs.replace(
        after,
        created_at=before.created_at,
        next_fire_at=_fire_in_place_of(before, after),
        last_trigger=before.last_trigger,
    )


def edit(before: Schedule, after: Schedule) -> Schedule:
    """`after`, which is `before` but for what was edited: what it has done stays, and its triggers go on as above."""
    return structs.replace(after, next_fire_at=_fire_in_place_of(before, after))


def fire(schedule: Schedule, now: Instant, *, catch_up: bool = True) -> Firing:
    """Advance a schedule whose fire is due, and say whether it publishes; before that, nothing changes.

    However many triggers have passed, the last of them alone may publish: on time, or late if
    `catch_up` allows it. A paused schedule ignores its triggers.
    """
    if schedule.next_fire_at is None or now < schedule.next_fire_at:
        return Firing(schedule, None)
    cron = Cron.parse(schedule.cron)
    trigger = _last_fired_trigger(schedule, cron, now)
    next_fire_at = _fire_behind(schedule, cron, now if trigger is None else trigger)
    if trigger is None or schedule.paused or not _publishes(schedule, cron, trigger, now, catch_up=catch_up):
        return Firing(structs.replace(schedule, next_fire_at=next_fire_at), None)
    advanced = structs.replace(
        schedule, next_fire_at=next_fire_at, last_fired_at=now, last_message_ids=(), error=None, last_trigger=trigger
    )
    return Firing(advanced, trigger)


def pause(schedule: Schedule, now: Instant) -> Schedule:
    """The schedule, ignoring its triggers from now on."""
    return schedule if schedule.paused else structs.replace(schedule, paused=True, updated_at=now)


def resume(schedule: Schedule, now: Instant) -> Schedule:
    """The schedule, firing again from its next trigger on; those of the pause are lost."""
    if not schedule.paused:
        return schedule
    return structs.replace(schedule, paused=False, updated_at=now, next_fire_at=first_fire(schedule, now))


def _fire_in_place_of(before: Schedule, after: Schedule) -> Instant | None:
    """The fire of the first trigger that `after` publishes in the place of `before`."""
    if after.next_fire_at is None:
        return None
    cron = Cron.parse(after.cron)
    trigger = _trigger_of(after, cron, after.next_fire_at)
    if before.next_fire_at is not None and before.cron == after.cron and not before.paused:
        trigger = min(trigger, _trigger_of(before, cron, before.next_fire_at))
    if before.last_trigger is not None and trigger <= before.last_trigger:
        return _fire_behind(after, cron, before.last_trigger)
    return _fire_of(after, cron, trigger)


def _trigger_of(schedule: Schedule, cron: Cron, fire_at: Instant) -> Instant:
    """The trigger of a planned fire; the fire, if the rules of the time zone have changed and there is none."""
    trigger = _last_fired_trigger(schedule, cron, fire_at)
    return fire_at if trigger is None else trigger


def _last_fired_trigger(schedule: Schedule, cron: Cron, now: Instant) -> Instant | None:
    """The last trigger whose fire has come."""
    trigger = cron.last_at_or_before(now)
    if trigger is not None and _fire_of(schedule, cron, trigger) > now:
        return cron.last_at_or_before(trigger - 1)
    return trigger


def _fire_behind(schedule: Schedule, cron: Cron, instant: Instant) -> Instant | None:
    """The fire of the first trigger after that."""
    trigger = cron.next_after(instant)
    return None if trigger is None else _fire_of(schedule, cron, trigger)


def _publishes(schedule: Schedule, cron: Cron, trigger: Instant, now: Instant, *, catch_up: bool) -> bool:
    if schedule.last_trigger is not None and trigger <= schedule.last_trigger:
        return False  # a clock was set back, or the rules of the time zone have changed since this fire was planned
    late_ms = now - _fire_of(schedule, cron, trigger)
    if late_ms <= ON_TIME_MS:
        return True
    period_ms = cron.period_at(trigger - 1)
    return catch_up and (period_ms is None or late_ms < period_ms)


def _fire_of(schedule: Schedule, cron: Cron, trigger: Instant) -> Instant:
    if schedule.jitter_ms == 0:
        return trigger
    following = cron.next_after(trigger)
    longest = schedule.jitter_ms if following is None else min(schedule.jitter_ms, following - trigger - 1)
    drawn = blake2b(f"{schedule.id} {trigger}".encode(), digest_size=8).digest()
    return trigger + int.from_bytes(drawn, "big") % (longest + 1)

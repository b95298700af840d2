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
        overwritten_fired_at: when those last published which this one has overwritten. It is shown to nobody.
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
    overwritten_fired_at: Instant | None = None

    @property
    def published_until(self) -> Instant:
        """No trigger whose fire is not later is published again."""
        return max(self.last_fired_at or 0, self.overwritten_fired_at or 0)


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
    cron = Cron.parse(schedule.cron)
    trigger = cron.next_after(now)
    return None if trigger is None else _fire_of(schedule, cron, trigger)


def overwrite(before: Schedule, after: Schedule) -> Schedule:
    """`after` in the place of `before`, as which it was created.

    No trigger is published by both, and none is lost between them. One that `before` published, after `after` had been
    computed or before its clock was set back, is passed over. One that fell due and was not published yet stays
    due, if both have it: the expression is the same, and `before` was not paused.
    """
    next_fire_at, published_until = after.next_fire_at, before.published_until
    same = (before.cron, before.jitter_ms, before.paused) == (after.cron, after.jitter_ms, after.paused)
    if next_fire_at is None or before.next_fire_at is None:
        pass
    elif same and before.next_fire_at < next_fire_at:
        next_fire_at = before.next_fire_at
    elif next_fire_at <= published_until:
        cron = Cron.parse(after.cron)
        next_fire_at = _fire_behind(after, cron, _last_fired_trigger(after, cron, published_until), published_until)
    return structs.replace(
        after,
        created_at=before.created_at,
        next_fire_at=next_fire_at,
        overwritten_fired_at=published_until or None,
    )


def fire(schedule: Schedule, now: Instant, *, catch_up: bool = True) -> Firing:
    """Advance a schedule whose fire is due, and say whether it publishes; before that, nothing changes.

    However many triggers have passed, the last of them alone may publish: on time, or late if
    `catch_up` allows it. A paused schedule ignores its triggers.
    """
    if schedule.next_fire_at is None or now < schedule.next_fire_at:
        return Firing(schedule, None)
    cron = Cron.parse(schedule.cron)
    trigger = _last_fired_trigger(schedule, cron, now)
    next_fire_at = _fire_behind(schedule, cron, trigger, now)
    if trigger is None or schedule.paused or not _publishes(schedule, cron, trigger, now, catch_up=catch_up):
        return Firing(structs.replace(schedule, next_fire_at=next_fire_at), None)
    advanced = structs.replace(schedule, next_fire_at=next_fire_at, last_fired_at=now, last_message_ids=(), error=None)
    return Firing(advanced, trigger)


def pause(schedule: Schedule, now: Instant) -> Schedule:
    """The schedule, ignoring its triggers from now on."""
    return schedule if schedule.paused else structs.replace(schedule, paused=True, updated_at=now)


def resume(schedule: Schedule, now: Instant) -> Schedule:
    """The schedule, firing again from its next trigger on; those of the pause are lost."""
    if not schedule.paused:
        return schedule
    return structs.replace(schedule, paused=False, updated_at=now, next_fire_at=first_fire(schedule, now))


def _last_fired_trigger(schedule: Schedule, cron: Cron, now: Instant) -> Instant | None:
    """The last trigger whose fire has come."""
    trigger = cron.last_at_or_before(now)
    if trigger is not None and _fire_of(schedule, cron, trigger) > now:
        return cron.last_at_or_before(trigger - 1)
    return trigger


def _fire_behind(schedule: Schedule, cron: Cron, trigger: Instant | None, now: Instant) -> Instant | None:
    """The fire of the trigger that follows the last one, or now if there was none."""
    following = cron.next_after(now if trigger is None else trigger)
    return None if following is None else _fire_of(schedule, cron, following)


def _publishes(schedule: Schedule, cron: Cron, trigger: Instant, now: Instant, *, catch_up: bool) -> bool:
    fired_at = _fire_of(schedule, cron, trigger)
    if fired_at <= schedule.published_until:
        return False  # a clock was set back, or the rules of the time zone have changed since this fire was planned
    late_ms = now - fired_at
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

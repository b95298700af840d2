from datetime import datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from outrider.domain.cron import Cron
from outrider.domain.destination import GroupName, Url
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from outrider.domain.options import CallbackPatch, FlowControl, OptionPatch
from outrider.domain.schedule import ON_TIME_MS, Schedule, fire, first_fire, overwrite, pause, resume


def at(text):
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)


NOW = at("2026-05-05T12:00:30")  # a Tuesday


def schedule(cron="0 * * * *", now=NOW, **facts):
    fresh = Schedule(
        id="scd_1",
        tenant="ten_1",
        cron=cron,
        destination=Url("https://a.example"),
        created_at=now,
        updated_at=now,
        **facts,
    )
    return structs.replace(fresh, next_fire_at=first_fire(fresh, now))


def publish_until(schedule, now):
    """The schedule after all its fires, each in time or at once, and the triggers that were published."""
    published = []
    while schedule.next_fire_at <= now:
        firing = fire(schedule, schedule.next_fire_at)
        schedule = firing.schedule
        published += [] if firing.trigger is None else [firing.trigger]
    return schedule, published


def test_new_schedule_begins_with_its_next_trigger():
    assert schedule().next_fire_at == at("2026-05-05T13:00")
    assert schedule("TZ=Asia/Tokyo 0 9 * * *").next_fire_at == at("2026-05-06T00:00")


def test_nothing_happens_before_the_fire_is_due():
    waiting = schedule()
    firing = fire(waiting, waiting.next_fire_at - 1)
    assert (firing.schedule, firing.trigger) == (waiting, None)


def test_due_fire_publishes_and_advances():
    due = structs.replace(schedule(), last_message_ids=("msg_1",), error="URL group 'fans' does not exist")
    now = due.next_fire_at + 20
    firing = fire(due, now)
    assert firing.trigger == at("2026-05-05T13:00")
    assert firing.schedule == structs.replace(
        due,
        last_fired_at=now,
        next_fire_at=at("2026-05-05T14:00"),
        last_message_ids=(),
        error=None,
        last_trigger=firing.trigger,
    )


def test_fire_happens_once():
    firing = fire(schedule(), at("2026-05-05T13:00"))
    assert fire(firing.schedule, at("2026-05-05T13:00:01")).trigger is None


def test_paused_schedule_ignores_its_triggers():
    paused = pause(schedule(), NOW + 5)
    assert (paused.paused, paused.updated_at) == (True, NOW + 5)
    firing = fire(paused, at("2026-05-05T13:00"))
    assert firing.trigger is None
    assert firing.schedule == structs.replace(paused, next_fire_at=at("2026-05-05T14:00"))


def test_resumed_schedule_goes_on_with_its_next_trigger():
    resumed = resume(pause(schedule(), NOW), at("2026-05-05T15:10"))
    assert (resumed.paused, resumed.next_fire_at) == (False, at("2026-05-05T16:00"))
    assert fire(resumed, at("2026-05-05T15:11")).trigger is None


def test_resuming_what_runs_changes_nothing():
    running = schedule(jitter_ms=HOUR_MS)
    assert resume(running, NOW + 40 * MINUTE_MS) is running
    paused = pause(running, NOW)
    assert pause(paused, NOW + 1) is paused


class TestOverwriting:
    TRIGGER = at("2026-05-05T13:00")
    NEXT = at("2026-05-05T14:00")

    def test_trigger_that_was_published_while_the_other_came_is_passed_over(self):
        fired = fire(schedule(), self.TRIGGER + 20).schedule
        kept = overwrite(fired, schedule(now=self.TRIGGER - 1))
        assert (kept.next_fire_at, kept.last_fired_at, kept.created_at) == (self.NEXT, None, NOW)
        assert overwrite(fired, schedule("*/5 * * * *", self.TRIGGER - 1)).next_fire_at == at("2026-05-05T13:05")

    def test_trigger_that_was_published_is_remembered_however_often_it_is_overwritten(self):
        kept = fire(schedule(), self.TRIGGER + 20).schedule
        for _ in range(3):
            kept = overwrite(kept, schedule(now=self.TRIGGER - 1))
        assert kept.next_fire_at == self.NEXT

    def test_trigger_that_fell_due_and_was_not_published_yet_stays_due(self):
        kept = overwrite(schedule(), schedule(now=self.TRIGGER + 5))
        assert (kept.next_fire_at, fire(kept, self.TRIGGER + 9).trigger) == (self.TRIGGER, self.TRIGGER)

    def test_trigger_that_was_published_is_passed_over_whatever_the_jitter(self):
        fired = fire(schedule(), self.TRIGGER + 20).schedule
        late = schedule(now=self.TRIGGER - 1, jitter_ms=20 * MINUTE_MS)
        assert self.TRIGGER + 20 < late.next_fire_at < self.NEXT
        kept = overwrite(fired, late)
        assert kept.next_fire_at == first_fire(late, self.TRIGGER) > self.NEXT
        back = resume(pause(kept, NOW), self.TRIGGER - 1)
        assert fire(back, late.next_fire_at).trigger is None

    def test_trigger_whose_jitter_passes_stays_due_with_the_new_one(self):
        waiting = schedule(jitter_ms=20 * MINUTE_MS)
        now = waiting.next_fire_at - 1
        kept = overwrite(waiting, schedule(now=now))
        assert (kept.next_fire_at, fire(kept, now).trigger) == (self.TRIGGER, self.TRIGGER)
        fired = fire(waiting, waiting.next_fire_at).schedule
        assert overwrite(fired, schedule(now=now)).next_fire_at == self.NEXT

    @given(*[st.integers(0, HOUR_MS)] * 2, st.integers(0, 5 * HOUR_MS), st.integers(0, HOUR_MS))
    def test_no_trigger_is_repeated_or_lost_whatever_the_jitters_and_the_moment(
        self, jitter_ms, later_jitter_ms, asked_ms, took_ms
    ):
        asked_at = NOW + asked_ms
        before, published = publish_until(schedule(jitter_ms=jitter_ms), asked_at + took_ms)
        after = overwrite(before, schedule(now=asked_at, jitter_ms=later_jitter_ms))
        _, published_later = publish_until(after, self.TRIGGER + 8 * HOUR_MS - 1)
        assert published + published_later == [self.TRIGGER + hour * HOUR_MS for hour in range(8)]

    def test_trigger_of_another_expression_or_of_a_pause_does_not(self):
        assert overwrite(schedule("30 12 * * *"), schedule(now=self.TRIGGER)).next_fire_at == self.NEXT
        assert overwrite(pause(schedule(), NOW), schedule(now=self.TRIGGER)).next_fire_at == self.NEXT

    def test_clock_that_was_set_back_brings_no_trigger_again(self):
        fired = fire(schedule(), self.TRIGGER).schedule
        kept = overwrite(fired, schedule(now=self.TRIGGER - 40 * MINUTE_MS))
        assert kept.next_fire_at == self.NEXT
        back = resume(pause(kept, NOW), self.TRIGGER - HOUR_MS)
        assert fire(back, self.TRIGGER).trigger is None

    def test_expression_that_never_fires_again_stays_so(self):
        ended = structs.replace(schedule(), next_fire_at=None)
        assert overwrite(schedule(), ended).next_fire_at is None
        assert overwrite(ended, schedule()).next_fire_at == self.TRIGGER


def test_downtime_is_caught_up_with_once():
    back = at("2026-05-05T17:25")
    firing = fire(schedule(), back)
    assert firing.trigger == at("2026-05-05T17:00")
    assert firing.schedule.next_fire_at == at("2026-05-05T18:00")
    assert firing.schedule.last_fired_at == back
    assert fire(firing.schedule, back + 1).trigger is None


def test_downtime_is_not_caught_up_with_where_that_is_not_wanted():
    firing = fire(schedule(), at("2026-05-05T17:25"), catch_up=False)
    assert firing.trigger is None
    assert firing.schedule.next_fire_at == at("2026-05-05T18:00")
    assert firing.schedule.last_fired_at is None


def test_fire_that_comes_within_a_minute_is_on_time():
    due = schedule()
    assert fire(due, due.next_fire_at + ON_TIME_MS, catch_up=False).trigger == due.next_fire_at
    assert fire(due, due.next_fire_at + ON_TIME_MS + 1, catch_up=False).trigger is None


def test_last_trigger_is_on_time_even_if_earlier_ones_were_missed():
    firing = fire(schedule("* * * * *"), at("2026-05-05T17:25:10"), catch_up=False)
    assert firing.trigger == at("2026-05-05T17:25")


def test_trigger_older_than_its_period_is_not_caught_up_with():
    checks = schedule("*/5 9-17 * * MON-FRI", now=at("2026-05-08T12:00"))  # a Friday
    assert fire(checks, at("2026-05-08T17:59:59")).trigger == at("2026-05-08T17:55")
    assert fire(checks, at("2026-05-08T18:00:00")).trigger is None
    sunday = fire(checks, at("2026-05-10T12:00"))
    assert (sunday.trigger, sunday.schedule.next_fire_at) == (None, at("2026-05-11T09:00"))


def test_daily_trigger_is_caught_up_with_the_same_day():
    assert fire(schedule("0 13 * * *"), at("2026-05-06T04:00")).trigger == at("2026-05-05T13:00")


def test_rules_of_a_zone_that_change_do_not_fire_a_trigger_again():
    # Planned for 12:00 by rules that have changed: by the new ones the last trigger was yesterday's.
    planned = structs.replace(
        schedule("0 13 * * *"), next_fire_at=at("2026-05-05T12:00"), last_trigger=at("2026-05-04T13:00")
    )
    firing = fire(planned, at("2026-05-05T12:00"))
    assert (firing.trigger, firing.schedule.next_fire_at) == (None, at("2026-05-05T13:00"))


def test_schedule_that_never_fires_again_stays_as_it_is():
    ended = structs.replace(schedule(), next_fire_at=None)
    assert fire(ended, NOW + DAY_MS).schedule is ended


def test_expression_that_cannot_be_read_any_more_is_a_value_error():
    broken = structs.replace(schedule(), cron="TZ=Mars/Olympus 0 * * * *")
    with pytest.raises(ValueError, match="Mars/Olympus"):
        fire(broken, NOW + DAY_MS)
    with pytest.raises(ValueError, match="Mars/Olympus"):
        first_fire(broken, NOW)


def test_jitter_differs_by_schedule_and_trigger_and_is_always_the_same():
    mine = schedule(jitter_ms=30 * MINUTE_MS)
    fires = [first_fire(mine, NOW + hour * HOUR_MS) for hour in range(24)]
    assert fires == [first_fire(mine, NOW + hour * HOUR_MS) for hour in range(24)]
    late = [fired % HOUR_MS for fired in fires]
    assert all(0 <= span <= 30 * MINUTE_MS for span in late)
    assert len(set(late)) > 20
    assert max(late) - min(late) > 15 * MINUTE_MS
    assert first_fire(structs.replace(mine, id="scd_2"), NOW) != fires[0]


def test_jitter_never_reaches_the_next_trigger():
    wild = schedule("*/5 * * * *", jitter_ms=7 * DAY_MS)
    for i in range(500):
        now = NOW + i * 5 * MINUTE_MS
        trigger = Cron.parse(wild.cron).next_after(now)
        assert trigger <= first_fire(wild, now) < trigger + 5 * MINUTE_MS


def test_trigger_whose_jitter_is_not_over_keeps_its_turn():
    mine = schedule(jitter_ms=50 * MINUTE_MS)
    back = at("2026-05-05T17:00")
    own_fire = first_fire(mine, back - 1)
    assert own_fire > back
    firing = fire(mine, back)
    assert (firing.trigger, firing.schedule.next_fire_at) == (at("2026-05-05T16:00"), own_fire)
    assert fire(firing.schedule, own_fire).trigger == back


def test_jittered_fire_tells_its_trigger():
    mine = schedule(jitter_ms=30 * MINUTE_MS)
    firing = fire(mine, mine.next_fire_at)
    assert firing.trigger == at("2026-05-05T13:00")
    assert fire(mine, mine.next_fire_at - 1).trigger is None


@pytest.mark.parametrize("destination", [Url("https://a.example/x?y=%2F"), GroupName("fans")])
@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack])
def test_schedule_survives_a_round_trip(destination, codec):
    kept = structs.replace(
        schedule(jitter_ms=5, queue="emails", caller_ip="192.0.2.1", body=b"\x00\xff", paused=True),
        destination=destination,
        patch=OptionPatch(
            method="PUT",
            retries=0,
            headers=(("X-A", "1"), ("X-A", "2")),
            callback=CallbackPatch(url="https://b.example", options=OptionPatch(retries=1)),
            flow_control=FlowControl("k", rate=1),
        ),
        last_fired_at=NOW,
        last_message_ids=("msg_1", "msg_2"),
        error="over the daily limit",
    )
    assert codec.decode(codec.encode(kept), type=Schedule) == kept


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/5 9-17 * * MON-FRI", "TZ=Europe/Berlin 30 2 * * *", "0 * * * *", "0 0 1 * *"]),
    st.sampled_from([0, 10 * SECOND_MS, 20 * MINUTE_MS, 7 * DAY_MS]),
    st.integers(at("2026-03-01T00:00"), at("2026-11-30T00:00")),
    st.lists(st.integers(0, 3 * DAY_MS) | st.integers(0, 2 * MINUTE_MS) | st.none(), max_size=25),
    st.booleans(),
)
def test_no_trigger_fires_twice_and_none_before_its_time(cron, jitter_ms, now, waits, catch_up):
    """Time goes on by some step, or just to the next fire (None); now and then the process restarts."""
    current, expression, fired = schedule(cron, now=now, jitter_ms=jitter_ms), Cron.parse(cron), []
    created = now
    for wait in waits:
        now = current.next_fire_at if wait is None else now + wait
        planned = current.next_fire_at
        firing = fire(current, now, catch_up=catch_up)
        if wait is None:
            assert firing.trigger == expression.last_at_or_before(planned)
        if firing.trigger is not None:
            assert created < firing.trigger <= now
            assert planned <= now
            assert expression.last_at_or_before(firing.trigger) == firing.trigger
            fired.append(firing.trigger)
        assert firing.schedule.next_fire_at > now
        current = msgspec.msgpack.decode(msgspec.msgpack.encode(firing.schedule), type=Schedule)
    assert all(later > earlier for earlier, later in pairwise(fired))

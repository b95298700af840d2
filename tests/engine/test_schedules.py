"""Schedules: each trigger is published once, at its time, whatever happens around it."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec import structs
from tests.engine.world import unreachable

from outrider.domain.destination import GroupName
from outrider.domain.errors import LimitReached, Malformed, NotFound, StoreUnavailable, TooMany, Undeliverable
from outrider.domain.event import EventKind as E
from outrider.domain.instant import HOUR_MS, MINUTE_MS
from outrider.domain.limits import Limits
from outrider.domain.options import CallbackPatch, OptionPatch
from outrider.engine.publisher import FanOut, Publication
from outrider.testing import DEFAULT_START

URL = "https://a.example/x"
OTHER = "https://b.example/x"


def utc(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)


def minutes(*numbers: int) -> list[int]:
    return [DEFAULT_START + number * MINUTE_MS for number in numbers]


async def view(world, schedule):
    return await world.engine.schedules.get(world.tenant, schedule.id)


async def stored(world, schedule):
    return (await view(world, schedule)).schedule


async def test_schedule_fires_exactly_at_its_triggers(world):
    schedule = await world.schedule("*/2 * * * *", URL, b"report")
    await world.clock.advance(2 * MINUTE_MS - 1)
    assert not world.destinations.calls
    await world.clock.advance(4 * MINUTE_MS + 1)
    assert world.created_at() == minutes(2, 4, 6)
    assert [call.body for call in world.destinations.calls_to(URL)] == [b"report"] * 3
    assert ("Upstash-Schedule-Id", schedule.id) in world.destinations.calls[0].headers
    after = await stored(world, schedule)
    assert [after.last_fired_at, after.next_fire_at] == minutes(6, 8)


async def test_earlier_schedule_is_not_kept_waiting_by_a_later_one(world):
    await world.stop()
    await world.leap_to(DEFAULT_START + 10_000)
    await world.start_anew()
    await world.schedule("@hourly", OTHER)
    await world.clock.advance(35_000)
    # The scheduler would look by itself at 40 and at 70 seconds.
    await world.schedule("* * * * *", URL)
    await world.clock.advance_to(DEFAULT_START + MINUTE_MS)
    assert world.created_at() == minutes(1)


async def test_schedules_of_the_same_minute_all_fire(world):
    for number in range(60):
        await world.schedule("* * * * *", URL, str(number).encode())
    await world.clock.advance(MINUTE_MS)
    assert sorted(int(call.body) for call in world.destinations.calls) == list(range(60))


async def test_delay_holds_back_each_message_and_not_the_schedule(world):
    await world.schedule("* * * * *", URL, delay_ms=90_000)
    await world.clock.advance(2 * MINUTE_MS)
    assert world.created_at() == minutes(1, 2)
    assert not world.destinations.calls
    await world.clock.advance(MINUTE_MS // 2)
    assert len(world.destinations.calls) == 1


async def test_scheduled_messages_stand_in_the_queue(world):
    release = world.destinations.hang(URL)
    await world.schedule("* * * * *", URL, queue="line")
    assert (await world.engine.queues.get(world.tenant, "line")).parallelism == 1
    await world.clock.advance(3 * MINUTE_MS)
    assert len(world.destinations.calls) == 1
    assert (await world.engine.queues.get(world.tenant, "line")).waiting == 2
    release.set()
    await world.rest()
    assert len(world.destinations.calls) == 3
    assert ("Upstash-Queue-Name", "line") in world.destinations.calls[2].headers


async def test_schedule_to_a_group_publishes_to_each_endpoint(world):
    world.destinations.behave(OTHER, unreachable)
    await world.group("group", URL, OTHER)
    schedule = await world.schedule("* * * * *", GroupName("group"), retries=0)
    await world.clock.advance(MINUTE_MS)
    assert {call.url for call in world.destinations.calls} == {URL, OTHER}
    states = (await view(world, schedule)).states
    assert list(states.values()) == ["SUCCESS", "FAIL"]


async def test_states_are_of_the_last_fire(world):
    release = world.destinations.hang(URL)
    schedule = await world.schedule("* * * * *", URL)
    assert (await view(world, schedule)).states == {}
    await world.clock.advance(MINUTE_MS)
    (running,) = (await view(world, schedule)).states.items()
    assert running == ((await stored(world, schedule)).last_message_ids[0], "IN_PROGRESS")
    release.set()
    await world.rest()
    assert (await world.engine.schedules.list(world.tenant))[0].states == {running[0]: "SUCCESS"}


async def test_paused_schedule_ignores_its_triggers_and_goes_on_from_the_next(world):
    schedule = await world.schedule("* * * * *", URL)
    await world.engine.schedules.pause(world.tenant, schedule.id)
    await world.clock.advance(3 * MINUTE_MS + 1)
    assert not world.created_at()
    resumed = await world.engine.schedules.resume(world.tenant, schedule.id)
    assert [resumed.next_fire_at] == minutes(4)
    await world.clock.advance(MINUTE_MS)
    assert world.created_at() == minutes(4)


async def test_overwritten_schedule_is_another_under_the_same_id(world):
    first = await world.schedule("* * * * *", URL, b"body", schedule_id="mine")
    await world.clock.advance(1)
    await world.schedule("*/2 * * * *", OTHER, schedule_id="mine")
    (only,) = await world.engine.schedules.list(world.tenant)
    assert (only.schedule.id, only.schedule.created_at, only.schedule.body) == ("mine", first.created_at, b"")
    await world.clock.advance_to(DEFAULT_START + 2 * MINUTE_MS)
    assert [(call.url, call.body) for call in world.destinations.calls] == [(OTHER, b"")]


async def test_deleted_schedule_fires_no_more(world):
    schedule = await world.schedule("* * * * *", URL)
    await world.clock.advance(MINUTE_MS)
    await world.engine.schedules.delete(world.tenant, schedule.id)
    await world.clock.advance(2 * MINUTE_MS)
    assert len(world.destinations.calls) == 1
    for missing in ("get", "delete", "pause", "resume", "run_now"):
        with pytest.raises(NotFound, match="schedule"):
            await getattr(world.engine.schedules, missing)(world.tenant, schedule.id)


async def test_run_now_publishes_and_leaves_the_schedule_as_it_was(world):
    await world.group("group", URL, OTHER)
    single = await world.schedule("* * * * *", URL, b"body", queue="line")
    fanned = await world.schedule("* * * * *", GroupName("group"))
    before = await stored(world, single)
    published = await world.engine.schedules.run_now(world.tenant, single.id)
    assert isinstance(published, Publication)
    message = await world.message(published.message_id)
    assert (message.schedule_id, message.body, message.queue) == (single.id, b"body", "line")
    assert await stored(world, single) == before
    assert isinstance(await world.engine.schedules.run_now(world.tenant, fanned.id), FanOut)


class TestRefused:
    @pytest.mark.parametrize(
        ("said", "what"),
        [
            ({"cron": "61 * * * *"}, "Upstash-Cron '61"),
            ({"cron": "* * * * * *"}, "six fields"),
            ({"cron": "CRON_TZ=No/Where * * * * *"}, "No/Where"),
            (
                {
                    "cron": "* * * * *",
                    "queue": "line",
                    "callback": CallbackPatch(url=URL, options=OptionPatch(delay_ms=1)),
                },
                "Callback-Delay",
            ),
        ],
    )
    async def test_what_breaks_a_rule_is_refused_when_it_is_made(self, world, said, what):
        with pytest.raises(Malformed, match=what):
            await world.schedule(**{"to": URL, **said})
        assert await world.engine.schedules.list(world.tenant) == []

    async def test_schedule_without_a_cron_is_refused(self, world):
        with pytest.raises(Malformed, match="Upstash-Cron is missing"):
            await world.engine.schedules.put(world.tenant, GroupName("x"), OptionPatch(), b"", None)

    async def test_unknown_group_and_forbidden_address_are_refused(self, world):
        with pytest.raises(NotFound, match="'nobody'"):
            await world.schedule("* * * * *", GroupName("nobody"))
        with pytest.raises(Undeliverable):
            await world.schedule("* * * * *", "https://127.0.0.1/")

    async def test_schedule_over_the_limit_is_refused(self, make_world):
        world = await make_world(Limits(schedules=1))
        await world.schedule("* * * * *", URL, schedule_id="one")
        await world.schedule("* * * * *", OTHER, schedule_id="one")
        with pytest.raises(TooMany):
            await world.schedule("* * * * *", URL, schedule_id="two")


class TestTroubles:
    async def test_deleted_group_is_told_in_the_schedule_and_stops_nobody_else(self, world):
        await world.group("group", OTHER)
        broken = await world.schedule("* * * * *", GroupName("group"))
        await world.schedule("* * * * *", URL)
        await world.engine.url_groups.delete(world.tenant, "group")
        await world.clock.advance(2 * MINUTE_MS)
        assert len(world.destinations.calls_to(URL)) == 2
        after = await stored(world, broken)
        assert "'group' does not exist" in after.error
        assert [after.next_fire_at] == minutes(3)
        assert after.last_fired_at is None
        assert len(world.witness.noted("schedule_failed")) == 2
        await world.group("group", OTHER)
        await world.clock.advance(MINUTE_MS)
        assert (await stored(world, broken)).error is None
        assert len(world.destinations.calls_to(OTHER)) == 1

    async def test_expression_that_cannot_be_read_any_more_stands_still_and_stops_nobody_else(self, world):
        lost = await world.schedule("* * * * *", OTHER)
        await world.schedule("* * * * *", URL)
        cron = "CRON_TZ=Gone/Zone * * * * *"
        await world.store.change_schedule(world.tenant, lost.id, lambda s: structs.replace(s, cron=cron))
        await world.clock.advance(2 * MINUTE_MS)
        assert len(world.destinations.calls_to(URL)) == 2
        after = await stored(world, lost)
        assert "Gone/Zone" in after.error
        assert after.next_fire_at is None
        await world.engine.schedules.pause(world.tenant, lost.id)
        with pytest.raises(Malformed, match="Gone/Zone"):
            await world.engine.schedules.resume(world.tenant, lost.id)

    async def test_fault_in_one_schedule_stops_nobody_else(self, world, monkeypatch):
        faulty = await world.schedule("* * * * *", OTHER)
        await world.schedule("* * * * *", URL)
        draft = world.engine.publisher.draft

        async def fail(request):
            if request.schedule_id == faulty.id:
                raise ZeroDivisionError
            return await draft(request)

        monkeypatch.setattr(world.engine.publisher, "draft", fail)
        await world.clock.advance(MINUTE_MS)
        assert len(world.destinations.calls_to(URL)) == 1
        assert "internal fault" in (await stored(world, faulty)).error
        assert len(world.witness.noted("schedule_faulted")) == 1

    async def test_used_up_day_is_told_in_the_schedule(self, make_world):
        world = await make_world(Limits(messages_per_day=1))
        schedule = await world.schedule("* * * * *", URL)
        await world.clock.advance(2 * MINUTE_MS)
        assert len(world.destinations.calls) == 1
        after = await stored(world, schedule)
        assert "limit of 1 messages a day" in after.error
        assert [after.last_fired_at] == minutes(1)
        with pytest.raises(LimitReached):
            await world.engine.schedules.run_now(world.tenant, schedule.id)

    async def test_fire_waits_for_a_store_that_cannot_commit(self, world, monkeypatch):
        await world.schedule("* * * * *", URL)
        fire_schedule = world.store.fire_schedule

        async def fail(*_, **__):
            raise StoreUnavailable("disk full")

        monkeypatch.setattr(world.store, "fire_schedule", fail)
        await world.clock.advance(MINUTE_MS + 5_000)
        assert not world.destinations.calls
        assert world.engine.dispatcher.in_flight == 0
        monkeypatch.setattr(world.store, "fire_schedule", fire_schedule)
        await world.clock.advance(1_000)
        assert len(world.destinations.calls) == 1

    async def test_schedule_that_was_changed_while_it_fired_publishes_as_it_is_now(self, world, monkeypatch):
        schedule = await world.schedule("* * * * *", OTHER)
        fire_schedule = world.store.fire_schedule

        async def overwrite_first(*firing, **said):
            monkeypatch.setattr(world.store, "fire_schedule", fire_schedule)
            await world.store.put_schedule(structs.replace(schedule, body=b"new"), most=9)
            return await fire_schedule(*firing, **said)

        monkeypatch.setattr(world.store, "fire_schedule", overwrite_first)
        await world.clock.advance(MINUTE_MS)
        assert [call.body for call in world.destinations.calls] == [b"new"]
        assert world.engine.dispatcher.in_flight == 0


class TestRestart:
    async def test_death_before_the_commit_leaves_the_fire_to_the_next_process(self, world, monkeypatch):
        await world.schedule("* * * * *", URL)
        monkeypatch.setattr(world.store, "fire_schedule", never)
        await world.clock.advance(MINUTE_MS)
        await world.kill()
        monkeypatch.undo()
        await world.start_anew()
        assert len(world.destinations.calls) == 1
        await world.clock.advance(MINUTE_MS)
        assert world.created_at() == minutes(1, 2)

    async def test_death_after_the_commit_loses_nothing_and_repeats_nothing(self, world, monkeypatch):
        schedule = await world.schedule("* * * * *", URL)
        fire_schedule = world.store.fire_schedule

        async def commit_and_die(*firing, **said):
            await fire_schedule(*firing, **said)
            await never()

        monkeypatch.setattr(world.store, "fire_schedule", commit_and_die)
        await world.clock.advance(MINUTE_MS)
        assert not world.destinations.calls
        await world.kill()
        monkeypatch.undo()
        await world.start_anew()
        (message_id,) = (await stored(world, schedule)).last_message_ids
        assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.DELIVERED]
        assert len(world.destinations.calls) == 1
        await world.clock.advance(MINUTE_MS)
        assert len(world.destinations.calls) == 2

    async def test_stopped_engine_fires_nothing(self, world):
        await world.schedule("* * * * *", URL)
        await world.stop()
        await world.clock.advance(MINUTE_MS)
        assert not world.created_at()
        await world.start_anew()
        assert world.created_at() == minutes(1)

    async def test_of_the_triggers_of_a_downtime_the_last_is_caught_up_with_once(self, world):
        schedule = await world.schedule("0 * * * *", URL)
        await world.stop()
        await world.leap_to(DEFAULT_START + 5 * HOUR_MS + 20 * MINUTE_MS)
        await world.start_anew()
        assert len(world.destinations.calls) == 1
        assert world.created_at() == minutes(5 * 60 + 20)
        assert [(await stored(world, schedule)).next_fire_at] == minutes(6 * 60)

    async def test_trigger_that_is_a_period_old_is_not_caught_up_with(self, world):
        await world.schedule("*/5 9-11 * * *", URL)
        await world.stop()
        await world.leap_to(DEFAULT_START + 20 * HOUR_MS)
        await world.start_anew()
        assert not world.created_at()

    async def test_catching_up_can_be_switched_off(self, make_world):
        world = await make_world(schedule_catch_up=False)
        await world.schedule("0 * * * *", URL)
        await world.stop()
        await world.leap_to(DEFAULT_START + HOUR_MS + 20 * MINUTE_MS)
        await world.start_anew()
        assert not world.created_at()
        await world.leap_to(DEFAULT_START + 2 * HOUR_MS)
        assert world.created_at() == minutes(120)


class TestDaylightSaving:
    async def fires(self, world, *triggers: int) -> None:
        """At each of the triggers there is a fire, and none a millisecond before it."""
        for fired_before, trigger in enumerate(triggers, start=len(world.created_at())):
            await world.leap_to(trigger - 1)
            assert len(world.created_at()) == fired_before
            await world.leap_to(trigger)
        assert world.created_at()[-len(triggers) :] == list(triggers)

    async def test_hour_that_is_skipped_in_spring_skips_its_fire(self, world):
        await world.leap_to(utc(2026, 3, 27, 12))
        await world.schedule("CRON_TZ=Europe/Berlin 30 2 * * *", URL)
        await self.fires(world, utc(2026, 3, 28, 1, 30), utc(2026, 3, 30, 0, 30), utc(2026, 3, 31, 0, 30))

    async def test_hour_that_comes_twice_in_autumn_fires_once(self, world):
        await world.leap_to(utc(2026, 10, 24, 12))
        await world.schedule("CRON_TZ=Europe/Berlin 30 2 * * *", URL)
        await self.fires(world, utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30))


async def never(*_, **__):
    await asyncio.Event().wait()

"""The system clock and the manual one."""

import asyncio
import time

import pytest

from outrider import clock as clock_module
from outrider.clock import FollowingClock, SystemClock
from outrider.testing import ManualClock


@pytest.fixture
def wall(monkeypatch):
    """A wall clock that a test may set, below a system clock that rechecks it every 5 ms."""

    class Wall:
        ms = 1_000_000
        reads = 0
        read_often = asyncio.Event()

    def time_ns():
        Wall.reads += 1
        if Wall.reads >= 5:
            Wall.read_often.set()
        return Wall.ms * 1_000_000

    monkeypatch.setattr(clock_module.time, "time_ns", time_ns)
    monkeypatch.setattr(clock_module, "RECHECK_MS", 5)
    return Wall


async def test_now_is_unix_time_in_milliseconds():
    before = time.time() * 1000
    now = SystemClock().now()
    assert int(before) <= now <= time.time() * 1000
    assert isinstance(now, int)


async def test_sleeping_ends_at_or_after_its_instant():
    clock = SystemClock()
    until = clock.now() + 20
    await clock.sleep_until(until)
    assert clock.now() >= until


async def test_sleeping_until_the_past_returns_at_once():
    clock = SystemClock()
    async with asyncio.timeout(5):
        await clock.sleep_until(clock.now() - 1)
        await clock.sleep_until(0)


async def test_a_wall_clock_that_jumps_ahead_wakes_sleepers(wall):
    clock = SystemClock()
    sleeping = asyncio.create_task(clock.sleep_until(wall.ms + 3_600_000))
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), wall.ms + 3_600_000))
    await asyncio.sleep(0)
    wall.ms += 3_600_000
    async with asyncio.timeout(5):
        await asyncio.gather(sleeping, waiting)


async def test_a_wall_clock_that_jumps_back_does_not_end_a_sleep_early(wall):
    clock = SystemClock()
    until = wall.ms + 10
    wall.ms -= 3_600_000
    sleeping = asyncio.create_task(clock.sleep_until(until))
    await wall.read_often.wait()
    assert not sleeping.done()
    wall.ms = until
    async with asyncio.timeout(5):
        await sleeping


async def test_waiting_ends_when_the_event_is_set():
    clock, event = SystemClock(), asyncio.Event()
    waiting = asyncio.create_task(clock.wait(event, clock.now() + 60_000))
    waiting_for_ever = asyncio.create_task(clock.wait(event, None))
    await asyncio.sleep(0)
    event.set()
    async with asyncio.timeout(5):
        await asyncio.gather(waiting, waiting_for_ever)
    assert event.is_set()


async def test_waiting_ends_when_the_instant_comes():
    clock, event = SystemClock(), asyncio.Event()
    until = clock.now() + 20
    async with asyncio.timeout(5):
        await clock.wait(event, until)
    assert clock.now() >= until
    assert not event.is_set()


async def test_cancelling_a_wait_is_no_timeout():
    clock = SystemClock()
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), clock.now() + 60_000))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


class Database:
    """A clock to follow, over a network that takes its time, and the steady clock of the machine that follows."""

    def __init__(self) -> None:
        self.steady = 500_000.0
        self.ahead = 0.0
        self.there = self.back = 1.0

    def steady_ms(self) -> float:
        return self.steady

    def true(self) -> float:
        return 1_800_000_000_000 + self.steady + self.ahead

    async def time(self) -> int:
        self.steady += self.there
        said = int(self.true())
        self.steady += self.back
        return said


class TestFollowing:
    @pytest.fixture
    def database(self) -> Database:
        return Database()

    @pytest.fixture
    def clock(self, database) -> FollowingClock:
        return FollowingClock(database.steady_ms)

    async def look(self, clock, database, times=1):
        for _ in range(times):
            database.steady += 2_000
            await clock.follow(database.time)

    async def test_without_anything_to_follow_it_is_the_wall_clock(self, wall):
        clock = FollowingClock()

        async def nothing():
            return None

        await clock.follow(nothing)
        wall.ms += 3_600_000
        assert (clock.now(), clock.offset_ms) == (wall.ms, 0)

    async def test_it_tells_the_followed_time_from_the_first_look_on(self, clock, database):
        await self.look(clock, database)
        assert clock.now() == pytest.approx(database.true(), abs=1)
        database.steady += 10_000
        assert clock.now() == pytest.approx(database.true(), abs=1)

    async def test_jump_of_the_wall_clock_changes_nothing_but_the_offset(self, wall):
        clock = FollowingClock()

        async def database():
            return 2_000_000

        await clock.follow(database)
        wall.ms -= 3_600_000
        assert clock.now() == pytest.approx(2_000_000, abs=500)
        assert clock.offset_ms == pytest.approx(1_000_000 + 3_600_000, abs=500)

    async def test_error_is_at_most_half_the_round_trip(self, clock, database):
        database.there, database.back = 300.0, 0.0
        await self.look(clock, database)
        assert 140 < clock.now() - database.true() < 160
        database.there = database.back = 0.5
        await self.look(clock, database)
        assert clock.now() == pytest.approx(database.true(), abs=2)

    async def test_shortest_round_trip_counts(self, clock, database):
        await self.look(clock, database)
        database.there = 400.0
        await self.look(clock, database, times=5)
        assert clock.now() == pytest.approx(database.true(), abs=2)

    async def test_small_difference_is_made_up_without_going_back(self, clock, database):
        database.there = database.back = 0.25
        await self.look(clock, database)
        database.ahead -= 50
        last = clock.now()
        await self.look(clock, database, times=1)
        assert clock.now() - database.true() == pytest.approx(50, abs=2)
        for _ in range(600):
            database.steady += 1
            assert clock.now() >= last
            last = clock.now()
        assert clock.now() == pytest.approx(database.true(), abs=2)

    async def test_difference_within_what_is_not_known_is_left_alone(self, clock, database):
        await self.look(clock, database)
        before = clock.now() - database.true()
        database.ahead += 1
        await self.look(clock, database, times=8)
        database.steady += 10_000
        assert clock.now() - database.true() == pytest.approx(before - 1, abs=0.01)

    async def test_clock_that_is_set_is_followed_at_once(self, clock, database):
        await self.look(clock, database, times=8)
        for jump in (3_600_000, -3_600_000):
            database.ahead += jump
            # The old looks took less time than the new one, and are wrong all the same.
            database.back = 50.0
            await self.look(clock, database)
            assert clock.now() == pytest.approx(database.true(), abs=27)

    async def test_drift_is_followed(self, clock, database):
        for _ in range(500):
            database.ahead += 2_000 * 100e-6
            await self.look(clock, database)
            assert clock.now() == pytest.approx(database.true(), abs=6)

    async def test_sleepers_wake_when_the_followed_time_has_come(self, clock, database, wall):
        await self.look(clock, database)
        sleeping = asyncio.create_task(clock.sleep_until(clock.now() + 3_600_000))
        await asyncio.sleep(0)
        database.ahead += 3_600_000
        await self.look(clock, database)
        async with asyncio.timeout(5):
            await sleeping
        assert wall.ms == 1_000_000


async def test_a_manual_clock_stands_still():
    clock = ManualClock(5000)
    sleeping = asyncio.create_task(clock.sleep_until(5001))
    await clock.settle()
    assert clock.now() == 5000
    assert not sleeping.done()
    sleeping.cancel()


async def test_sleepers_wake_in_order_of_time_each_seeing_its_own_instant():
    clock, woken = ManualClock(0), []

    async def sleep(instant):
        await clock.sleep_until(instant)
        woken.append((instant, clock.now()))

    sleepers = [asyncio.create_task(sleep(instant)) for instant in (300, 100, 200, 100, 400)]
    await clock.advance(350)
    assert woken == [(100, 100), (100, 100), (200, 200), (300, 300)]
    assert clock.now() == 350
    assert not sleepers[4].done()
    await clock.advance_to(400)
    assert woken[-1] == (400, 400)


async def test_who_sleeps_again_wakes_again_within_one_advance():
    clock, ticks = ManualClock(0), []

    async def tick():
        while True:
            await clock.sleep_until(clock.now() + 10)
            ticks.append(clock.now())

    ticking = asyncio.create_task(tick())
    await clock.advance(45)
    assert ticks == [10, 20, 30, 40]
    ticking.cancel()


async def test_each_woken_chain_runs_before_the_next_sleeper():
    clock, told = ManualClock(0), []
    queue = asyncio.Queue()

    async def wake(instant):
        await clock.sleep_until(instant)
        queue.put_nowait(instant)

    async def pass_on():
        while True:
            instant = await queue.get()
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
            told.append((instant, clock.now()))

    running = [asyncio.create_task(pass_on()), asyncio.create_task(wake(1)), asyncio.create_task(wake(2))]
    await clock.advance(2)
    assert told == [(1, 1), (2, 2)]
    running[0].cancel()


async def test_settle_can_wait_for_work_outside_the_loop():
    in_threads = set()

    async def settle():
        await asyncio.sleep(0)
        while in_threads:
            await asyncio.wait(in_threads)

    clock, committed = ManualClock(0, settle=settle), []

    async def commit(instant):
        await clock.sleep_until(instant)
        work = asyncio.ensure_future(asyncio.to_thread(committed.append, (instant, clock.now())))
        in_threads.add(work)
        work.add_done_callback(in_threads.discard)
        await work
        committed.append(("after", clock.now()))

    commits = [asyncio.create_task(commit(instant)) for instant in (10, 20)]
    await asyncio.sleep(0)
    await clock.advance(100)
    await asyncio.gather(*commits)
    assert committed[:1] == [(10, 10)]
    assert (20, 20) in committed


async def test_manual_wait_ends_with_the_event_or_the_instant():
    clock, event = ManualClock(0), asyncio.Event()
    by_event = asyncio.create_task(clock.wait(event, 1000))
    by_time = asyncio.create_task(clock.wait(asyncio.Event(), 10))
    for_ever = asyncio.create_task(clock.wait(event, None))
    await clock.advance(10)
    assert (by_event.done(), by_time.done(), for_ever.done()) == (False, True, False)
    event.set()
    await clock.settle()
    assert by_event.done()
    assert for_ever.done()
    assert clock.next_wake_at() is None


async def test_manual_wait_returns_at_once_for_a_set_event_or_a_past_instant():
    clock, event = ManualClock(50), asyncio.Event()
    await clock.wait(event, 50)
    event.set()
    await clock.wait(event, 1000)
    await clock.sleep_until(50)


async def test_a_cancelled_sleeper_is_forgotten():
    clock = ManualClock(0)
    sleeping = asyncio.create_task(clock.sleep_until(10))
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 20))
    await clock.settle()
    assert clock.next_wake_at() == 10
    sleeping.cancel()
    waiting.cancel()
    await asyncio.gather(sleeping, waiting, return_exceptions=True)
    assert clock.next_wake_at() is None


async def test_time_does_not_go_back():
    clock = ManualClock(100)
    with pytest.raises(ValueError, match="cannot advance to 99: it is 100 already"):
        await clock.advance_to(99)


async def test_advancing_until_an_event_jumps_from_sleeper_to_sleeper():
    clock, done = ManualClock(0), asyncio.Event()

    async def work():
        for wait in (12_000, 148_000):
            await clock.sleep_until(clock.now() + wait)
        done.set()

    working = asyncio.create_task(work())
    await clock.advance_until(done, within_ms=200_000)
    assert clock.now() == 160_000
    await working


async def test_advancing_until_an_event_gives_up():
    clock = ManualClock(0)
    with pytest.raises(TimeoutError, match="nobody waits"):
        await clock.advance_until(asyncio.Event(), within_ms=10)
    sleeping = asyncio.create_task(clock.sleep_until(11))
    with pytest.raises(TimeoutError, match="within 10 ms"):
        await clock.advance_until(asyncio.Event(), within_ms=10)
    assert clock.now() == 0
    sleeping.cancel()


async def test_leap_wakes_a_sleeper_once_at_its_end():
    clock = ManualClock(start=0)
    woken = []

    async def tick():
        while True:
            await clock.sleep_until(clock.now() + 10)
            woken.append(clock.now())

    ticking = asyncio.create_task(tick())
    await clock.leap(1_000)
    assert woken == [1_000]
    await clock.advance(20)
    assert woken == [1_000, 1_010, 1_020]
    ticking.cancel()

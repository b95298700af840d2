"""The clock of a node follows the store's."""

import pytest
from tests.engine.world import Witness

from outrider.clock import FollowingClock
from outrider.engine.time_keeper import TimeKeeper


class Database:
    def __init__(self, clock: FollowingClock, ahead_ms: int | None) -> None:
        self._clock = clock
        self.ahead_ms = ahead_ms

    async def time(self) -> int | None:
        wall = self._clock.now() - self._clock.offset_ms
        return None if self.ahead_ms is None else wall + self.ahead_ms


@pytest.fixture
def clock() -> FollowingClock:
    return FollowingClock()


async def test_clock_that_is_far_off_is_noted_once_and_when_it_is_right_again(clock):
    witness = Witness()
    database = Database(clock, -3_600_000)
    keeper = TimeKeeper(database, clock, witness)
    await keeper.start()
    await keeper.look()
    database.ahead_ms = 500
    await keeper.look()
    await keeper.look()
    assert [name for name, _ in witness.notes] == ["clock_off", "clock_right"]
    assert witness.noted("clock_off")[0]["database_ahead_ms"] == pytest.approx(-3_600_000, abs=100)
    assert clock.offset_ms == pytest.approx(500, abs=100)


async def test_store_without_a_clock_leaves_this_machines(clock):
    witness = Witness()
    keeper = TimeKeeper(Database(clock, None), clock, witness)
    await keeper.start()
    await keeper.look()
    assert (witness.notes, clock.offset_ms) == ([], 0)

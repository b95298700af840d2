"""How the endpoints of a group fare, after real deliveries."""

import pytest
from tests.engine.world import unreachable

from outrider.domain.errors import Malformed
from outrider.domain.health import Flag
from outrider.domain.instant import DAY_MS, HOUR_MS

ONE = "https://one.example/x"
TWO = "https://two.example/x"


async def health(world, window_ms=None):
    groups = world.engine.url_groups
    return await groups.health(world.tenant, await groups.get(world.tenant, "group"), window_ms)


async def test_each_endpoint_is_judged_by_its_own_deliveries(world):
    world.destinations.behave(TWO, unreachable)
    await world.group("group", ONE, TWO)
    for _ in range(3):
        await world.publish_to_group("group", retries=0)
    good, bad = await health(world)
    assert (good.attempts, good.success_rate, good.flags) == (3, 1.0, ())
    assert (bad.attempts, bad.success_rate) == (3, 0.0)
    assert bad.flags == (Flag.DEAD, Flag.NEVER_SUCCEEDING)
    assert bad.last_error == "connection refused"


async def test_deliveries_that_went_straight_to_the_url_do_not_count(world):
    await world.group("group", ONE)
    await world.publish(ONE)
    await world.rest()
    assert [one.attempts for one in await health(world)] == [0]


async def test_retries_count_as_attempts(world):
    world.destinations.answer(ONE, 500, 200)
    await world.group("group", ONE)
    await world.publish_to_group("group")
    await world.clock.advance(13_000)
    (one,) = await health(world)
    assert (one.attempts, one.successes, one.flags) == (2, 1, ())


async def test_what_lies_before_the_window_is_left_out(world):
    await world.group("group", ONE)
    await world.publish_to_group("group")
    await world.leap_to(world.clock.now() + 2 * HOUR_MS)
    assert [one.attempts for one in await health(world, HOUR_MS)] == [0]
    assert [one.attempts for one in await health(world)] == [1]


async def test_window_that_the_log_does_not_cover_is_refused(world):
    await world.group("group", ONE)
    await health(world, 3 * DAY_MS)
    with pytest.raises(Malformed, match="window '4d' is not between 1s and 3d"):
        await health(world, 4 * DAY_MS)

"""The daily limit, and what is told of it."""

import pytest

from outrider.domain.destination import GroupName
from outrider.domain.errors import LimitReached
from outrider.domain.instant import DAY_MS, HOUR_MS
from outrider.domain.limits import Limits
from outrider.domain.options import CallbackPatch
from outrider.testing import DEFAULT_START

URL = "https://a.example/x"
OTHER = "https://b.example/x"


@pytest.fixture
async def limited(make_world):
    return await make_world(Limits(messages_per_day=3))


async def today(world):
    return await world.engine.usage.today(world.tenant)


async def test_usage_counts_what_was_published_today(limited):
    await limited.publish(URL, callback=CallbackPatch(url=OTHER))
    await limited.rest()
    usage = await today(limited)
    assert (usage.day, usage.messages, usage.limit, usage.remaining) == (DEFAULT_START, 1, 3, 2)
    assert usage.resets_at == DEFAULT_START + DAY_MS
    assert len(limited.destinations.calls_to(OTHER)) == 1


async def test_without_a_limit_there_is_no_remainder(world):
    await world.publish(URL)
    usage = await today(world)
    assert (usage.messages, usage.limit, usage.remaining) == (1, None, None)


async def test_used_up_day_refuses_until_midnight_utc(limited):
    await limited.leap_to(DEFAULT_START + 23 * HOUR_MS)
    for _ in range(3):
        await limited.publish(URL)
    with pytest.raises(LimitReached) as refusal:
        await limited.publish(URL)
    assert (refusal.value.window, refusal.value.quota.resets_at_s) == ("daily", (DEFAULT_START + DAY_MS) // 1000)
    assert limited.engine.dispatcher.in_flight <= 3
    await limited.rest()
    assert limited.engine.dispatcher.in_flight == 0
    await limited.leap_to(DEFAULT_START + DAY_MS - 1)
    with pytest.raises(LimitReached):
        await limited.publish(URL)
    await limited.leap_to(DEFAULT_START + DAY_MS)
    await limited.publish(URL)
    assert (await today(limited)).remaining == 2


async def test_batch_and_fan_out_fit_the_day_whole_or_not_at_all(limited):
    await limited.group("group", URL, OTHER)
    await limited.publish_to_group("group")
    with pytest.raises(LimitReached):
        await limited.publish_to_group("group")
    with pytest.raises(LimitReached):
        await limited.engine.publisher.publish_batch([limited.request(URL), limited.request(GroupName("group"))])
    assert (await today(limited)).messages == 2
    await limited.publish(URL)
    assert (await today(limited)).remaining == 0

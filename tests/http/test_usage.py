from __future__ import annotations

from datetime import UTC, datetime

from outrider.domain.instant import DAY_MS
from outrider.domain.limits import Limits


def day_of(instant):
    return datetime.fromtimestamp(instant / 1000, UTC).date().isoformat()


async def usage(api):
    return (await api.call("GET", "/v2/usage")).json()


async def test_usage_counts_the_messages_of_the_utc_day(api_with):
    async with api_with(Limits(messages_per_day=3)) as api:
        now = api.clock.now()
        tomorrow = (now // DAY_MS + 1) * DAY_MS
        await api.published()
        await api.published()
        assert await usage(api) == {
            "day": day_of(now),
            "messages": 2,
            "limit": 3,
            "remaining": 1,
            "resetsAt": tomorrow,
        }
        await api.clock.advance(tomorrow - now)
        assert await usage(api) == {
            "day": day_of(tomorrow),
            "messages": 0,
            "limit": 3,
            "remaining": 3,
            "resetsAt": tomorrow + DAY_MS,
        }


async def test_without_a_limit_nothing_runs_out(api):
    await api.published()
    told = await usage(api)
    assert (told["messages"], told["limit"], told["remaining"]) == (1, None, None)

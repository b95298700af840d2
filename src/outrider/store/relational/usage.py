"""How many messages tenants publish a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.domain.usage import check_daily_limit, day_of
from outrider.store.relational.connection import Connection


async def messages_on(connection: Connection, tenant: str, day: Instant) -> int:
    """Messages published in the day that begins then."""
    return await connection.count("messages_on", tenant=tenant, day=day)


class Tally:
    """What is published in one transaction, counted before it is written."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._fresh: dict[tuple[str, Instant], int] = defaultdict(int)
        self._stored: dict[tuple[str, Instant], int] = {}

    async def count(self, messages: Sequence[Message], now: Instant, per_day: int | None) -> None:
        """Count messages that are to be stored. Raises LimitReached, and counts none, if a day has no room for them."""
        day = day_of(now)
        more: dict[str, int] = {}
        for message in messages:
            if message.callback_of is None:
                more[message.tenant] = more.get(message.tenant, 0) + 1
        if per_day is not None:
            for tenant, n in more.items():
                check_daily_limit(await self._used(tenant, day), n, per_day, now)
        for tenant, n in more.items():
            self._fresh[tenant, day] += n

    async def write(self) -> None:
        await self._connection.insert("count_messages", [(*whose, n) for whose, n in self._fresh.items()])

    async def _used(self, tenant: str, day: Instant) -> int:
        stored = self._stored.get((tenant, day))
        if stored is None:
            stored = self._stored[tenant, day] = await messages_on(self._connection, tenant, day)
        return stored + self._fresh.get((tenant, day), 0)

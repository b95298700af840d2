"""What nodes tell one another through the database: that there is work which the speaker cannot take.

Each node hears its own words as well, which shows that they arrive. Where they do not, nobody speaks any more but for
a trial now and then, on a connection that listens anew; nodes look for work anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

from outrider.domain.errors import OutriderError
from outrider.store.postgres.failures import FAILURES
from outrider.store.postgres.pool import Pool
from outrider.store.postgres.session import Session
from outrider.store.postgres.transactions import Transactions
from outrider.store.relational.connection import Connection

CHANNEL = "outrider"
SELDOM_S = 0.25
ARRIVES_WITHIN_S = 2.0
TRY_EVERY_S = 15.0


class Notifier:
    """Speaks and listens.

    Args:
        others: whose sessions speak; that of another pool listens.

    Attributes:
        works: whether words arrive; None while that is not known.
    """

    def __init__(self, transactions: Transactions, others: Pool) -> None:
        self._transactions = transactions
        self._others = others
        self._speaker = secrets.token_hex(8)
        self._heard: Callable[[], None] | None = None
        self._told = asyncio.Event()
        self._own_words = asyncio.Event()
        self.works: bool | None = None

    def listen(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def tell(self) -> None:
        """Soon, and seldom."""
        if self.works is not False:
            self._told.set()

    async def prepare(self, session: Session) -> None:
        """Have a session listen; when it ends, the next is prepared soon."""
        await session.raw.add_listener(CHANNEL, self._hear)
        session.raw.add_termination_listener(lambda _: self._told.set())

    async def run(self, control: Pool) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRY_EVERY_S):
                    await self._told.wait()
            self._told.clear()
            with contextlib.suppress(OutriderError, *FAILURES):
                await self._speak(control)
            await asyncio.sleep(SELDOM_S)

    async def _speak(self, control: Pool) -> None:
        async with control.session() as session:
            if session.is_lost:
                return
        self._own_words.clear()

        async def tell(connection: Connection) -> None:
            await connection.execute("tell", speaker=self._speaker)

        await self._transactions.write(self._others, tell)
        try:
            async with asyncio.timeout(ARRIVES_WITHIN_S):
                await self._own_words.wait()
        except TimeoutError:
            self.works = False
            async with control.session() as session:
                session.drop()
        else:
            self.works = True

    def _hear(self, _connection: object, _pid: int, _channel: str, speaker: object) -> None:
        if speaker == self._speaker:
            self._own_words.set()
        elif self._heard is not None:
            self._heard()

"""Sessions that are kept open for whoever needs one next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from outrider.domain.errors import StoreUnavailable
from outrider.store.postgres.database import Database
from outrider.store.postgres.session import Session

WAIT_S = 10.0
"""How long an operation waits for a session that is free."""


class Pool:
    """Up to `size` sessions, opened when first needed.

    Args:
        prepare: what else is done with a session before it is used.
    """

    def __init__(
        self, database: Database, size: int, prepare: Callable[[Session], Awaitable[None]] | None = None
    ) -> None:
        self._database = database
        self._size = size
        self._prepare = prepare
        self._free = asyncio.Semaphore(size)
        self._idle: list[Session] = []
        self._generation = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session for one's own; it is dropped if it is lost, or in a transaction, afterwards.

        Raises StoreUnavailable if none can be opened, or none becomes free in time.
        """
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise StoreUnavailable(
                f"all {self._size} connections to '{self._database.where}' were busy for {WAIT_S:.0f} s",
                hint="raise database_connections, or see what makes the database slow",
            ) from None
        try:
            session = await self._take()
            try:
                yield session
            finally:
                self._put_back(session)
        finally:
            self._free.release()

    def drop_idle(self) -> None:
        """Use none of the sessions that are open now again: they lead to a server that does not serve any more."""
        self._generation += 1
        while self._idle:
            self._idle.pop().drop()

    async def close(self) -> None:
        """Once nothing uses it any more."""
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> Session:
        while self._idle:
            session = self._idle.pop()
            if not session.is_lost:
                return session
        session = await self._database.open_session()
        session.generation = self._generation
        if self._prepare is not None:
            await self._prepare(session)
        return session

    def _put_back(self, session: Session) -> None:
        if session.is_lost or session.raw.is_in_transaction() or session.generation != self._generation:
            session.drop()
        else:
            self._idle.append(session)

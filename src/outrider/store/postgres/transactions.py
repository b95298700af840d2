"""How an operation gets its transaction, and when that is run again.

    what went wrong                        what is done
    ─────────────────────────────────────  ─────────────────────────────────────────────────────────────────
    conflict with others, deadlock         run again, after a moment
    made by another at the same time       run again, to find it
    a day has no partition yet             make it, run again
    the connection broke before COMMIT     nothing was kept: open all anew, run again
    the connection broke during COMMIT     ask for the token on another: kept, or not and run again
    the server became read-only            open all anew, run again
    anything else                          roll back and raise

So what is raised as StoreUnavailable was not kept. Where nobody can be asked for long how a COMMIT ended, the
error says so, with a code of its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from outrider.domain.errors import OutriderError, StoreUnavailable
from outrider.store.postgres.connection import PostgresConnection
from outrider.store.postgres.database import Database
from outrider.store.postgres.failures import (
    FAILURES,
    is_conflict,
    is_double,
    is_lost,
    is_read_only,
    lacks_partition,
    translate,
)
from outrider.store.postgres.migrations import Mode
from outrider.store.postgres.partitions import Partitions
from outrider.store.postgres.pool import Pool
from outrider.store.postgres.session import Session
from outrider.store.relational.transactions import Operation

R = TypeVar("R")

MOST_CONFLICTS = 25
MOST_DOUBLES = 3
MOST_LOSSES = 3
MOST_DAYS = 5
ASK_FOR_S = 30.0
"""How long it is tried to learn how a COMMIT ended."""


_UNANSWERED: tuple[type[Exception], ...] = (StoreUnavailable, *FAILURES)


class Transactions:
    """Runs operations in transactions."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database = database
        self._partitions = partitions

    async def write(self, pool: Pool, do: Operation[R]) -> R:
        """What `do` returns, once it is committed; it may be run more than once.

        Raises what `do` raises, and StoreUnavailable.
        """
        return await self._run(pool, do, writes=True)

    async def read(self, pool: Pool, ask: Operation[R]) -> R:
        """What `ask` returns; its queries see one snapshot."""
        return await self._run(pool, ask, writes=False)

    def told(self, failure: BaseException) -> BaseException:
        """The failure, as callers are told of it."""
        return translate(failure, self._database.where)

    async def _run(self, pool: Pool, do: Operation[R], *, writes: bool) -> R:
        patience = _Patience()
        while True:
            async with pool.session() as session:
                attempt = _Attempt(session)
                try:
                    return await attempt.run(do, writes=writes)
                except Exception as failure:  # noqa: BLE001 - judged below
                    await _give_up(session, failure)
                    raised = failure
                except BaseException:
                    # Whoever waited is gone, and nobody knows how far the server is.
                    session.drop()
                    raise
            if attempt.in_doubt and (not writes or await self._was_kept(session)):
                return attempt.result  # type: ignore[no-any-return]
            await self._prepare_again(pool, raised, attempt, patience)

    async def _prepare_again(self, pool: Pool, failure: Exception, attempt: _Attempt, patience: _Patience) -> None:
        """See to it that another run may succeed; raises the failure if there is no use in one."""
        if isinstance(failure, OutriderError):
            raise failure
        if is_conflict(failure):
            patience.conflicts += 1
            if patience.conflicts < MOST_CONFLICTS:
                await asyncio.sleep(random.uniform(0, 0.002 * 2 ** min(patience.conflicts, 7)))  # noqa: S311
                return
        elif is_double(failure):
            patience.doubles += 1
            if patience.doubles < MOST_DOUBLES:
                return
        elif self._database.mode is Mode.FULL and lacks_partition(failure):
            patience.days += 1
            instants = [] if attempt.connection is None else attempt.connection.instants()
            if instants and patience.days < MOST_DAYS:
                await self._partitions.make(instants)
                return
        elif is_read_only(failure) or is_lost(failure):
            patience.losses += 1
            pool.drop_idle()
            if patience.losses < MOST_LOSSES:
                return
        raise failure

    async def _was_kept(self, session: Session) -> bool:
        """Whether the transaction whose COMMIT was not answered was committed; raises StoreUnavailable if unknown."""
        until = time.monotonic() + ASK_FOR_S
        wait_s = 0.05
        while True:
            try:
                return await self._ask(session)
            except _UNANSWERED as failure:
                if time.monotonic() > until:
                    raise StoreUnavailable(
                        f"the connection to '{self._database.where}' broke during a COMMIT, "
                        "and whether it was carried out could not be learned",
                        code="store_outcome_unknown",
                        hint="look whether what was asked for is there before trying again",
                    ) from failure
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, 2.0)

    async def _ask(self, session: Session) -> bool:
        raw = await self._database.connect()
        try:
            if self._database.mode is Mode.FULL:
                # A transaction that never got the COMMIT holds its lane until its session ends.
                await raw.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - our own
                    f" WHERE application_name = 'outrider {session.lane}'"
                )
            async with raw.transaction():
                token = await raw.fetchval("SELECT token FROM lanes WHERE id = $1 FOR UPDATE", session.lane)
        finally:
            raw.terminate()
        return bool(token == session.token)


class _Patience:
    """How often a transaction was run in vain, by cause."""

    def __init__(self) -> None:
        self.conflicts = self.doubles = self.losses = self.days = 0


class _Attempt:
    """One run of a transaction.

    Attributes:
        in_doubt: whether it is unknown if it was committed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.connection: PostgresConnection | None = None
        self.result: Any = None

    @property
    def in_doubt(self) -> bool:
        return self._session.committing

    async def run(self, do: Operation[R], *, writes: bool) -> R:
        session = self._session
        self.connection = await (session.begin_write() if writes else session.begin_read())
        work: Coroutine[Any, Any, R] = do(self.connection)
        result = self.result = await work
        await self.connection.flush()
        if writes and not self.connection.has_changed:
            # Nor is the token worth a sync: nobody can ask for it.
            await session.rollback()
        else:
            await session.commit()
        return result


async def _give_up(session: Session, failure: Exception) -> None:
    """Leave no transaction open; `committing` stays where the outcome is in doubt."""
    if is_lost(failure):
        session.drop()
        return
    session.committing = False
    try:
        await session.rollback()
    except Exception:  # noqa: BLE001 - whatever it was, the session is of no use any more
        session.drop()

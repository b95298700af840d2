"""The one database behind all nodes: a real SQLite, whose transactions are run on the loop's own thread.

Each node sends what it wants written in groups, as the real drivers do, over one lane to its own file or
over a few to a database that is shared. A group takes its time to come, is committed in an instant, and its
answer takes its time to go back. Anything may come between.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tests.simulation.chance import Chance
from tests.simulation.loop import VirtualLoop
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.trace import Trace

from outrider.domain.errors import Refusal, StoreUnavailable
from outrider.store.relational.store import RelationalStore
from outrider.store.relational.transactions import Operation, Shared
from outrider.store.sqlite.connection import SqliteConnection, run_now
from outrider.store.sqlite.database import MEMORY
from outrider.store.sqlite.database import Database as SqliteDatabase


@dataclass
class Wanted:
    """What a node wants done. `kind` is None for an operation of its own, which `argument` then is."""

    kind: Shared[Any, Any] | None
    argument: Any
    answer: asyncio.Future[Any]
    rows: int = 1
    result: Any = None
    failure: BaseException | None = None


Lane = list[Wanted]


class Database:
    """Commits, and is told to fail.

    Attributes:
        is_away: nobody reaches it.
        is_full: it reads, and commits nothing.
        is_slow: it takes its time.
        committed: told of every result, in the moment of its commit.
        troubled: told when something takes so long that a lease may end.
    """

    def __init__(self, loop: VirtualLoop, plan: Plan, trace: Trace) -> None:
        self._loop = loop
        self._plan = plan
        self._trace = trace
        self._chance = Chance(plan.seed, "database")
        self.raw = SqliteDatabase(MEMORY, busy_timeout_ms=0, exclusive=True).open_for_writing()
        self.is_away = self.is_full = self.is_slow = self.is_calm = False
        self.committed: Callable[[Process, object], None] = lambda process, result: None
        self.troubled: Callable[[int], None] = lambda ms: None

    def lanes(self) -> list[Lane]:
        """A node's ways in."""
        return [[] for _ in range(self._chance.choice((1, 2, 3)) if self._plan.is_cluster else 1)]

    def write(self, process: Process, lanes: list[Lane], wanted: Wanted) -> None:
        """Commit it some time, and answer some time later."""
        lane = lanes[self._chance.randrange(len(lanes))]
        lane.append(wanted)
        if len(lane) == 1:
            self._loop.after(self._delay(process), self._take, process, lane)

    def read(self, process: Process, ask: Operation[Any], answer: asyncio.Future[Any]) -> None:
        """Answer it some time, from what is committed then."""
        self._loop.after(self._delay(process), self._read, process, ask, answer)

    # What happens when it comes

    def _take(self, process: Process, lane: Lane) -> None:
        group, lane[:] = list(lane), []
        if process.is_dead and (not self._plan.is_cluster or self._chance.happens(0.5)):
            self._trace.say(process.name, f"dies before {len(group)} operation(s) come to the store")
            return
        trouble = self._trouble(process)
        if trouble is not None:
            for wanted in group:
                wanted.failure = StoreUnavailable(trouble)
        else:
            self._commit(group)
            for wanted in group:
                if wanted.failure is None:
                    self.committed(process, wanted.result)
        self._loop.after(self._delay(process), _answer, group)

    def _trouble(self, process: Process) -> str | None:
        if self.is_away or process.is_cut_off:
            return "the store cannot be reached"
        if self.is_full:
            return "the disk is full"
        if not self.is_calm and "refuse" in self._plan.faults and self._chance.happens(0.03):
            return "the store could not commit"
        return None

    def _commit(self, group: Sequence[Wanted]) -> None:
        try:
            if not self.is_calm and "conflict" in self._plan.faults and self._chance.happens(0.1):
                self._transact(group, "ROLLBACK")
            self._transact(group, "COMMIT")
        except Exception as failure:  # noqa: BLE001 - whoever waits is told
            self.raw.execute("ROLLBACK")
            if len(group) == 1:
                group[0].failure = failure
                return
            for wanted in group:
                self._commit([wanted])

    def _transact(self, group: Sequence[Wanted], ending: str) -> None:
        connection = SqliteConnection(self.raw)
        self.raw.execute("BEGIN IMMEDIATE")
        for kind, alike in _in_order(group):
            if kind is None:
                for wanted in alike:
                    _run(connection, wanted)
            else:
                results = run_now(kind.run(connection, [wanted.argument for wanted in alike]))
                for wanted, result in zip(alike, results, strict=True):
                    refused = isinstance(result, Refusal)
                    wanted.result, wanted.failure = (None, result) if refused else (result, None)
        self.raw.execute(ending)

    def _read(self, process: Process, ask: Operation[Any], answer: asyncio.Future[Any]) -> None:
        if self.is_away or process.is_cut_off:
            self._loop.after(1, _tell, answer, None, StoreUnavailable("the store cannot be reached"))
            return
        try:
            result, failure = run_now(ask(SqliteConnection(self.raw))), None
        except Exception as fault:  # noqa: BLE001 - whoever waits is told
            result, failure = None, fault
        self._loop.after(self._delay(process), _tell, answer, result, failure)

    def _delay(self, process: Process) -> int:
        """How long a way takes. One that may cost the lease is a disturbance."""
        if self.is_calm:
            return self._chance.randrange(3)
        delay = self._chance.randrange(4)
        lease_ms = self._plan.scale.lease_ms
        if self.is_slow and self._chance.happens(0.3):
            delay = self._chance.span(lease_ms / 20)
        if "slow" in self._plan.faults and self._chance.happens(0.001):
            delay = self._chance.randrange(lease_ms, 2 * lease_ms)
        if delay > lease_ms // 6:
            self._trace.say(process.name, f"waits {delay} ms for the store")
            process.disturb(self._loop.ms + 2 * delay, "slow store")
            self.troubled(delay)
        return delay


class DirectStore(RelationalStore):
    """The database as it is now, for setting up and for looking: its operations never wait."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._connection = SqliteConnection(raw)

    async def _write(self, do, *, rows: int = 1):
        return run_now(do(self._connection))

    async def _read(self, ask):
        return run_now(ask(self._connection))


def _run(connection: SqliteConnection, wanted: Wanted) -> None:
    wanted.failure = None
    try:
        wanted.result = run_now(wanted.argument(connection))
    except Refusal as refusal:
        wanted.failure = refusal


def _in_order(group: Sequence[Wanted]) -> Iterator[tuple[Shared[Any, Any] | None, list[Wanted]]]:
    """Shared operations that wait side by side are brought together by kind, as the real drivers do it."""
    for is_shared, neighbours in groupby(group, key=lambda wanted: wanted.kind is not None):
        if not is_shared:
            yield None, list(neighbours)
            continue
        for _, alike in groupby(sorted(neighbours, key=_order), key=_order):
            operations = list(alike)
            yield operations[0].kind, operations


def _order(wanted: Wanted) -> int:
    return 0 if wanted.kind is None else wanted.kind.order


def _answer(group: Sequence[Wanted]) -> None:
    for wanted in group:
        _tell(wanted.answer, wanted.result, wanted.failure)


def _tell(answer: asyncio.Future[Any], result: object, failure: BaseException | None) -> None:
    if answer.done():
        return
    if failure is None:
        answer.set_result(result)
    else:
        answer.set_exception(failure)

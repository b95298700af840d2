"""One seed: a few lives of one computer, each ended by a loss of power, and what is found after each."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest import mock

from tests.power_loss.account import Account
from tests.power_loss.computer import DATABASE, Computer
from tests.power_loss.fates import Power
from tests.power_loss.scenario import LIMITS, RETENTION_MS, Clients

from outrider.domain import message
from outrider.domain.errors import OutriderError
from outrider.domain.instant import SECOND_MS
from outrider.store.sqlite.database import Database
from outrider.testing import DEFAULT_START

ROUNDS = 12
"""How often clients call in one life, some calls at once."""

CHANGES = 600
"""The power goes at one of the first so many writes, truncates, syncs and deletions, of some 500 in a life."""

FROM_NOTHING = 0.1
"""How many seeds begin without a database, so that the power may go while it is made."""


@dataclass
class Result:
    """Attributes:
    broken: promises that were not kept, as sentences.
    accepted, told: messages and events that had to survive.
    cuts: where the power went: after so many changes.
    """

    seed: int
    broken: list[str] = field(default_factory=list)
    accepted: int = 0
    told: int = 0
    cuts: list[int] = field(default_factory=list)


class Life:
    """What of a seed outlasts a loss of power."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.account = Account(RETENTION_MS)
        self.clients = Clients(self.chance, self.account)
        self.contents = {} if self.chance.random() < FROM_NOTHING else {DATABASE: empty_database()}
        self.now = DEFAULT_START
        self.number = 0

    @asynccontextmanager
    async def computer(self, fate: Power) -> AsyncIterator[Computer]:
        """The computer as it is found when the power is back, nothing started."""
        self.number += 1
        folder = Path(tempfile.mkdtemp(prefix="power-loss-"))
        self.clients.computer = Computer(
            folder,
            self.contents,
            fate,
            self.account,
            self.clients.destinations,
            LIMITS,
            node=f"node_{self.number}",
            started_at=self.now,
            checkpoint_pages=self.chance.choice((2000, 200, 50, 10)),
        )
        try:
            yield self.clients.computer
        finally:
            self.now = self.clients.computer.clock.now() + self.chance.choice((0, SECOND_MS, RETENTION_MS))
            shutil.rmtree(folder)


async def run(seed: int) -> Result:
    """Run one seed."""
    result = Result(seed)
    life = Life(seed)
    with mock.patch.object(message, "_randomness", _Randomness(life.chance)):
        for _ in range(life.chance.randint(1, 3)):
            power = Power(goes_at=life.chance.randint(1, CHANGES))
            async with life.computer(power) as computer:
                result.broken += await _live(life, computer)
                life.contents = await computer.lose_power(life.chance.getrandbits(32))
                life.account.forget_unanswered()
                result.cuts.append(power.changes)
        result.accepted, result.told = len(life.account.accepted), len(life.account.told)
        for _ in range(2):
            # The store works on, and what it did is there after it was stopped in order.
            async with life.computer(Power()) as computer:
                result.broken += await _live(life, computer)
                life.contents = await computer.stop()
    return result


async def _live(life: Life, computer: Computer) -> list[str]:
    """Find what was promised, and promise more, until the power is off or the clients have done; what was broken."""
    broken: list[str] = []
    try:
        await computer.open()
        broken = await examine(life, computer)
        await computer.engine.start()
        await life.clients.arrive()
    except OutriderError:
        if not computer.fate.is_off:
            raise
    else:
        await life.clients.work(ROUNDS)
    return broken


async def examine(life: Life, computer: Computer, *, refused: bool = False) -> list[str]:
    """What is wrong with what is stored, as sentences."""
    store = computer.store
    checked = [line for (line,) in await store.ask("PRAGMA integrity_check") if line != "ok"]
    dangling = await store.ask("PRAGMA foreign_key_check")
    return [
        *checked,
        *(f"a row of {table} refers to nothing" for table, *_ in dangling),
        *(f"{violation.subject}: {violation.fault}" for violation in await store.inspect()),
        *await life.account.check(store, life.clients.tenant, computer.clock.now(), refused=refused),
    ]


@functools.cache
def empty_database() -> bytes:
    """A database of the newest schema, as its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        connection = Database(str(path), busy_timeout_ms=0, exclusive=True).open_for_writing()
        connection.close()
        return path.read_bytes()


class _Randomness:
    """Of ids: of the seed."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def take(self) -> int:
        return self._chance.getrandbits(80)

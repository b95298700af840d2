"""One seed: a few lives of one computer, what ends each of them, and what is found after it."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest import mock

from tests.power_loss.account import Account
from tests.power_loss.computer import DATABASE, Computer
from tests.power_loss.fates import Power, Trouble
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


FEW_ROUNDS = 4
"""How often clients call while the disk fails."""

CALLS_THAT_FAIL = tuple(
    map(frozenset, (["write"], ["sync"], ["read"], ["write", "sync"], ["open", "read", "write", "truncate", "sync"]))
)

RECOVERED_WITHIN_MS = 5 * SECOND_MS


@dataclass
class Result:
    """Attributes:
    broken: promises that were not kept, as sentences.
    accepted: how many messages were.
    cuts: where the power went: at which change to the disk.
    failures: calls to the disk that failed, where it was made to.
    """

    seed: int
    broken: list[str] = field(default_factory=list)
    accepted: int = 0
    cuts: list[int] = field(default_factory=list)
    failures: int = 0


class Life:
    """What of a seed outlasts a loss of power."""

    def __init__(self, seed: int) -> None:
        self.result = Result(seed)
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
            destinations=self.clients.destinations,
            limits=LIMITS,
            node=f"node_{self.number}",
            started_at=self.now,
            checkpoint_pages=self.chance.choice((2000, 200, 50, 10)),
        )
        try:
            yield self.clients.computer
        finally:
            self.now = self.clients.computer.clock.now() + self.chance.choice((0, SECOND_MS, RETENTION_MS))
            shutil.rmtree(folder)

    async def live(self, computer: Computer) -> bool:
        """Find what was promised, then promise more until the power is off or the clients have done.

        Returns whether the service was there to the end.
        """
        result = self.result
        try:
            await computer.open()
            result.broken += await examine(computer, self)
            await computer.engine.start()
            await self.clients.arrive()
        except OutriderError as error:
            if not computer.fate.is_off:
                result.broken.append(f"the store does not work on: {error}")
            return False
        await self.clients.work(ROUNDS)
        result.accepted = len(self.account.accepted)
        return not computer.fate.is_off

    async def lose_power(self, computer: Computer) -> None:
        self.result.cuts.append(computer.fate.changes)
        self.contents = await computer.lose_power(self.chance.getrandbits(32))
        self.account.forget_unanswered()

    def ids(self) -> AbstractContextManager[object]:
        """While this lasts, ids are drawn from the seed too."""
        return mock.patch.object(message, "_randomness", _Randomness(self.chance))


async def lose_power(seed: int) -> Result:
    """Lives that a loss of power ends, then two that end in order: the store works on, and what it did is there."""
    life = Life(seed)
    with life.ids():
        for _ in range(life.chance.randint(1, 3)):
            async with life.computer(Power(goes_at=life.chance.randint(1, CHANGES))) as computer:
                await life.live(computer)
                await life.lose_power(computer)
            if life.result.broken:
                return life.result
        for _ in range(2):
            async with life.computer(Power()) as computer:
                if not await life.live(computer):
                    await life.lose_power(computer)
                    break
                life.contents = await computer.stop()
    return life.result


async def fail(seed: int) -> Result:
    """One life in which the disk fails for a while, now and again, and the loss of power that ends it."""
    life = Life(seed)
    disk = Trouble(life.chance)
    with life.ids():
        async with life.computer(disk) as computer:
            await life.live(computer)
            for _ in range(life.chance.randint(1, 3)):
                await _fail_for_a_while(life, computer, disk)
            await life.lose_power(computer)
        async with life.computer(Power()) as computer:
            await life.live(computer)
            await life.lose_power(computer)
    life.result.failures = disk.failures
    return life.result


async def _fail_for_a_while(life: Life, computer: Computer, disk: Trouble) -> None:
    broken, accepted = life.result.broken, set(life.account.accepted)
    disk.share = life.chance.choice((0.2, 1.0))
    disk.is_full = life.chance.random() < 0.5
    disk.calls = life.chance.choice(CALLS_THAT_FAIL)
    await life.clients.work(FEW_ROUNDS)
    if disk.share == 1.0 and disk.calls & {"write", "sync"} and accepted != set(life.account.accepted):
        broken.append("a message was accepted though nothing could be stored")
    disk.calls = frozenset()
    try:
        await life.clients.publish_plainly()
    except OutriderError as error:
        broken.append(f"the disk works again, and publishing does not: {error}")
    await computer.clock.advance(RECOVERED_WITHIN_MS)
    life.account.forget_unanswered()
    broken += await examine(computer, life, refused=True)


async def examine(computer: Computer, life: Life, *, refused: bool = False) -> list[str]:
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

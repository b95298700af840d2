"""A computer with a disk, and the service on it from its start until the power is lost or it is stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.engine.world import Destinations
from tests.factories import BOX
from tests.power_loss.account import Account
from tests.power_loss.disk import Disk
from tests.power_loss.fates import Power
from tests.power_loss.lockstep import LockstepStore
from tests.power_loss.vfs import DiskVFS

from outrider.domain.addresses import AddressPolicy
from outrider.domain.instant import HOUR_MS, Instant
from outrider.domain.limits import Limits
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.testing import ManualClock

DATABASE = "store.db"


class Computer:
    """Args:
    folder: an empty one, for the files as programs see them.
    contents: the files that the disk holds.
    node: the name of the process.
    """

    def __init__(
        self,
        folder: Path,
        contents: dict[str, bytes],
        fate: Power,
        account: Account,
        *,
        destinations: Destinations,
        limits: Limits,
        node: str,
        started_at: Instant,
        checkpoint_pages: int,
    ) -> None:
        self.fate = fate
        self.disk = Disk(contents)
        self.clock = ManualClock(started_at, settle=self.rest)
        self.store: LockstepStore
        self.engine: Engine
        self._folder = folder
        self._vfs = DiskVFS(self.disk, fate)
        self._account = account
        self._destinations = destinations
        self._limits = limits
        self._node = node
        self._checkpoint_pages = checkpoint_pages
        for name, content in contents.items():
            (folder / name).write_bytes(content)

    async def open(self) -> None:
        """Open the store, and start nothing yet. Raises what the store raises."""
        self.store = await LockstepStore.on(self._folder / DATABASE, self._vfs, checkpoint_pages=self._checkpoint_pages)
        self.engine = Engine(
            store=self.store,
            sender=self._destinations,
            clock=self.clock,
            observer=self._account,
            directory=Directory(self.store, self.clock, BOX),
            policy=AddressPolicy.production(),
            limits=self._limits,
            node=self._node,
            lease_ms=HOUR_MS,
            poll_ms=HOUR_MS,
        )

    async def stop(self) -> dict[str, bytes]:
        """End the service in order; the files as they then are."""
        await self.engine.drain(0)
        await self.store.close()
        return {name: (self._folder / name).read_bytes() for name in self.disk.files}

    async def lose_power(self, seed: int) -> dict[str, bytes]:
        """End everything at once; the files that are found when the power is back."""
        self.fate.switch_off()
        contents = self.disk.power_cut(seed)
        if hasattr(self, "engine"):
            await self._forget(self.engine)
            await self.store.close()
        return contents

    async def rest(self) -> None:
        """Return when nothing is under way but what waits for time."""
        unchanged, before = 0, None
        while unchanged < 2:
            for _ in range(10):
                await asyncio.sleep(0)
            progress = (*self.store.progress, self.engine.dispatcher.in_flight, self.clock.next_wake_at())
            unchanged = unchanged + 1 if progress == before else 0
            before = progress

    async def _forget(self, engine: Engine) -> None:
        loops = [*engine._background, engine._dispatching, engine._scheduling]
        running = [task for task in (*engine.dispatcher._running, *loops) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

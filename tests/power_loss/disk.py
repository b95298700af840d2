"""A disk whose power may go: what was synced stays, of what was not anything may be left.

    file durable as of its last sync, then written twice:   AAAA  ← B at 2, C at 4
    after the power was lost, one of                        AAAA  AAB  AABA  AAAAC  AAAA0  AAB?C …

The rules are those of a file system that promises no more than POSIX does. Of the unsynced writes a subset reaches the
disk, in any order, sector by sector, and a sector may be torn. A file that grew has its old length, its new one, or
one between; where it grew and nothing was written there are zeros or garbage. Names that were made or removed without
a sync of the folder may be there or not. Bytes that no unsynced write covers are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

SECTOR = 512
"""Bytes that the disk writes at once, unless the power goes meanwhile."""

SURVIVAL = (0.0, 0.1, 0.5, 0.9, 1.0)
"""How likely an unsynced sector is to reach the disk; a power cut draws one for each file."""

TORN = 0.1
"""How many of the sectors that reach the disk do so in part."""


@dataclass(frozen=True)
class Write:
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    size: int


@dataclass
class File:
    """Its bytes as of the last sync, and what was done to it since, oldest first."""

    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[Write | Truncate] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        self.unsynced.append(Write(offset, data))

    def truncate(self, size: int) -> None:
        self.unsynced.append(Truncate(size))

    def sync(self) -> None:
        for change in self.unsynced:
            if isinstance(change, Truncate):
                _resize(self.durable, change.size, b"")
            else:
                _resize(self.durable, max(len(self.durable), change.offset), b"")
                self.durable[change.offset : change.offset + len(change.data)] = change.data
        self.unsynced.clear()

    def fail_to_sync(self, chance: Random) -> None:
        """As Linux does: what did not reach the disk now will not by a later sync either, though programs read it."""
        self.durable = self.after_power_cut(chance)
        self.unsynced.clear()

    def after_power_cut(self, chance: Random) -> bytearray:
        """One of the contents that may be found."""
        content = bytearray(self.durable)
        survival = chance.choice(SURVIVAL)
        changes = list(self.unsynced)
        if chance.random() < 0.5:
            chance.shuffle(changes)
        for change in changes:
            if isinstance(change, Write):
                _write_sectors(content, change, survival, chance)
            elif chance.random() < survival:
                _resize(content, change.size, b"")
        if len(content) > len(self.durable) and chance.random() < 0.3:
            del content[chance.randint(len(self.durable), len(content)) :]
        return content


class Disk:
    """The files of one folder, by name."""

    def __init__(self, contents: dict[str, bytes] | None = None) -> None:
        self.files = {name: File(bytearray(content)) for name, content in (contents or {}).items()}
        self._durable_names = dict(self.files)
        self._unsynced_names: list[tuple[str, File | None]] = []

    def create(self, name: str) -> None:
        self.files[name] = File()
        self._unsynced_names.append((name, self.files[name]))

    def delete(self, name: str) -> None:
        del self.files[name]
        self._unsynced_names.append((name, None))

    def sync_folder(self) -> None:
        """Make durable which names there are."""
        self._durable_names = dict(self.files)
        self._unsynced_names.clear()

    def power_cut(self, seed: int) -> dict[str, bytes]:
        """The files as they may be found when the power is back."""
        chance = Random(seed)
        kept = [change for change in self._unsynced_names if chance.random() < 0.5]
        names: dict[str, File | None] = self._durable_names | dict(kept)
        return {name: bytes(file.after_power_cut(chance)) for name, file in names.items() if file is not None}


def _write_sectors(content: bytearray, write: Write, survival: float, chance: Random) -> None:
    """Let some sectors of a write reach the content."""
    end = write.offset + len(write.data)
    if end > len(content) and survival:
        _resize(content, end, chance.choice((b"", chance.randbytes(SECTOR))))
    start = write.offset
    while start < end:
        stop = min(end, start - start % SECTOR + SECTOR)
        if chance.random() < survival:
            if chance.random() < TORN:
                stop_of_part = chance.randint(start, stop)
                content[start:stop_of_part] = write.data[start - write.offset : stop_of_part - write.offset]
            else:
                content[start:stop] = write.data[start - write.offset : stop - write.offset]
        start = stop


def _resize(content: bytearray, size: int, filler: bytes) -> None:
    """Cut, or make longer by the filler, repeated; zeros if it is empty."""
    grown = size - len(content)
    if grown > 0:
        content.extend((filler * (grown // len(filler) + 1))[:grown] if filler else bytes(grown))
    else:
        del content[size:]

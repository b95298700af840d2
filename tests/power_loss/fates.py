"""What becomes of calls to the disk: all is well, the power goes, or the disk fails for a while."""

from __future__ import annotations

from random import Random

import apsw
from tests.power_loss.disk import Disk

CHANGES = frozenset({"write", "truncate", "sync", "delete"})
"""Calls that leave something behind: the power goes at one of these."""

_CODES = {
    "open": apsw.SQLITE_CANTOPEN,
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "delete": apsw.SQLITE_IOERR_DELETE,
}


class Power:
    """The power goes at the so-manieth change, counted from 1; with None when it is switched off."""

    def __init__(self, goes_at: int | None = None) -> None:
        self.changes = 0
        self.is_off = False
        self._goes_at = goes_at

    def before(self, call: str) -> None:
        if call in CHANGES and not self.is_off:
            self.changes += 1
            self.is_off = self.changes == self._goes_at
        if self.is_off:
            raise failure(call)

    def switch_off(self) -> None:
        self.is_off = True

    def failed_write(self, data: bytes) -> bytes:
        """It was on its way to the disk, as an unsynced one."""
        return data

    def failed_sync(self, disk: Disk, name: str) -> None:
        """What is not synced may be there or not, as before."""


class Trouble(Power):
    """A disk that can fail: while `calls` names some, so many of them fail, with an I/O error or for want of space."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.calls: frozenset[str] = frozenset()
        self.share = 1.0
        self.is_full = False
        self.failures = 0
        self._chance = chance

    def before(self, call: str) -> None:
        super().before(call)
        if call in self.calls and self._chance.random() < self.share:
            self.failures += 1
            raise full() if self.is_full and call == "write" else failure(call)

    def failed_write(self, data: bytes) -> bytes:
        return data[: self._chance.randint(0, len(data))]

    def failed_sync(self, disk: Disk, name: str) -> None:
        disk.files[name].fail_to_sync(self._chance)


def failure(call: str) -> apsw.Error:
    return _error(apsw.CantOpenError if call == "open" else apsw.IOError, _CODES[call], f"the disk failed to {call}")


def full() -> apsw.Error:
    return _error(apsw.FullError, apsw.SQLITE_FULL, "no space is left")


def _error(kind: type[apsw.Error], code: int, sentence: str) -> apsw.Error:
    error = kind(sentence)
    error.result = code & 0xFF
    error.extendedresult = code
    return error

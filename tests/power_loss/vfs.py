"""What SQLite takes for the operating system: real files, and a Disk that keeps account of what of them is durable.

Programs read the real files, as they would the page cache. Locks and shared memory (`-shm`) are those of the real
files too; they are gone when the power is, and nothing is kept of them here. Before each call that the disk has a part
in, its fate is asked, which may raise: see `fates.py`.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Protocol

import apsw
from tests.power_loss.disk import Disk

_KEPT = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
_SYNCS_FOLDER = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL

_numbers = itertools.count(1)


class Fate(Protocol):
    """What becomes of a call to the disk."""

    def before(self, call: str) -> None:
        """Raise the apsw.Error that the call fails with, if it does: "open", "read", "write", "truncate", "sync" …"""
        ...

    def failed_write(self, data: bytes) -> bytes:
        """How much of a write that fails is done all the same, from its beginning."""
        ...

    def failed_sync(self, disk: Disk, name: str) -> None:
        """What a sync that fails does to the file."""
        ...


class DiskVFS(apsw.VFS):
    """One computer's files. `name` is what connections are opened with."""

    def __init__(self, disk: Disk, fate: Fate) -> None:
        self.name = f"disk-{next(_numbers)}"
        super().__init__(self.name, "unix")
        self.disk = disk
        self.fate = fate

    def xOpen(self, name, flags):  # noqa: N802
        self.fate.before("open")
        return DiskFile(self, name, flags)

    def xDelete(self, filename, syncdir):  # noqa: N802
        name = Path(filename).name
        if name in self.disk.files:
            self.fate.before("delete")
            self.disk.delete(name)
        super().xDelete(filename, False)
        if syncdir:
            self.disk.sync_folder()


class DiskFile(apsw.VFSFile):
    def __init__(self, vfs: DiskVFS, path, flags: list[int]) -> None:
        super().__init__("unix", path, flags)
        self._disk = vfs.disk
        self._fate = vfs.fate
        self._name = Path(path.filename() if isinstance(path, apsw.URIFilename) else path).name
        assert flags[0] & _KEPT, "temporary files are in memory"
        is_new = self._name not in self._disk.files
        if is_new:
            self._disk.create(self._name)
        self._file = self._disk.files[self._name]
        # The first sync of a new journal makes its name durable: os_unix.c, UNIXFILE_DIRSYNC.
        self._syncs_folder = is_new and bool(flags[0] & _SYNCS_FOLDER)

    def xRead(self, amount, offset):  # noqa: N802
        self._fate.before("read")
        return super().xRead(amount, offset)

    def xWrite(self, data, offset):  # noqa: N802
        written = bytes(data)
        try:
            self._fate.before("write")
        except apsw.Error:
            self._write(self._fate.failed_write(written), offset)
            raise
        self._write(written, offset)

    def xTruncate(self, newsize):  # noqa: N802
        self._fate.before("truncate")
        self._file.truncate(newsize)
        super().xTruncate(newsize)

    def xSync(self, flags):  # noqa: N802
        try:
            self._fate.before("sync")
        except apsw.Error:
            self._fate.failed_sync(self._disk, self._name)
            raise
        self._file.sync()
        if self._syncs_folder:
            self._disk.sync_folder()
            self._syncs_folder = False

    def _write(self, data: bytes, offset: int) -> None:
        if data:
            self._file.write(offset, data)
            super().xWrite(data, offset)

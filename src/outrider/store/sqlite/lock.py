"""One process serves from a database: the one that holds the lock on the file beside it.

The lock is the operating system's: it ends with the process, however that ends. The file stays.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from outrider.domain.errors import Misconfigured


class ServingLock:
    """The exclusive lock on `<database>.lock`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises Misconfigured naming the database if another process has the lock, or it cannot be made."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failure:
            raise Misconfigured(
                f"cannot open the store at '{self._database}': {failure.strerror}",
                code="store_unreachable",
                hint="its folder must exist and be writable",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise Misconfigured(
                f"another process{f' ({holder})' if holder else ''} serves from the store at '{self._database}'",
                code="store_in_use",
                hint="stop it, or give this one a data folder of its own",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

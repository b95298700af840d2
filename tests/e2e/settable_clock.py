"""A wall clock that a test sets, in a server that is a process of its own.

    clock = SettableClock(file)
    server = ServerProcess(data, prefix=clock.prefix).start()
    clock.skip_to_next_minute()

`prefix` runs what follows it, `python -m MODULE ARGUMENT…`, in a Python whose `time.time_ns` is ahead by what the
file says. Its steady clock, by which time-outs go, stays what it is.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

_AHEAD_NS = struct.Struct("q")
_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS


class SettableClock:
    """Goes right until it is set."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead_ns = 0
        self._write()

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command line begins with whose process goes by this clock."""
        return sys.executable, "-m", __name__, str(self._file)

    def skip(self, seconds: int) -> None:
        """Set it forward, or back."""
        self._skip_ns(seconds * _SECOND_NS)

    def skip_to_next_minute(self) -> None:
        """Set it forward by less than a minute."""
        self._skip_ns(_MINUTE_NS - (time.time_ns() + self._ahead_ns) % _MINUTE_NS)

    def _skip_ns(self, ns: int) -> None:
        self._ahead_ns += ns
        self._write()

    def _write(self) -> None:
        # In place, since the process has the file mapped.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(_AHEAD_NS.pack(self._ahead_ns))


def _ahead_by(file: Path, time_ns: Callable[[], int]) -> Callable[[], int]:
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    return lambda: time_ns() + _AHEAD_NS.unpack_from(mapped)[0]


if __name__ == "__main__":
    _, file, _python, _m, module, *arguments = sys.argv
    time.time_ns = _ahead_by(Path(file), time.time_ns)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

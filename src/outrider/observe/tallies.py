"""Numbers that several processes count together, in memory that they share.

Each process writes to a row of its own and to no other, so that nothing is locked. What a process has counted
stays when it dies; one that takes its place goes on from there.

A row is a table of names and one of values. A name is there once its first byte is, and for good.
"""

from __future__ import annotations

import mmap
from collections import defaultdict

NAMES = 256
"""Most names in a row."""

_NAME_BYTES = 64
_NUMBER_BYTES = 8
_ROW_BYTES = NAMES * (_NAME_BYTES + _NUMBER_BYTES)


class Tallies:
    """So many rows. Made by one process, and shared with those that it forks."""

    def __init__(self, rows: int = 1) -> None:
        memory = memoryview(mmap.mmap(-1, rows * _ROW_BYTES))
        self._rows = [Row(memory[start : start + _ROW_BYTES]) for start in range(0, rows * _ROW_BYTES, _ROW_BYTES)]

    def row(self, number: int) -> Row:
        return self._rows[number]

    def values(self, name: str) -> list[float]:
        """What each row says, 0 where it says nothing."""
        return [row.all().get(name, 0.0) for row in self._rows]

    def totals(self) -> dict[str, float]:
        """The sums of all rows, by name."""
        sums: dict[str, float] = defaultdict(float)
        for row in self._rows:
            for name, value in row.all().items():
                sums[name] += value
        return sums


class Row:
    """What one process counts. `values[row.cell(name)] += 1` is all there is to it."""

    def __init__(self, memory: memoryview) -> None:
        names_end = NAMES * _NAME_BYTES
        self._names = memory[:names_end]
        self._cells: dict[str, int] = {}
        self.values = memory[names_end:].cast("d")

    def cell(self, name: str) -> int:
        """Where the value of a name is. Raises ValueError for one too many, or too long."""
        cell = self._cells.get(name)
        return self._make(name) if cell is None else cell

    def all(self) -> dict[str, float]:
        """Every name and its value, also of another process."""
        self._look()
        return {name: self.values[cell] for name, cell in self._cells.items()}

    def _make(self, name: str) -> int:
        self._look()
        if name in self._cells:
            return self._cells[name]
        encoded, cell = name.encode(), len(self._cells)
        if len(encoded) > _NAME_BYTES or cell >= NAMES:
            raise ValueError(f"there is no room for {name!r}")
        # Last its first byte: whoever reads a name meanwhile finds none.
        start = cell * _NAME_BYTES
        self._names[start + 1 : start + len(encoded)] = encoded[1:]
        self._names[start] = encoded[0]
        self._cells[name] = cell
        return cell

    def _look(self) -> None:
        """Learn the names that a process has made since."""
        for start in range(len(self._cells) * _NAME_BYTES, len(self._names), _NAME_BYTES):
            if not self._names[start]:
                return
            name = bytes(self._names[start : start + _NAME_BYTES]).rstrip(b"\0").decode()
            self._cells[name] = start // _NAME_BYTES

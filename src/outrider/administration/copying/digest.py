"""What rows are told apart by: a sum, so that it is the same in whatever order and batches they come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import Struct, msgpack

Value = None | int | str | bytes

_MODULUS = 1 << 256


class Digest(Struct, frozen=True):
    """Of rows: how many, and the sum of their SHA-256 values."""

    rows: int = 0
    total: int = 0

    def with_rows(self, rows: Iterable[Sequence[Value]]) -> Digest:
        """The same with more rows. True and 1 are alike, for SQLite knows no booleans."""
        count, total = self.rows, self.total
        for row in rows:
            plain = [int(value) if isinstance(value, bool) else value for value in row]
            total += int.from_bytes(hashlib.sha256(msgpack.encode(plain)).digest(), "big")
            count += 1
        return Digest(count, total % _MODULUS)

    @property
    def hex(self) -> str:
        return f"{self.total:064x}"

    @classmethod
    def of(cls, rows: int, text: str) -> Digest:
        """As it was written down."""
        return cls(rows, int(text, 16))

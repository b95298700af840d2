"""A stream that several processes write lines to, without tearing one another's apart."""

from __future__ import annotations

import io
import os
import select


class SharedLines(io.TextIOBase):
    """Text that reaches a descriptor in whole lines, at each `flush`.

    What is written at once is at most what a pipe takes undivided, unless a line alone is longer.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: list[bytes] = []

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Lines, each with its end."""
        self._waiting.append(text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        pieces: list[bytes] = []
        size = 0
        lines, self._waiting = self._waiting, []
        for line in lines:
            if size + len(line) > select.PIPE_BUF and pieces:
                self._write(b"".join(pieces))
                pieces, size = [], 0
            pieces.append(line)
            size += len(line)
        if pieces:
            self._write(b"".join(pieces))

    def _write(self, text: bytes) -> None:
        while text:
            text = text[os.write(self._descriptor, text) :]

"""A request as it came over the wire: its head parsed, its body still on the way perhaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from outrider.domain.errors import TooLarge

Pairs = Sequence[tuple[bytes, bytes]]
"""Header fields as they came: names in lower case, order and repetition kept."""

UNASKED = 64 * 1024
"""So much of a body is taken in before a handler asks for it."""


class Disconnected(Exception):
    """The client went away before its body had arrived whole; there is nobody to answer and nothing to store."""


class Body:
    """A body: pieces come in at one side, and one handler reads it whole at the other.

    Attributes:
        declared: its size by Content-Length; None if its end is marked instead.
        is_whole: whether its end has come.
        on_wanted: told when a handler waits for what has not come yet.
    """

    __slots__ = ("_failure", "_limit", "_pieces", "_waiter", "declared", "is_whole", "on_wanted")

    def __init__(self, declared: int | None = None) -> None:
        self.declared = declared
        self.is_whole = False
        self.on_wanted: Callable[[], None] | None = None
        self._pieces: bytes | bytearray = b""
        self._failure: Exception | None = None
        self._limit = UNASKED
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether a handler waits for more of it."""
        return self._waiter is not None

    @property
    def has_room(self) -> bool:
        """Whether more of it should be taken in now."""
        return self._failure is None and len(self._pieces) <= self._limit

    @property
    def size(self) -> int:
        """How much of it has come."""
        return len(self._pieces)

    @property
    def has_begun(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: bytes) -> None:
        """Take in what came."""
        if not self._pieces:
            self._pieces = piece
        else:
            if isinstance(self._pieces, bytes):
                self._pieces = bytearray(self._pieces)
            self._pieces += piece
        if len(self._pieces) > self._limit:
            self._wake()

    def end(self) -> None:
        """Its end has come."""
        self.is_whole = True
        self._wake()

    def fail(self, why: Exception) -> None:
        """Its end will never come: who reads it is told why."""
        if not self.is_whole and self._failure is None:
            self._failure = why
            self._wake()

    async def read(self, limit: int, hint: str) -> bytes:
        """All of it, at most `limit` bytes; `hint` says what to do about a larger one.

        Raises TooLarge, before reading if the size is declared; and whatever it failed with, Disconnected
        for one.
        """
        if self.declared is not None and self.declared > limit:
            raise _too_large(f"a body of {self.declared} bytes", limit, hint)
        self._limit = limit
        while not self.is_whole and len(self._pieces) <= limit:
            if self._failure is not None:
                raise self._failure
            await self._more()
        if len(self._pieces) > limit:
            more = "" if self.is_whole else "more than "
            size = len(self._pieces) - (not self.is_whole)
            raise _too_large(f"a body of {more}{size} bytes", limit, hint)
        return bytes(self._pieces)

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            if self.on_wanted is not None:
                self.on_wanted()
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Request(Struct, kw_only=True):
    """What a client asks.

    Attributes:
        path: of the target, raw.
        query: of the target, raw; empty also where a bare `?` ends the target.
        ends_in_mark: whether a bare `?` does.
        fields: headers by name, the last of each; for what occurs once.
        keep_alive: whether another request may follow.
        caller_ip: who asks; None where the transport cannot tell.
    """

    method: str
    path: bytes
    query: bytes = b""
    ends_in_mark: bool = False
    headers: Pairs
    fields: dict[bytes, bytes]
    body: Body
    keep_alive: bool = True
    caller_ip: str | None = None


def _too_large(what: str, limit: int, hint: str) -> TooLarge:
    return TooLarge(f"{what} is over the limit of {limit} bytes", code="body_too_large", hint=hint)

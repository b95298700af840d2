"""The processes that share a store, and what they tell one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from outrider.domain.event import Event
from outrider.domain.instant import Instant


class Node(Struct, array_like=True, frozen=True):
    """A process that delivers. Leases belong to nodes, and hold while their node lives.

    Attributes:
        until: when it counts as dead, unless it beats before.
    """

    id: str
    joined_at: Instant
    until: Instant


class EndedLeases(Struct, frozen=True):
    """Leases that were ended.

    Attributes:
        canceled: the entries of messages that are CANCELED with it. Whoever ends leases tells observers.
    """

    count: int = 0
    canceled: tuple[Event, ...] = ()


class NodeStore(Protocol):
    """The nodes of a store. A lease of a node that is not entered here is nobody's, and is ended by whoever looks."""

    async def join(self, node: str, now: Instant, until: Instant) -> EndedLeases:
        """Enter a node.

        A store that serves one process alone strikes off all others first, and ends their leases.
        """
        ...

    async def beat(self, node: str, now: Instant, until: Instant) -> bool:
        """The node lives on. False: it is not entered any more, and its leases were ended or will be."""
        ...

    async def leave(self, node: str, now: Instant) -> EndedLeases:
        """The node ends: so do its leases and its entry."""
        ...

    async def recover(self, now: Instant, limit: int, *, dead_before: Instant) -> EndedLeases:
        """Strike off nodes that were to beat before `dead_before`, and end up to `limit` leases of nodes not entered.

        Their messages are DUE again, unattempted (CANCELED where that was requested).
        """
        ...

    async def list_nodes(self) -> list[Node]:
        """Those that are entered, by id."""
        ...

    async def time(self) -> Instant | None:
        """What the clock of the database says; None where this machine's is the only one."""
        ...

    def listen(self, heard: Callable[[], None]) -> None:
        """Have `heard` called, on the event loop, when another node says that work is due which it cannot take."""
        ...

    def tell(self) -> None:
        """Say so to the other nodes, soon, and a few times a second at most."""
        ...

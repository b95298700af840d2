"""How the file descriptors that a process may have are shared out: to clients, to deliveries, to itself."""

from __future__ import annotations

import contextlib
import sys

from msgspec import Struct

OURS = 64
"""For files, event loops and threads; connections to a database come on top."""

MOST_KEPT = 256
"""Connections to destinations that are kept for reuse."""

MOST_ON_MACOS = 10_240
"""It says that there is no limit, and takes no more."""


class Shares(Struct, frozen=True):
    """At most so many of each.

    Attributes:
        clients: connections of clients.
        in_flight: messages held for delivery, each with a connection to its destination.
        kept: connections to destinations that are kept for reuse.
        limit: the descriptors of the process; None where there is no limit.
    """

    clients: int
    in_flight: int
    kept: int
    limit: int | None


def raise_limit() -> int | None:
    """Allow this process as many descriptors as it may allow itself, and how many that is; None without a limit."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on every platform

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        for wanted in (hard, max(soft, MOST_ON_MACOS)):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                soft = wanted
                break
    return None if soft == resource.RLIM_INFINITY else soft


def share_out(limit: int | None, *, clients: int, in_flight: int, database: int) -> Shares:
    """As many as are wanted. Where they are not enough, clients get half of them, or what deliveries leave."""
    if limit is None:
        return Shares(clients, in_flight, MOST_KEPT, limit)
    free = max(limit - OURS - database, 8)
    if clients + in_flight + MOST_KEPT > free:
        in_flight = min(in_flight, max(free * 3 // 8, 1))
    kept = min(MOST_KEPT, free // 8)
    return Shares(min(clients, free - in_flight - kept), in_flight, kept, limit)

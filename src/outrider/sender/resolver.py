"""Look-ups of host names, in threads of their own.

The loop's shared threads are few: a handful of names whose servers do not answer would hold
all of them, and with them every other destination.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypedDict

MOST_LOOKUPS = 64


class Found(TypedDict):
    """One address of a host."""

    host: str


class Lookup(Protocol):
    """Whoever looks up names."""

    async def resolve(self, host: str, port: int) -> Sequence[Found]:
        """The addresses of a host, in the order to try them. Raises OSError if there are none."""
        ...

    async def close(self) -> None: ...


class Resolver:
    """The system's resolver."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_LOOKUPS, thread_name_prefix="resolver")

    async def resolve(self, host: str, port: int) -> list[Found]:
        """The addresses of a host, in the order to try them. Raises OSError if there are none."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, socket.AF_UNSPEC)
        return [Found(host=str(place[0])) for *_, place in found]

    async def close(self) -> None:
        """Wait for no look-up that still runs; there is no way to end one."""
        self._threads.shutdown(wait=False, cancel_futures=True)


_Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]]


def _look_up(host: str, port: int, family: int) -> _Found:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    return [one for one in found if one[0] in {socket.AF_INET, socket.AF_INET6}]  # type: ignore[misc]

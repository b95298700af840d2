"""The addresses of names, remembered for a moment."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict, deque

from outrider.sender.failures import Stopping
from outrider.sender.resolver import Lookup

MOST_NAMES = 1000


class Names:
    """Looks up each name once at a time, whoever asks, and remembers what was found.

    Every answer begins with another address than the one before, so that connections spread over them.
    """

    def __init__(self, resolver: Lookup, remember_s: float) -> None:
        self._resolver = resolver
        self._remember_s = remember_s
        self._known: OrderedDict[str, tuple[deque[str], float]] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[deque[str]]] = {}

    async def find(self, host: str, port: int) -> list[str]:
        """The addresses of a host, at least one. Raises OSError; cancelling does not end the look-up."""
        known = self._known.get(host)
        if known is None or known[1] < asyncio.get_running_loop().time():
            found = await self._wait_for(self._lookups.get(host) or self._begin(host, port))
        else:
            found = known[0]
        addresses = list(found)
        found.rotate(-1)
        return addresses

    async def close(self) -> None:
        """Give up the look-ups that still run."""
        lookups = list(self._lookups.values())
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        await self._resolver.close()

    async def _wait_for(self, lookup: asyncio.Task[deque[str]]) -> deque[str]:
        await asyncio.wait([lookup])
        if lookup.cancelled():
            raise Stopping
        return lookup.result()

    def _begin(self, host: str, port: int) -> asyncio.Task[deque[str]]:
        lookup = asyncio.get_running_loop().create_task(self._look_up(host, port))
        self._lookups[host] = lookup
        lookup.add_done_callback(lambda _: self._end(host, lookup))
        return lookup

    def _end(self, host: str, lookup: asyncio.Task[deque[str]]) -> None:
        del self._lookups[host]
        if not lookup.cancelled():
            lookup.exception()  # it is told to whoever still waits

    async def _look_up(self, host: str, port: int) -> deque[str]:
        found = await self._resolver.resolve(host, port)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address of a kind that can be called")
        until = asyncio.get_running_loop().time() + self._remember_s
        addresses = deque(address["host"] for address in found)
        self._known[host] = (addresses, until)
        self._known.move_to_end(host)
        if len(self._known) > MOST_NAMES:
            self._known.popitem(last=False)
        return addresses

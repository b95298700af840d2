"""Making a connection: look up, show every address to the guard, connect to the first that answers, begin TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest

from outrider.sender.connection import Connection
from outrider.sender.failures import AddressRefused, CannotConnect, Late, NoAddress
from outrider.sender.guard import Guard
from outrider.sender.names import Names
from outrider.sender.place import Place

STAGGER_S = 0.25
"""How long an address is tried before the next one is tried beside it (RFC 8305)."""


class Connector:
    """Makes connections, each within a limit of its own."""

    def __init__(
        self,
        guard: Guard,
        names: Names,
        ssl_context: ssl.SSLContext,
        *,
        timeout_ms: int,
        make: Callable[[Place], Connection],
    ) -> None:
        self._guard = guard
        self._names = names
        self._ssl_context = ssl_context
        self._timeout_ms = timeout_ms
        self._make = make

    async def connect(self, place: Place, deadline: float) -> Connection:
        """A fresh connection, TLS included, before the deadline by the loop's time.

        Raises:
            AddressRefused: the guard turned every address down.
            NoAddress, CannotConnect, Late: as they say.
        """
        limit = asyncio.get_running_loop().time() + self._timeout_ms / 1000
        phase = f"looking up {place.host}"
        try:
            async with asyncio.timeout_at(min(limit, deadline)):
                addresses = [place.host] if place.is_literal else await self._look_up(place)
                phase = f"connecting to {place.shown}"
                return await self._connect(place, _interleaved(addresses))
        except TimeoutError:
            raise Late(phase, self._timeout_ms if limit < deadline else None) from None

    async def _look_up(self, place: Place) -> list[str]:
        try:
            return await self._names.find(place.host, place.port)
        except OSError as failure:
            raise NoAddress(failure) from failure

    async def _connect(self, place: Place, addresses: deque[str]) -> Connection:
        """A connection to one of the addresses; those after one that fails at TLS are tried as well."""
        while True:
            try:
                return await self._begin(place, await self._race(place, addresses))
            except OSError as failure:
                if not addresses:
                    raise CannotConnect(failure) from failure

    async def _begin(self, place: Place, connected: socket.socket) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: self._make(place),
            sock=connected,
            ssl=self._ssl_context if place.is_tls else None,
            server_hostname=place.host.rstrip(".") if place.is_tls else None,
        )
        return connection

    async def _race(self, place: Place, addresses: deque[str]) -> socket.socket:
        """A socket connected to the first that answers. Takes from `addresses` those that had their turn.

        An address has its turn when the one before has failed, or has been tried for a moment.
        """
        if len(addresses) == 1:
            return await self._open(place, addresses.popleft())
        racers: set[asyncio.Task[socket.socket]] = set()
        failures: list[BaseException] = []
        try:
            while addresses or racers:
                if addresses:
                    racers.add(asyncio.create_task(self._open(place, addresses.popleft())))
                done, _ = await asyncio.wait(
                    racers, timeout=STAGGER_S if addresses else None, return_when=asyncio.FIRST_COMPLETED
                )
                for racer in done:
                    failure = racer.exception()
                    if failure is None:
                        racers.remove(racer)
                        return racer.result()
                    failures.append(failure)
                racers -= done
        finally:
            for racer in racers:
                racer.cancel()
                racer.add_done_callback(_discard)
        raise _worst(failures)

    async def _open(self, place: Place, address: str) -> socket.socket:
        """A socket connected to an address, if the guard lets it be made."""
        made = self._guard.make_socket(address, place)
        try:
            await asyncio.get_running_loop().sock_connect(made, (address, place.port))
        except BaseException:
            made.close()
            raise
        return made


def _discard(racer: asyncio.Task[socket.socket]) -> None:
    """Close the socket of one that arrived although it had lost."""
    if not racer.cancelled() and racer.exception() is None:
        racer.result().close()


def _worst(failures: Sequence[BaseException]) -> BaseException:
    """The one to be told: the last of a connection that was tried, else the first refusal."""
    return next((failure for failure in reversed(failures) if not isinstance(failure, AddressRefused)), failures[0])


def _interleaved(addresses: Sequence[str]) -> deque[str]:
    """In their order, but families by turns, so that one that leads nowhere delays little."""
    families: dict[bool, list[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, []).append(address)
    return deque(address for address in chain.from_iterable(zip_longest(*families.values())) if address is not None)

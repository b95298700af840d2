"""The address guard at the moment of connecting.

Every socket of the connector is made here, with the final address at hand, be it from a name or
written in the URL. A refused address gets no socket, so nothing is sent to it.
"""

from __future__ import annotations

import errno
import socket
from contextvars import ContextVar

from aiohttp.connector import AddrInfoType

from outrider.domain.addresses import AddressPolicy


class Call:
    """What one attempt has come to; its tasks all see the same one.

    Attributes:
        host: host and port as they are being connected to.
        phase: what is being done, for the text of a timeout.
        refusals: of addresses that the guard turned down.
        opened: whether the connection in use, or the last one tried, is fresh.
        received: how many bytes of the response's body have come.
    """

    __slots__ = ("host", "opened", "phase", "received", "refusals")

    def __init__(self) -> None:
        self.host = ""
        self.phase = "preparing"
        self.refusals: list[str] = []
        self.opened = False
        self.received = 0


current_call: ContextVar[Call] = ContextVar("current_call")


class Guard:
    """Makes the connector's sockets, for addresses that the policy allows."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def make_socket(self, address: AddrInfoType) -> socket.socket:
        """A socket for an address that may be called. Raises PermissionError for any other."""
        family, kind, protocol, _, place = address
        call = current_call.get()
        ip = str(place[0])
        refusal = self._policy.refuse_address(ip, call.host)
        if refusal is not None:
            call.refusals.append(refusal)
            raise PermissionError(errno.EACCES, "refused by the address guard")
        call.opened = True
        call.phase = f"connecting to {call.host}"
        return socket.socket(family, kind, protocol)

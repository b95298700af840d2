"""The address guard at the moment of connecting.

Every socket to a destination is made here, with the final address at hand, be it from a name or
written in the URL. A refused address gets no socket, so nothing is sent to it.
"""

from __future__ import annotations

import socket

from outrider.domain.addresses import AddressPolicy
from outrider.sender.failures import AddressRefused
from outrider.sender.place import Place


class Guard:
    """Makes sockets for addresses that the policy allows."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def make_socket(self, address: str, place: Place) -> socket.socket:
        """A socket for an address of a place, if it may be called. Raises AddressRefused for any other."""
        refusal = self._policy.refuse_address(address, place.shown)
        if refusal is not None:
            raise AddressRefused(refusal)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a body must not wait for the head's receipt
        return made

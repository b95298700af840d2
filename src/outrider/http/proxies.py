"""Who calls, where proxies stand before the server and name their callers in X-Forwarded-For."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from outrider.http.requests import Pairs

_LONGEST_ADDRESS = 64


class Proxies:
    """The networks whose word counts."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError for what is no network."""
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._is_trusted = lru_cache(maxsize=4096)(self._look_up)

    def trust(self, address: str | None) -> bool:
        """Whether this is the address of a proxy of ours."""
        if not self._networks or address is None or len(address) > _LONGEST_ADDRESS:
            return False
        return self._is_trusted(address)

    def caller(self, proxy: str, headers: Pairs) -> str:
        """Whom a trusted proxy speaks for: the last address that is not one of ours; itself if it names none.

        Each proxy adds the address that it was called from at the end, so what stands before the
        last that we do not trust may be made up.
        """
        named = [value for name, value in headers if name == b"x-forwarded-for"]
        if not named:
            return proxy
        addresses = [_bare(part.strip()) for part in b",".join(named).decode("latin-1").split(",")]
        outer = next((address for address in reversed(addresses) if not self.trust(address)), addresses[0])
        return outer or proxy

    def _look_up(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


def _bare(address: str) -> str:
    """The address without the port and brackets that some proxies write."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.rpartition(":")
    return host if ":" not in host and host and port.isdecimal() else address

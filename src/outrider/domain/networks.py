"""Networks that are no public destinations, and what hides inside an address.

The tables are the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its
updates) with multicast and the deprecated ranges added. The standard library's `is_global`
is no substitute: it passes multicast, 6to4, NAT64 and more.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_V4: tuple[tuple[Network, str], ...] = tuple(
    (IPv4Network(network), purpose)
    for network, purpose in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private use"),
        ("100.64.0.0/10", "shared address space of providers"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local, metadata of clouds"),
        ("172.16.0.0/12", "private use"),
        ("192.0.0.0/24", "IETF protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private use"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved, broadcast"),
    )
)

_SPECIAL_V6: tuple[tuple[Network, str], ...] = tuple(
    (IPv6Network(network), purpose)
    for network, purpose in (
        ("::/96", "unspecified, loopback, IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b:1::/48", "local translation to IPv4"),
        ("100::/64", "discard only"),
        ("100:0:0:1::/64", "dummy addresses"),
        ("2001::/23", "IETF protocol assignments, Teredo"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOW_32 = 0xFFFF_FFFF
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def parse_address(text: str) -> Address | None:
    """An address in its usual spelling, IPv6 without a zone; None for anything else."""
    try:
        return IPv6Address(text) if ":" in text and "%" not in text else IPv4Address(text)
    except ValueError:
        return None


def unmapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped one (`::ffff:0:0/96`) is, for the kernel as well; else itself."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def special_purpose(address: Address) -> str | None:
    """What makes an address no public destination: `in 10.0.0.0/8 (private use)`; None for a public one."""
    if isinstance(address, IPv4Address):
        return _in_table(_SPECIAL_V4, address)
    translated = _translated(address)
    if translated is not None:
        special = special_purpose(translated)
        return special and f"{special} as {translated}"
    special = _in_table(_SPECIAL_V6, address) or _special_tunnel(address)
    if special is None and address not in _GLOBAL_UNICAST:
        return f"outside {_GLOBAL_UNICAST} (global unicast)"
    return special


def _in_table(table: tuple[tuple[Network, str], ...], address: Address) -> str | None:
    return next((f"in {network} ({purpose})" for network, purpose in table if address in network), None)


def _translated(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is reached in place of this one: mapped, or by NAT64 (RFC 6052)."""
    return IPv4Address(int(address) & _LOW_32) if address in _NAT64 else address.ipv4_mapped


def _special_tunnel(address: IPv6Address) -> str | None:
    """ISATAP (RFC 5214) carries packets to an IPv4 address in the last word, told by the third one."""
    if (int(address) >> 32) & _LOW_32 not in _ISATAP:
        return None
    inner = IPv4Address(int(address) & _LOW_32)
    special = _in_table(_SPECIAL_V4, inner)
    return special and f"{special} as {inner}"


def is_loopback(address: Address) -> bool:
    return address.is_loopback


def contains(network: str, address: Address) -> bool:
    """Whether an address is in a network such as `10.0.0.0/8`; never for the other version of IP."""
    parsed = _network(network)
    return parsed.version == address.version and address in parsed


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    return ip_network(text)

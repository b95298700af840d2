"""Which addresses may be called: one policy, asked at publish and again at every connection.

At publish, `refuse_url` judges everything that needs no look-up, so that a mistake is told to
who made it. At connect, `refuse_address` judges the very address that is about to be
connected to: names can change their addresses, so this is the guard that counts.

What is no public unicast address by the IANA registries is refused, whatever form it is
written in: `networks.py` beside this file holds the table.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from outrider.domain.networks import Address, contains, is_loopback, parse_address, special_purpose, unmapped


class AddressPolicy(Struct, frozen=True, kw_only=True, cache_hash=True):
    """What may be called besides public addresses over https.

    Attributes:
        allow_http: whether `http://` may be used.
        allowed_networks: networks (`10.0.0.0/8`) that may be called although they are not public.
        allowed_hosts: `host`, `host:port` or `*.suffix`, lower case: whatever their addresses are.
        allow_loopback: whether this machine may be called.
    """

    allow_http: bool = False
    allowed_networks: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allow_loopback: bool = False

    @classmethod
    def production(
        cls, *, allow_http: bool = False, allowed_networks: tuple[str, ...] = (), allowed_hosts: tuple[str, ...] = ()
    ) -> AddressPolicy:
        """Public addresses, and what an operator chose to allow."""
        return cls(allow_http=allow_http, allowed_networks=allowed_networks, allowed_hosts=allowed_hosts)

    @classmethod
    def development(
        cls, *, allowed_networks: tuple[str, ...] = (), allowed_hosts: tuple[str, ...] = ()
    ) -> AddressPolicy:
        """Plain http and this machine too."""
        return cls(allow_http=True, allowed_networks=allowed_networks, allowed_hosts=allowed_hosts, allow_loopback=True)

    def refuse_url(self, url: str) -> str | None:
        """Why a URL may not be called, as far as it can be told without a look-up; None if nothing is known."""
        match = _URL.match(url)
        if match is None or _FORBIDDEN.search(url) is not None:
            return _malformed(url)
        userinfo, _, host_and_port = match["authority"].rpartition("@")
        if "@" in userinfo or len(host_and_port) > _LONGEST_AUTHORITY:
            return _ambiguous(host_and_port)
        return _refuse_authority(self, match["scheme"].lower(), host_and_port)

    def refuse_address(self, ip_text: str, host: str) -> str | None:
        """Why an address may not be connected to; None if it may.

        Args:
            ip_text: the address as the resolver gave it.
            host: the host it was looked up for, with `:port` if the port is known.
        """
        return _refuse_address(self, ip_text, host)


_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?#]*)")
_FORBIDDEN = re.compile(r"[^\x21-\x7e]|\\")
"""What readers of URLs disagree about: characters beyond ASCII, spaces, control characters, backslashes."""

_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
_LONGEST_NAME = 253
_HIGHEST_PORT = 65_535
_LONGEST_AUTHORITY = _LONGEST_NAME + len(".:65535")
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)")

_METADATA = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_LOCAL_SUFFIXES = ("local", "internal", "localdomain", "intranet", "lan", "home", "corp", "private", "home.arpa")

_ALLOW_HOST = "to allow it, add it to allow_hosts"
_ALLOW_HOST_OR_NETWORK = "to allow it, add the host to allow_hosts or its network to allow_networks"


def _malformed(url: str) -> str:
    shown = re.split(r"[/?#]", url.partition("://")[2] or url, maxsplit=1)[0].rpartition("@")[2]
    return (
        f"{shown[:_LONGEST_NAME]!r} is refused: a URL is a scheme, '://' and printable ASCII without backslashes; "
        "write an international host in punycode (xn--…) and percent-encode the rest"
    )


def _ambiguous(host_and_port: str) -> str:
    return (
        f"{host_and_port[:_LONGEST_NAME]!r} is refused: it is not one host and one port; "
        "percent-encode '@' in user information, and put an IPv6 address in brackets"
    )


@lru_cache(maxsize=4096)
def _refuse_authority(policy: AddressPolicy, scheme: str, host_and_port: str) -> str | None:
    match = _HOST_AND_PORT.fullmatch(host_and_port)
    if match is None:
        return _ambiguous(host_and_port)
    if match["port"] and not 1 <= int(match["port"]) <= _HIGHEST_PORT:
        return f"'{host_and_port}' is refused: its port is out of range; write one from 1 to {_HIGHEST_PORT}, or none"
    host = match["host"].lower().removesuffix(".")
    if scheme != "https" and not (scheme == "http" and policy.allow_http):
        return _refuse_scheme(scheme, host)
    port = match["port"] or ("443" if scheme == "https" else "80")
    return _refuse_host(policy, host, port)


def _refuse_scheme(scheme: str, host: str) -> str:
    if scheme == "http":
        return f"'http://{host}' is refused: only https is allowed; write https://, or set allow_http"
    return f"'{scheme}://{host}' is refused: the scheme must be https or http"


def _refuse_host(policy: AddressPolicy, host: str, port: str) -> str | None:
    if _is_allowed_host(policy, host, port):
        return None
    if host.startswith("["):
        return _refuse_v6_literal(policy, host)
    if _NUMERIC_END.fullmatch(host):
        return _refuse_v4_literal(policy, host)
    if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host):
        return f"{host[:_LONGEST_NAME]!r} is refused: it is not a host name; write letters, digits, '-' and dots"
    return _refuse_name(policy, host)


def _is_allowed_host(policy: AddressPolicy, host: str, port: str) -> bool:
    for allowed in policy.allowed_hosts:
        name, is_suffix = (allowed[1:], True) if allowed.startswith("*.") else (allowed, False)
        for candidate in (host, f"{host}:{port}"):
            if candidate == name or (is_suffix and candidate.endswith(name)):
                return True
    return False


def _refuse_v6_literal(policy: AddressPolicy, host: str) -> str | None:
    address = parse_address(host[1:-1])
    if not isinstance(address, IPv6Address):
        return f"'{host}' is refused: it is not an IPv6 address without a zone; write [2001:4860::1], say"
    return _refuse(policy, address, host)


def _refuse_v4_literal(policy: AddressPolicy, host: str) -> str | None:
    """Numbers and dots. Only the usual spelling is taken: on any other, resolvers disagree."""
    address = parse_address(host)
    if isinstance(address, IPv4Address):
        return _refuse(policy, address, host)
    meant = _inet_aton(host)
    if meant is None:
        return f"'{host}' is refused: it is not an IPv4 address, and a host name does not end in a number"
    return f"'{host}' is refused: it is an unusual spelling of {meant}; write the address as {meant}"


def _inet_aton(host: str) -> IPv4Address | None:
    """What the C library's inet_aton reads: one to four numbers, decimal, octal (0…) or hexadecimal (0x…)."""
    parts = host.split(".")
    if len(parts) > 4 or any(len(part) > 16 for part in parts):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    last_bytes = 5 - len(parts)
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256**last_bytes:
        return None
    value = numbers[-1]
    for place, number in enumerate(numbers[:-1]):
        value += number << (8 * (3 - place))
    return IPv4Address(value)


def _number(part: str) -> int:
    if part[:2] in {"0x", "0X"}:
        return int(part[2:] or "0", 16)
    return int(part, 8 if len(part) > 1 and part.startswith("0") else 10)


def _refuse_name(policy: AddressPolicy, host: str) -> str | None:
    if host in _METADATA:
        return f"'{host}' is refused: it names a cloud's metadata service; {_ALLOW_HOST}"
    if host == "localhost" or host.endswith((".localhost", "localhost.localdomain")):
        return None if _allows_loopback(policy) else f"'{host}' is refused: it names this machine; {_ALLOW_HOST}"
    # Where some private network is allowed, a local name may well be in it: that is judged at connect.
    return None if policy.allowed_networks else _refuse_local_name(host)


def _allows_loopback(policy: AddressPolicy) -> bool:
    return policy.allow_loopback or any(contains(network, _LOOPBACK) for network in policy.allowed_networks)


def _refuse_local_name(host: str) -> str | None:
    if "." not in host:
        return f"'{host}' is refused: a name without a dot is local; write the full name; {_ALLOW_HOST_OR_NETWORK}"
    suffix = next((suffix for suffix in _LOCAL_SUFFIXES if host.endswith(f".{suffix}")), None)
    if suffix is not None:
        return f"'{host}' is refused: names under .{suffix} are local; {_ALLOW_HOST_OR_NETWORK}"
    return None


_LOOPBACK = IPv4Address("127.0.0.1")


@lru_cache(maxsize=4096)
def _refuse_address(policy: AddressPolicy, ip_text: str, host: str) -> str | None:
    name, port = _split_port(host.lower())
    if _is_allowed_host(policy, name, port):
        return None
    address = parse_address(ip_text.partition("%")[0])
    if address is None:
        return f"'{name}' is refused: its address '{ip_text}' is not an IP address"
    return _refuse(policy, address, name)


def _split_port(host: str) -> tuple[str, str]:
    match = _HOST_AND_PORT.fullmatch(host)
    if match is None:  # an IPv6 address without brackets
        return host, ""
    return match["host"].removesuffix("."), match["port"] or ""


def _refuse(policy: AddressPolicy, address: Address, host: str) -> str | None:
    """The judgement of an address; `host` is what it was called by."""
    address = unmapped(address)
    special = special_purpose(address)
    if special is None or any(contains(network, address) for network in policy.allowed_networks):
        return None
    if policy.allow_loopback and is_loopback(address):
        return None
    shown = "it" if host.strip("[]") == str(address) else f"its address {address}"
    return f"'{host}' is refused: {shown} is {special}; {_ALLOW_HOST_OR_NETWORK}"

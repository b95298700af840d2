"""The sockets that clients connect to."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator

from outrider.domain.errors import Misconfigured

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """The one listener of a port. Raises Misconfigured."""
    with _as_misconfigured(host, port):
        return socket.create_server((host, port), family=_family(host), backlog=BACKLOG)


def reserve(host: str, port: int) -> socket.socket:
    """A socket that has a port, and does not listen: those who `listen_beside` others do. Raises Misconfigured.

    The port is shared only once it is had: so it is refused if somebody listens there, shared or not.
    """
    holder = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        with _as_misconfigured(host, port):
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if holder.family == socket.AF_INET6:
                holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            holder.bind((host, port))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        holder.close()
        raise
    return holder


def listen_beside(holder: socket.socket) -> socket.socket:
    """One of several listeners of a port that is reserved; the kernel deals connections out to them."""
    host, port = holder.getsockname()[:2]
    with _as_misconfigured(host, port):
        return socket.create_server((host, port), family=holder.family, backlog=BACKLOG, reuse_port=True)


def url_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can call there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextlib.contextmanager
def _as_misconfigured(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {failure.strerror}",
            hint="another process may have the port; choose one with --port",
        ) from None

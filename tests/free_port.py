"""Ports for servers that may be down for a while and come back where they were."""

from __future__ import annotations

import random
import socket

PORTS = range(20_000, 32_000)
"""Below those that systems give to clients: nobody takes one while its server is down."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

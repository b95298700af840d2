"""Outbound HTTP: calls a destination once, behind the address guard."""

from outrider.sender.http_sender import HttpSender

__all__ = ["HttpSender"]

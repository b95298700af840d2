"""Where a publish goes."""

from __future__ import annotations

from msgspec import Struct


class Url(Struct, frozen=True, tag=True):
    """A URL, byte for byte as it is to be called and signed."""

    text: str


class GroupName(Struct, frozen=True, tag=True):
    """The name of a URL group: one message for each of its endpoints."""

    name: str


Destination = Url | GroupName

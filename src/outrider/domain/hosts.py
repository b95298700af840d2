"""Which destination hosts a claim is for."""

from __future__ import annotations

from typing import Self

from msgspec import Struct


class Hosts(Struct, frozen=True):
    """All but those that are named, or those alone."""

    names: frozenset[str] = frozenset()
    are_all: bool = False

    @classmethod
    def but(cls, *names: str) -> Self:
        """Every other one."""
        return cls(frozenset(names))

    @classmethod
    def only(cls, *names: str) -> Self:
        """No other one."""
        return cls(frozenset(names), are_all=True)

    @property
    def leave_any_out(self) -> bool:
        """Whether there are hosts that are not among them."""
        return self.are_all or bool(self.names)

    def __contains__(self, name: object) -> bool:
        return (name in self.names) is self.are_all


EVERY_HOST = Hosts()

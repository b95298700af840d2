"""What a driver runs in transactions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from outrider.domain.errors import Refusal
from outrider.store.relational.connection import Connection

A = TypeVar("A")
R = TypeVar("R")

Operation = Callable[[Connection], Coroutine[Any, Any, R]]


class Shared(Struct, Generic[A, R], frozen=True):
    """A kind of operation that is done for many callers at once: `run` takes what each of them
    gave and returns what each of them gets: a result, or a Refusal to be raised.

    Attributes:
        order: kinds that wait side by side run in this order.
    """

    order: int
    run: Callable[[Connection, Sequence[A]], Coroutine[Any, Any, Sequence[R | Refusal]]]

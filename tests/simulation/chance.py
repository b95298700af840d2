"""Chance, from a seed: a stream for each purpose, so that one more draw in one of them changes no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest import mock

from outrider.domain import message


class Chance(Random):
    """A stream of one purpose."""

    def __init__(self, seed: int, purpose: str) -> None:
        super().__init__(f"{seed} {purpose}")

    def happens(self, probability: float) -> bool:
        return self.random() < probability

    def span(self, mean_ms: float) -> int:
        """A span as between independent events, at least 1 ms."""
        return 1 + int(self.expovariate(1 / mean_ms))

    def pick(self, weights: dict[str, float]) -> str:
        return self.choices(list(weights), list(weights.values()))[0]


@contextmanager
def seeded_ids(seed: int) -> Iterator[None]:
    """Within it, the ids of messages are drawn from the seed."""
    chance = Chance(seed, "ids")
    message._randomness._forget()
    with mock.patch.object(os, "urandom", chance.randbytes):
        yield
    message._randomness._forget()

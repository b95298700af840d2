"""Several observers as one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from outrider.domain.event import Event
from outrider.ports import Observer


class Observers:
    """Tells each of its observers. Never raises: one that fails is reported to the others, once."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._reported: set[int] = set()

    def events(self, events: Sequence[Event]) -> None:
        for observer in self._observers:
            try:
                observer.events(events)
            except Exception as fault:  # noqa: BLE001 - observing must not stop a delivery
                self._report(observer, fault)

    def note(self, name: str, **facts: object) -> None:
        for observer in self._observers:
            try:
                observer.note(name, **facts)
            except Exception as fault:  # noqa: BLE001 - observing must not stop a delivery
                self._report(observer, fault)

    def _report(self, failed: Observer, fault: Exception) -> None:
        if id(failed) in self._reported:
            return
        self._reported.add(id(failed))
        for observer in self._observers:
            if observer is not failed:
                with contextlib.suppress(Exception):
                    observer.note("observer_failed", observer=type(failed).__name__, error=repr(fault))

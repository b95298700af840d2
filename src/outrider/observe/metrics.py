"""Events and notes as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from outrider.domain.event import Event, EventKind
from outrider.observe.severity import severity_of_note

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
"""Bounds for the duration of an attempt: a quick answer to the longest timeout."""


class MetricsObserver:
    """Counts; `render` gives the text that Prometheus scrapes. Each has its own registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._in_flight = Gauge("outrider_in_flight", "Messages held for delivery.", registry=self._registry)
        build = Gauge("outrider_build_info", "The running version.", ["version"], registry=self._registry)
        build.labels(version("outrider")).set(1)
        states = Counter(
            "outrider_message_events", "Entries written, by the state they report.", ["state"], registry=self._registry
        )
        self._states = {kind: states.labels(kind.value) for kind in EventKind}
        durations = Histogram(
            "outrider_attempt_duration_seconds",
            "How long attempts took, by how they ended.",
            ["outcome"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._durations = {
            EventKind.DELIVERED: durations.labels("delivered"),
            EventKind.ERROR: durations.labels("failed"),
        }
        self._faults = Counter(
            "outrider_faults",
            "Things that went wrong inside, such as store_failed.",
            ["fault"],
            registry=self._registry,
        )
        self._faults.labels("store_failed")

    def watch_in_flight(self, read: Callable[[], int]) -> None:
        """Ask `read` for the number of messages in flight whenever metrics are rendered."""
        self._in_flight.set_function(read)

    def events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._states[event.kind].inc()
            if event.duration_ms is not None and (duration := self._durations.get(event.kind)) is not None:
                duration.observe(event.duration_ms / 1000)

    def note(self, name: str, **_facts: object) -> None:
        if severity_of_note(name) in {"warning", "error"}:
            self._faults.labels(name).inc()

    def render(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self._registry)

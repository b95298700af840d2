"""Events and notes as Prometheus metrics."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from outrider.domain.event import Event, EventKind
from outrider.observe.severity import severity_of_note
from outrider.observe.tallies import Tallies

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
"""Bounds for the duration of an attempt: a quick answer to the longest timeout."""

_OUTCOMES = {EventKind.DELIVERED: "delivered", EventKind.ERROR: "failed"}
_FAULT = "fault "
_IN_FLIGHT = "in flight"
_PROCESS = "process"
_ENDED_CPU_S = "CPU seconds of ended processes"
_SAME_FOR_ALL = {"process_start_time_seconds", "process_max_fds"}


class MetricsObserver:
    """Counts; `render` gives the text that Prometheus scrapes.

    Args:
        tallies: where it counts, and what it renders; those of other processes included.
        row: this process's row there.
    """

    def __init__(self, tallies: Tallies | None = None, row: int = 0) -> None:
        self._tallies = tallies or Tallies()
        self._row = self._tallies.row(row)
        self._values = self._row.values
        self._values[self._row.cell(_PROCESS)] = os.getpid()
        self._in_flight: Callable[[], int] = _nothing
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(self._tallies))
        cell = self._row.cell
        self._states = {kind: cell(_state(kind)) for kind in EventKind}
        self._durations = {
            kind: ([cell(_bucket(outcome, number)) for number in range(len(BUCKETS_S) + 1)], cell(_sum(outcome)))
            for kind, outcome in _OUTCOMES.items()
        }

    def watch_in_flight(self, read: Callable[[], int]) -> None:
        """Ask `read` for the number of messages in flight whenever metrics are rendered, or `sample` is called."""
        self._in_flight = read

    def sample(self) -> None:
        """Show other processes what is in flight here now."""
        self._values[self._row.cell(_IN_FLIGHT)] = self._in_flight()

    def events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._values[self._states[event.kind]] += 1
            if event.duration_ms is not None and (cells := self._durations.get(event.kind)) is not None:
                buckets, total = cells
                seconds = event.duration_ms / 1000
                self._values[buckets[bisect_left(BUCKETS_S, seconds)]] += 1
                self._values[total] += seconds

    def note(self, name: str, **_facts: object) -> None:
        if severity_of_note(name) in {"warning", "error"}:
            self._values[self._row.cell(_FAULT + name)] += 1

    def ended(self, row: int, cpu_seconds: float) -> None:
        """Another process, whose row that was, has ended: it holds nothing, and what it has counted stays."""
        its = self._tallies.row(row)
        its.values[its.cell(_PROCESS)] = 0
        its.values[its.cell(_IN_FLIGHT)] = 0
        self._values[self._row.cell(_ENDED_CPU_S)] += cpu_seconds

    def render(self) -> bytes:
        """The metrics in Prometheus's text format."""
        self.sample()
        return generate_latest(self._registry)


class _Collector:
    """What is counted, as prometheus-client's families."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies

    def collect(self) -> Iterator[Metric]:
        totals = self._tallies.totals()
        processes = [int(process) for process in self._tallies.values(_PROCESS) if process]
        yield from _of_processes(processes, ended_cpu_seconds=totals.get(_ENDED_CPU_S, 0.0))
        yield GaugeMetricFamily("outrider_in_flight", "Messages held for delivery.", value=totals.get(_IN_FLIGHT, 0.0))
        build = GaugeMetricFamily("outrider_build_info", "The running version.", labels=["version"])
        build.add_metric([version("outrider")], 1)
        yield build
        states = CounterMetricFamily(
            "outrider_message_events", "Entries written, by the state they report.", labels=["state"]
        )
        for kind in EventKind:
            states.add_metric([kind.value], totals.get(_state(kind), 0.0))
        yield states
        yield _durations(totals)
        faults = CounterMetricFamily(
            "outrider_faults", "Things that went wrong inside, such as store_failed.", labels=["fault"]
        )
        for name in sorted({_FAULT + "store_failed", *(name for name in totals if name.startswith(_FAULT))}):
            faults.add_metric([name.removeprefix(_FAULT)], totals.get(name, 0.0))
        yield faults


def _durations(totals: Mapping[str, float]) -> HistogramMetricFamily:
    durations = HistogramMetricFamily(
        "outrider_attempt_duration_seconds", "How long attempts took, by how they ended.", labels=["outcome"]
    )
    bounds = [*(str(float(bound)) for bound in BUCKETS_S), "+Inf"]
    for outcome in _OUTCOMES.values():
        counts = accumulate(totals.get(_bucket(outcome, number), 0.0) for number in range(len(bounds)))
        durations.add_metric([outcome], list(zip(bounds, counts, strict=True)), totals.get(_sum(outcome), 0.0))
    return durations


def _of_processes(processes: Iterable[int], *, ended_cpu_seconds: float) -> Iterator[Metric]:
    """prometheus-client's metrics of a process, for all together: sums, or the least where a sum says nothing."""
    values: dict[str, list[float]] = defaultdict(list)
    families: dict[str, Metric] = {}
    for process in processes:
        for family in ProcessCollector(pid=lambda process=process: process, registry=None).collect():  # type: ignore[misc]
            families[family.name] = family
            values[family.name].append(family.samples[0].value)
    for name, family in families.items():
        total = min(values[name]) if name in _SAME_FOR_ALL else sum(values[name])
        if name == "process_cpu_seconds":
            total += ended_cpu_seconds
        (sample,) = family.samples
        family.samples = [sample._replace(value=total)]
        yield family


def _state(kind: EventKind) -> str:
    return f"state {kind.value}"


def _bucket(outcome: str, number: int) -> str:
    return f"{outcome} within {number}"


def _sum(outcome: str) -> str:
    return f"{outcome} seconds"


def _nothing() -> int:
    return 0

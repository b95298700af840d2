"""Figures: medians over runs, as a table for people and a file of JSON for programs."""

from __future__ import annotations

import datetime as dt
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

import outrider

RESULTS = Path(__file__).parent / "results"
SYNCS = 200


class Figure(msgspec.Struct, frozen=True):
    """One thing that was measured, once in each run."""

    name: str
    unit: str
    runs: tuple[float, ...]
    median: float

    @property
    def range(self) -> str:
        return f"{show_number(min(self.runs))} to {show_number(max(self.runs))}"


class Report:
    """Collects the figures of one benchmark, in the order in which they are first met."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._figures: dict[str, tuple[str, list[float]]] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        """One run's value of a figure."""
        self._figures.setdefault(name, (unit, []))[1].append(value)

    def median(self, name: str) -> float:
        return statistics.median(self._figures[name][1])

    @property
    def figures(self) -> list[Figure]:
        return [
            Figure(name, unit, tuple(runs), statistics.median(runs)) for name, (unit, runs) in self._figures.items()
        ]

    def print(self) -> None:
        rows = [(one.name, show_number(one.median), one.unit, one.range) for one in self.figures]
        print_table(("figure", "median", "unit", "of all runs"), rows, right=(1,))

    def write(self, path: Path | None, machine: dict[str, object]) -> Path:
        """Write the file; its path. None: in the folder of results, by the benchmark's name."""
        path = path or RESULTS / f"{self._name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"benchmark": self._name, "command": sys.argv, **machine, "figures": self.figures}
        path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
        return path


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> None:
    """Print columns, each as wide as its widest cell; those in `right` are flush right."""
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    flush_right = frozenset(right)
    for line in lines:
        cells = (
            cell.rjust(width) if column in flush_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def describe_machine(folder: Path) -> dict[str, object]:
    """When, on what, and how fast a commit to `folder` can be."""
    return {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "outrider": version("outrider"),
        "commit": _commit(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "sync_us_p50": round(1e6 * _sync_time(folder), 1),
    }


def show_number(value: float) -> str:
    """A value with as many digits as a measurement deserves."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}" if value else "0"


def _commit() -> str | None:
    """Of what is measured, which need not be the tree that these benchmarks are in."""
    command = ("git", "-C", str(Path(outrider.__file__).parent), "describe", "--always", "--dirty")
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _sync_time(folder: Path) -> float:
    """Median seconds of appending 4 KiB and syncing it."""
    path = folder / "sync.probe"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    path.unlink()
    return statistics.median(took)

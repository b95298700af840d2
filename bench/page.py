"""Make `docs/performance.md` from the files of results.

    .venv/bin/python -m bench.page [--results bench/results] [--to docs/performance.md]

The page has what the files have: their figures, the targets that the project set itself, the ratios to the peers
that were measured in the same run, the machine and the commit. What was not measured is not on it, or is named.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bench.baselines.peers import OUTRIDER
from bench.report import RESULTS, Figure, show_number
from msgspec import Struct

PAGE = RESULTS.parents[1] / "docs" / "performance.md"

OTHERS = "everything else on this machine"

INTRODUCTION = """\
# Performance

Made by `python -m bench.page` from the figures that the benchmarks wrote; do not edit. `make bench` runs them all
at small sizes and makes this page anew; [bench/README.md](../bench/README.md) says what each one does.

Figures are medians over the runs of a benchmark. They hold for this machine, with what publishes, what receives
and any database on the same cores; ratios within a table carry over to others, roughly. Differences under 20 % are
ties. CPU time a message depends little on what else runs, so prefer it to rates and times where the machine was
not idle: everything else, in the table below, is what neither the benchmark's servers nor its tools used.
"""

MOST_OTHERS = 0.3
"""CPUs that others may use before rates and times are theirs too."""

NOT_IDLE = """
**The machine was not idle.** Rates and times here, and the targets and ratios made of them, are partly those of
what else ran; only CPU time and memory say much.
"""

BESIDE_PEERS = """\
Each peer has an HTTP front that stores a 200-byte message before it answers, and a worker that POSTs it to the
receiver. Only `BullMQ, always`, pg-boss and Outrider promise that what they answered with 2xx survives a crash of
the machine; `everysec` may lose the last second. Outrider also signs each delivery and keeps a log of each step.
"""


class Results(Struct, frozen=True):
    """A file that a benchmark wrote; what it says about the machine and itself is in `about`."""

    figures: dict[str, Figure]
    about: dict[str, Any]

    def find(self, pattern: str) -> Figure | None:
        """The figure whose name is the pattern, as a whole."""
        return next((figure for name, figure in self.figures.items() if re.fullmatch(pattern, name)), None)


class Target(Struct, frozen=True):
    """What a figure is to be: at most `bound`, or with `is_least` at least that.

    Attributes:
        figure: a pattern of its name; with `of`, what counts is how many times that figure it is.
    """

    what: str
    benchmark: str
    figure: str
    bound: float
    unit: str = "times"
    of: str | None = None
    is_least: bool = False

    def measured(self, results: Mapping[str, Results]) -> float | None:
        """The value; None where it was not measured."""
        of_benchmark = results.get(self.benchmark)
        figure = of_benchmark and of_benchmark.find(self.figure)
        if not of_benchmark or not figure:
            return None
        if self.of is None:
            return figure.median
        other = of_benchmark.find(self.of)
        return figure.median / other.median if other and other.median else None

    def row(self, results: Mapping[str, Results]) -> tuple[str, ...]:
        value = self.measured(results)
        bound = f"{'≥' if self.is_least else '≤'} {self.bound:g} {self.unit}"
        if value is None:
            return self.what, "not measured", bound, ""
        is_met = value >= self.bound if self.is_least else value <= self.bound
        return self.what, f"{show_number(value)} {self.unit}", bound, "yes" if is_met else "**no**"


STORED = r"[1-9][\d,]* stored"
BURST = r"[\d,]+ due at once"

TWO = "2 workers: "
OURS = "Outrider, SQLite: end to end"

TARGETS = (
    Target("Publish to delivery, two workers", "end_to_end", f"{TWO}end to end", 10_000, "messages/s", is_least=True),
    Target(
        "The same, to BullMQ's that syncs once a second",
        "baselines",
        OURS,
        1.3,
        of="BullMQ, everysec: end to end",
        is_least=True,
    ),
    Target("The same, to taskiq's", "baselines", OURS, 4, of="taskiq, everysec: end to end", is_least=True),
    Target("The same, to pg-boss's", "baselines", OURS, 4, of="pg-boss: end to end", is_least=True),
    Target(
        "One node on PostgreSQL, to SQLite",
        "baselines",
        "Outrider, PostgreSQL: end to end",
        0.6,
        of=OURS,
        is_least=True,
    ),
    Target(
        "Parking, two workers", "end_to_end", rf"{TWO}parking \(delayed by 1 h\)", 15_000, "messages/s", is_least=True
    ),
    Target(
        "Parking by batches of 100", "backlog", "batches of 100, parked: publish", 40_000, "messages/s", is_least=True
    ),
    Target("Publish to delivery at 50/s, p50", "end_to_end", f"{TWO}at 50/s: publish to delivery, p50", 2, "ms"),
    Target("Publish to delivery at 50/s, p99", "end_to_end", f"{TWO}at 50/s: publish to delivery, p99", 6, "ms"),
    Target("Publish at 3,000/s, p50", "end_to_end", f"{TWO}at 3,000/s: publish, p50", 5, "ms"),
    Target("Publish at 3,000/s, p99", "end_to_end", f"{TWO}at 3,000/s: publish, p99", 15, "ms"),
    Target(
        "Deliveries at once to a host, when very many are due",
        "backlog",
        f"{BURST}: most deliveries at once",
        200,
        "deliveries",
    ),
    Target(
        "Publish p99 while very many are due, to that before",
        "backlog",
        f"{BURST}: publish meanwhile, p99",
        2,
        of=f"{BURST}: publish before, p99",
    ),
    Target("Memory with very many stored", "backlog", f"{STORED}: server's memory", 300, "MiB"),
    Target("Start with very many stored", "backlog", f"{STORED}: start to 200 at /readyz", 5, "s"),
    Target(
        "Publish and deliver beside very many stored, to beside none",
        "backlog",
        f"{STORED}: end to end",
        0.8,
        of="0 stored: end to end",
        is_least=True,
    ),
    Target(
        "The same in CPU time of the server",
        "backlog",
        f"{STORED}: end to end: server",
        1.25,
        of="0 stored: end to end: server",
    ),
    Target(
        "Delivery p99 to a healthy destination beside a slow one, to beside a quick one",
        "neighbours",
        "beside a slow one: publish to delivery, p99",
        1.2,
        of="beside a quick one: publish to delivery, p99",
    ),
    Target(
        "Delivery p99 to 100 healthy hosts beside one that refuses 10,000 messages, to that without",
        "dead_host",
        "beside one that refuses: p99, to that without",
        1.2,
    ),
    Target(
        "The same beside one that hangs",
        "dead_host",
        "beside one that hangs: p99, to that without",
        1.2,
    ),
)

SECTIONS = {
    "end_to_end": (
        "One server on SQLite",
        "200-byte messages, 64 connections if it says nothing else; one process, the default, then two.",
    ),
    "nodes": (
        "Several nodes on one PostgreSQL",
        "Nodes, database, load and receiver share the cores: more nodes than cores cannot be faster here.",
    ),
    "backlog": (
        "Very many messages held",
        "Stored ones are due in a day; a burst in one second, to a destination that takes 20 ms a request.",
    ),
    "crowds": ("Very many queues and flow-control keys", "Messages take them in turn."),
    "neighbours": (
        "A slow destination beside a healthy one",
        "The slow one takes 2 s a request and gets more than it can take; the healthy one is measured.",
    ),
    "dead_host": (
        "A dead host with 10,000 messages among 100 healthy ones",
        "It refuses, or hangs until the attempt's time-out of 3 s; the healthy ones get 200 messages a second in all.",
    ),
    "tls": (
        "Deliveries over TLS",
        "Through nginx with a self-signed certificate, which the server trusts; nginx is part of everything else.",
    ),
    "logs": ("Queries of the log and of figures", "Over HTTP, one after the other."),
    "views": (
        "Pages of lists",
        "Of the store alone: entries, messages by their entries, unfinished messages.",
    ),
    "claims": ("A claim beside parked messages", "Of the store alone."),
    "ceiling": ("What can be measured here", "`load` straight against `receiver`; and what the two cost."),
}
"""Benchmarks whose figures are shown as they are: the heading, and a sentence."""


def read_results(folder: Path) -> dict[str, Results]:
    """All files of a folder, by the benchmark's name."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        whole = msgspec.json.decode(path.read_bytes())
        figures = msgspec.convert(whole.pop("figures"), list[Figure])
        found[whole["benchmark"]] = Results({figure.name: figure for figure in figures}, whole)
    return found


def make_page(results: Mapping[str, Results]) -> str:
    parts = [INTRODUCTION, describe_machine(results), "## Targets\n", table_of_targets(results)]
    if "baselines" in results:
        parts += ["## Beside peers\n", BESIDE_PEERS, *sections_of_peers(results["baselines"])]
    for name, (heading, sentence) in SECTIONS.items():
        if name in results:
            parts += [f"## {heading}\n", f"{sentence} `python -m bench.{name}`\n", table_of_figures(results[name])]
    return "\n".join(parts)


def describe_machine(results: Mapping[str, Results]) -> str:
    """When, on what, and how busy that was with other things."""
    about: dict[str, Any] = {}
    for one in results.values():
        about |= one.about
    times = sorted(one.about["time"][:10] for one in results.values())
    commits = ", ".join(sorted({one.about["commit"] or "not known" for one in results.values()}))
    kernel = re.sub(r"^Linux-([\d.]+).*", r"Linux \1", about["system"])
    versions = {"Python": about["python"], "SQLite": about["sqlite"]}
    if "postgresql" in about:
        versions["PostgreSQL"] = about["postgresql"]["server_version"].partition(" ")[0]
    used = [one.median for result in results.values() for name, one in result.figures.items() if OTHERS in name]
    others = f"from {min(used):.1f} to {max(used):.1f} CPUs, median {sorted(used)[len(used) // 2]:.1f}" if used else ""
    syncs = [one.about["sync_us_p50"] for one in results.values()]
    lines = {
        "when": times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}",
        "commit": commits,
        "machine": f"{about['cpus']} CPUs ({about['processor']}), {kernel}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "append and sync 4 KiB": f"{show_number(min(syncs))} to {show_number(max(syncs))} µs",
        "everything else on the machine used": others or "not known",
    }
    return table(("", ""), lines.items()) + (NOT_IDLE if used and max(used) > MOST_OTHERS else "")


def table_of_targets(results: Mapping[str, Results]) -> str:
    return table(("what", "measured", "target", "met"), (target.row(results) for target in TARGETS))


def sections_of_peers(results: Results) -> Iterable[str]:
    names = list(results.about["peers"])
    yield table(
        (
            "",
            "end to end, messages/s",
            f"times {OUTRIDER}",
            "CPU µs a message",
            f"times {OUTRIDER}",
            "at 50/s: p50 / p99, ms",
            "parking, messages/s",
            "memory then, MiB",
        ),
        (row_of_peer(results, name) for name in names),
    )
    limits = [figure for name, figure in results.figures.items() if name.startswith("limit: ")]
    yield "The machine's own limits, in the same run:\n"
    yield table(
        ("", "median", ""), ((one.name.removeprefix("limit: "), show_number(one.median), one.unit) for one in limits)
    )
    yield "Settings:\n"
    yield "\n".join(f"- {name}: {settings}" for name, settings in results.about["peers"].items()) + "\n"
    versions = ", ".join(f"{name} {version}" for name, version in results.about["versions"].items())
    yield f"Versions: {versions}.\n"
    missing = results.about["missing"]
    yield "\n".join(f"- **not measured: {name}**: {why}" for name, why in missing.items()) + "\n" * bool(missing)


def row_of_peer(results: Results, name: str) -> tuple[str, ...]:
    def median(figure: str) -> str:
        found = results.figures.get(f"{name}: {figure}")
        return show_number(found.median) if found else "none"

    def times(figure: str) -> str:
        own, outriders = results.figures.get(f"{name}: {figure}"), results.figures.get(f"{OUTRIDER}: {figure}")
        return f"{own.median / outriders.median:.2f}" if own and outriders else ""

    memory = results.find(rf"{re.escape(name)}: memory, with .*")
    latency = "at 50/s, publish to delivery"
    return (
        name,
        median("end to end"),
        times("end to end"),
        median("all its processes"),
        times("all its processes"),
        f"{median(f'{latency}, p50')} / {median(f'{latency}, p99')}",
        median("parking (delayed by 1 h)"),
        show_number(memory.median) if memory else "none",
    )


def table_of_figures(results: Results) -> str:
    rows = ((one.name, show_number(one.median), one.unit, one.range) for one in results.figures.values())
    missing = "".join(f"\nNot measured: {what}: {why}\n" for what, why in (results.about.get("missing") or {}).items())
    return (table(("", "median", "", "all runs"), rows) if results.figures else "") + missing


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def write_page(results: Path = RESULTS, page: Path = PAGE) -> Path:
    """Write it; its path. Raises SystemExit where there are no results."""
    found = read_results(results)
    if not found:
        raise SystemExit(f"{results} has no results, and the page is made of them; run make bench")
    page.write_text(make_page(found))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description="make docs/performance.md")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--to", type=Path, default=PAGE)
    said = parser.parse_args()
    print("written to", write_page(said.results, said.to))


if __name__ == "__main__":
    main()

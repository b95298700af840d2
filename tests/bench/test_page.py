from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import pytest
from bench.__main__ import FULL, QUICK
from bench.baselines.peers import OUTRIDER
from bench.page import PAGE, SECTIONS, TARGETS, make_page, read_results, write_page
from bench.report import Report, describe_machine


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results"


def write(folder, name, figures, **about):
    report = Report(name)
    for figure, (value, unit) in figures.items():
        report.add(figure, unit, value)
    report.write(folder / f"{name}.json", describe_machine(folder.parent) | about)


def page_of(folder):
    return make_page(read_results(folder))


def row(page, start):
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_target_is_met_or_not(folder):
    figures = {
        "1,000 due at once: publish before, p99": (10, "ms"),
        "1,000 due at once: publish meanwhile, p99": (25, "ms"),
        "1,000 stored: server's memory": (90, "MiB"),
        "0 stored: end to end": (1000, "messages/s"),
        "1,000 stored: end to end": (900, "messages/s"),
    }
    write(folder, "backlog", figures)
    page = page_of(folder)
    assert row(page, "Publish p99 while very many are due, to that before")[1:] == ["2.5 times", "≤ 2 times", "**no**"]
    assert row(page, "Memory with very many stored")[1:] == ["90 MiB", "≤ 300 MiB", "yes"]
    assert row(page, "Publish and deliver beside very many stored, to beside none")[1:] == [
        "0.9 times",
        "≥ 0.8 times",
        "yes",
    ]
    assert row(page, TARGETS[-1].what)[1:] == ["not measured", "≤ 1.2 times", ""]


def test_peers_are_beside_outrider_and_the_missing_are_named(folder):
    figures = {
        f"{OUTRIDER}: end to end": (5000, "messages/s"),
        f"{OUTRIDER}: all its processes": (200, "µs CPU a message"),
        "pg-boss: end to end": (1000, "messages/s"),
        "pg-boss: all its processes": (600, "µs CPU a message"),
        "pg-boss: memory, with 50 parked": (123, "MiB"),
        "limit: nginx answering 200": (100_000, "requests/s"),
    }
    peers = {OUTRIDER: "defaults", "pg-boss": "durable"}
    missing = {"BullMQ, always": "redis-server is not on this machine"}
    write(folder, "baselines", figures, peers=peers, missing=missing, versions={"pg-boss": "10.4.2"})
    page = page_of(folder)
    assert row(page, "pg-boss")[1:] == ["1,000", "0.20", "600", "3.00", "none / none", "none", "123"]
    assert row(page, "nginx answering 200")[1:] == ["100,000", "requests/s"]
    assert "- pg-boss: durable\n" in page
    assert "- **not measured: BullMQ, always**: redis-server is not on this machine\n" in page
    assert "pg-boss 10.4.2." in page


def test_page_says_on_what_and_beside_what_it_was_measured(folder):
    busy = {"end to end: everything else on this machine": (0.5, "CPUs"), "end to end": (9, "messages/s")}
    write(folder, "end_to_end", busy, postgresql={"server_version": "15.1 (Debian 15.1-1)"})
    page = page_of(folder)
    assert row(page, "everything else on the machine used")[1] == "from 0.5 to 0.5 CPUs, median 0.5"
    assert "**The machine was not idle.**" in page
    assert row(page, "versions")[1].endswith("PostgreSQL 15.1")
    assert row(page, "end to end") == ["end to end", "9", "messages/s", "9 to 9"]


def test_page_of_an_idle_machine_has_no_warning(folder):
    write(folder, "end_to_end", {"end to end: everything else on this machine": (0.1, "CPUs")})
    assert "not idle.**" not in page_of(folder)


def test_no_results_make_no_page(folder, tmp_path):
    with pytest.raises(SystemExit, match="has no results"):
        write_page(folder, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_page_of_the_tree_is_one_that_this_makes():
    assert PAGE.read_text().startswith("# Performance\n\nMade by `python -m bench.page`")


def test_every_benchmark_of_the_page_is_run_in_both_sizes():
    assert list(QUICK) == list(FULL)
    assert set(QUICK) == {*SECTIONS, "baselines"}


@pytest.mark.parametrize("name", QUICK)
def test_benchmark_knows_the_flags_that_it_is_given(name):
    said = subprocess.run([sys.executable, "-m", f"bench.{name}", "--help"], capture_output=True, text=True, check=True)
    flags = {word for word in f"{QUICK[name]} {FULL[name]}".split() if word.startswith("--")}
    assert flags <= set(re.findall(r"--[a-z-]+", said.stdout))


def test_file_of_results_is_read_as_it_was_written(folder):
    write(folder, "tls", {"TLS, through nginx": (7, "messages/s")}, missing={})
    (result,) = read_results(folder).values()
    assert result.figures["TLS, through nginx"].runs == (7.0,)
    assert result.about["cpus"] == msgspec.json.decode((folder / "tls.json").read_bytes())["cpus"]

"""Which tests stand for which methods of the SDKs, and the table of them at the end of a run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.conformance.surface import EXCEPTIONS, JAVASCRIPT, MISSING_OPTIONS, PYTHON
from tests.e2e.javascript import PROGRAMS

OF_SPECIAL_SERVERS = ("development.test.mjs", "development_start.test.mjs", "limits.test.mjs")
"""Programs that need a server of their own."""


def covers(*methods: str, by: str | None = None) -> pytest.MarkDecorator:
    """Marks a test as one of these methods, called by this client; without one, by that of the fixture `clients`."""
    return pytest.mark.covers(*methods, by=by)


def covered_by(program: Path) -> tuple[str, ...]:
    """The methods that a program of `js/` names in its lines `// covers: dlq.retry, dlq.delete`."""
    lines = re.findall(r"^// covers: (.+)$", program.read_text(encoding="utf-8"), re.MULTILINE)
    return tuple(dict.fromkeys(method.strip() for line in lines for method in line.split(",")))


def parameter(program: Path):
    """A program as a parameter of a test, marked with what it covers."""
    return pytest.param(program.name, marks=covers(*covered_by(program), by=JAVASCRIPT))


def programs() -> list:
    """The programs that need no more than an account."""
    return [parameter(path) for path in sorted(PROGRAMS.glob("*.test.mjs")) if path.name not in OF_SPECIAL_SERVERS]


def covered_methods(items: list[pytest.Item]) -> set[str]:
    """As `QStash message.publish`."""
    return {
        f"{mark.kwargs['by'] or item.callspec.params['clients']} {method}"
        for item in items
        for mark in item.iter_markers("covers")
        for method in mark.args
    }


# Hooks, for the conftest of all tests: the process that prints may be another than the one that runs.


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "covers(*methods): the methods of the official SDKs that the test is one of")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [("covers", method) for method in sorted(covered_methods([item]))]


def pytest_terminal_summary(terminalreporter) -> None:
    counts = {
        outcome: Counter(
            method
            for report in terminalreporter.stats.get(outcome, ())
            for name, method in getattr(report, "user_properties", ())
            if name == "covers" and report.when == "call"
        )
        for outcome in ("passed", "failed")
    }
    methods = sorted(counts["passed"] | counts["failed"])
    if not methods:
        return
    terminalreporter.section("methods of the official SDKs")
    for client in (*PYTHON, JAVASCRIPT):
        for method in (one for one in methods if one.startswith(client + " ")):
            passed, failed = counts["passed"][method], counts["failed"][method]
            terminalreporter.write_line(f"{method:<44} {passed:>4} passed" + (f" {failed:>4} FAILED" if failed else ""))
    options = {f"Python option {option}": reason for option, reason in MISSING_OPTIONS.items()}
    for method, reason in (EXCEPTIONS | options).items():
        terminalreporter.write_line(f"{method:<44}    - {reason}")

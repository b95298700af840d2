from __future__ import annotations

import asyncio

import pytest
from bench.claims import measure as measure_claims
from bench.database import Postgres, durable_server
from bench.nodes import Round, measure_idle, nodes_on, print_ratios, title
from bench.report import Report

from outrider.database_url import SqliteFile, parse_database_url


@pytest.fixture(scope="module")
def postgres():
    with durable_server(None, counts_statements=True) as postgres:
        yield postgres


@pytest.fixture
def report():
    return Report("test")


def test_each_of_two_nodes_takes_part_in_a_round(postgres, receiver, report, tmp_path, programs):
    with postgres.database("bench_two") as url, nodes_on(url, 2, tmp_path) as nodes:
        used_before = [node.usage().cpu_s for node in nodes]
        Round("two", nodes, receiver, postgres).run_warm(report, 2000)
        used = [node.usage().cpu_s - before for node, before in zip(nodes, used_before, strict=True)]
        (row,) = Postgres(url).ask("SELECT count(*) AS n FROM nodes")
    assert row["n"] == 2
    assert min(used) > 0
    assert report.median("two: end to end") > 10
    assert 0.1 < report.median("two: messages") < 2000
    assert report.median("two: write-ahead log") > 200
    assert 0 < report.median("two: database's share of CPU") < 100


def test_idle_node_asks_little(postgres, report, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.nodes.SETTLING_S", 0.0)
    measure_idle(postgres, tmp_path, report, 3.0)
    figures = {figure.name: figure.median for figure in report.figures}
    assert 0 <= figures["idle node: transactions"] < 100
    assert 0 < figures.get("idle node: statements", 1) < 200


def test_ratios_are_of_the_first_two_rows(report, capsys):
    for name, speed in (("1 node, SQLite", 200), (title(1), 100), (title(4), 300)):
        report.add(f"{name}: end to end", "messages/s", speed)
    print_ratios(report, [1, 4])
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines() if line.startswith(("1", "4"))]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["1 node, SQLite", "1.00", "2.00"],
        ["1 node, PostgreSQL", "0.50", "1.00"],
        ["4 nodes, PostgreSQL", "1.50", "3.00"],
    ]


def test_claims_are_measured_beside_each_number_of_parked_messages(postgres, report, tmp_path):
    asyncio.run(measure_claims("SQLite", SqliteFile(tmp_path / "store.db"), [20, 10], 2, report))
    with postgres.database("bench_claims") as url:
        asyncio.run(measure_claims("PostgreSQL", parse_database_url(url), [20, 10], 2, report))
    assert [(figure.name, len(figure.runs)) for figure in report.figures] == [
        (f"{store}, {beside}: {what}", 2)
        for store in ("SQLite", "PostgreSQL")
        for beside in ("10 parked", "20 parked", "20 left out")
        for what in ("empty claim", "claim of 250")
    ]

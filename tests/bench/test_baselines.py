from __future__ import annotations

import json
import subprocess

import pytest
from bench.baselines.__main__ import (
    measure_latency,
    measure_parking,
    measure_throughput,
    postgres_if_there,
    print_ratios,
)
from bench.baselines.limits import measure_limits
from bench.baselines.peers import OUTRIDER, all_peers
from bench.baselines.setup import FOLDER, find_missing, versions
from bench.harness import memory_of_family, usage_of_family
from bench.report import Report

ON_REDIS = [
    "Outrider, SQLite",
    "Outrider, SQLite, one process",
    "BullMQ, everysec",
    "BullMQ, always",
    "taskiq, everysec",
]
PEERS = [*ON_REDIS, "pg-boss", "Outrider, PostgreSQL"]


@pytest.fixture(scope="module")
def postgres():
    missing = {}
    with postgres_if_there(None, missing) as postgres:
        if postgres is None:
            pytest.skip(missing["PostgreSQL"])
        yield postgres


@pytest.fixture
def report():
    return Report("test")


@pytest.mark.parametrize("name", PEERS)
def test_peer_delivers_what_it_took_and_keeps_what_is_delayed(name, postgres, receiver, report, tmp_path):
    (peer,) = [one for one in all_peers(postgres) if one.name == name]
    if (why := peer.missing()) is not None:
        pytest.skip(why)
    with peer.run(tmp_path / "peer") as running:
        measure_throughput(running, receiver, report, "it", 200)
        measure_latency(running, receiver, report, "it", 0.2)
        measure_parking(running, receiver, report, "it", 100)
        assert receiver.came().requests == 10
    assert report.median("it: end to end") > 1
    parts = [report.median(f"it: {part}") for part in running.parts]
    assert sum(parts) == pytest.approx(report.median("it: all its processes"))
    assert min(parts) >= 0
    if running.park is not None:
        assert report.median("it: memory, with 100 parked") > 10


def test_peers_are_those_on_redis_where_there_is_no_postgresql(postgres):
    assert [one.name for one in all_peers(postgres)] == PEERS
    assert [one.name for one in all_peers(None)] == ON_REDIS
    assert all(one.settings for one in all_peers(None))


def test_what_is_not_installed_is_named_with_a_remedy():
    why = find_missing(["a-program-that-nobody-has"])
    assert why is not None
    assert why.startswith("a-program-that-nobody-has is not on this machine; run ")
    assert find_missing([]) is None


def test_versions_are_those_of_the_lock_files():
    named = versions()
    assert named["taskiq"][0].isdigit()
    locked = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    for name in ("bullmq", "pg-boss", "undici"):
        assert locked[f"node_modules/{name}"]["version"] == named[name]
    assert not any("resolved" in package for package in locked.values())


def test_limits_of_the_machine_are_measured_or_named(receiver, report, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.baselines.limits.SECONDS", 0.2)
    missing = measure_limits(tmp_path, receiver, report)
    names = {figure.name for figure in report.figures}
    assert "limit: append 4 KiB and fdatasync" in names
    assert ("limit: nginx answering 200" in names) != ("limit: nginx" in missing)
    assert min(figure.median for figure in report.figures) > 0


def test_ratios_are_to_the_first(report, capsys):
    for name, speed, cost in ((OUTRIDER, 100, 50), ("other", 200, 25)):
        report.add(f"{name}: end to end", "messages/s", speed)
        report.add(f"{name}: all its processes", "µs CPU a message", cost)
    print_ratios(report, [OUTRIDER, "other"])
    assert capsys.readouterr().out.split()[-3:] == ["other", "2.00", "0.50"]


def test_memory_that_processes_share_is_counted_once():
    script = "import os, sys; kept = b'x' * 50_000_000; os.fork() and print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert 50_000_000 < memory_of_family(process.pid) < 90_000_000
        assert usage_of_family(process.pid).rss_bytes > memory_of_family(process.pid)
    finally:
        process.communicate()

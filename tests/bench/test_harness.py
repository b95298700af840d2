from __future__ import annotations

import json
import subprocess
import sys

import pytest
from bench.end_to_end import measure_latency, measure_parking, measure_throughput
from bench.harness import BenchmarkError, Server, publish, usage, usage_of_family
from bench.report import Report, describe_machine, print_table

BUSY = """
import subprocess, sys, time
if len(sys.argv) == 1:
    child = subprocess.Popen([sys.executable, __file__, "child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
else:
    while time.process_time() < 0.3:
        pass
print("done", flush=True)
sys.stdin.read()
"""
"""Its child uses 0.3 s of CPU; both end when their input does."""


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "one") as server:
        yield server


@pytest.fixture
def report():
    return Report("test")


def figures_of(report):
    return {figure.name: figure for figure in report.figures}


def test_every_message_of_a_run_is_delivered(server, receiver, report, programs):
    measure_throughput(server, receiver, report, 300)
    measure_throughput(server, receiver, report, 300)
    figure = figures_of(report)["end to end"]
    assert len(figure.runs) == 2
    assert min(figure.runs) > 10
    assert figures_of(report)["end to end: publishing alone took"].median <= 1
    assert receiver.came().latency_us.count == 300


def test_latencies_are_those_of_the_rate(server, receiver, report, programs):
    measure_latency(server, receiver, report, 50, 1)
    figures = figures_of(report)
    assert receiver.came().requests == 50
    assert 0 < figures["at 50/s: publish, p50"].median <= figures["at 50/s: publish, max"].median
    assert figures["at 50/s: publish to delivery, p50"].median > 0


def test_parked_messages_are_not_delivered(server, receiver, report, programs):
    measure_parking(server, receiver, report, 300)
    assert figures_of(report)["parking (delayed by 1 h)"].median > 10
    assert receiver.came().requests == 0
    page = json.loads(server.get("/v2/logs"))
    assert {event["state"] for event in page["events"]} == {"CREATED"}


def test_refused_publish_gives_no_figure(server, receiver, programs):
    with pytest.raises(BenchmarkError, match=r"answered 4\d\d"):
        publish([server], "ftp://127.0.0.1/", count=1)


def test_server_that_cannot_start_is_quoted(tmp_path):
    with (
        pytest.raises(BenchmarkError, match=r"exited with \d+ before(.|\n)*drain"),
        Server(tmp_path, "--drain-timeout", "soon"),
    ):
        pytest.fail("it started")


def test_cpu_time_of_children_counts_for_the_family(tmp_path):
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    process = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert usage_of_family(process.pid).cpu_s >= usage(process.pid).cpu_s + 0.2
        assert usage_of_family(process.pid).rss_bytes > 1.5 * usage(process.pid).rss_bytes > 0
    finally:
        process.communicate()


def test_results_are_written_with_what_they_were_measured_on(tmp_path, report):
    for value in (3, 1, 2):
        report.add("speed", "messages/s", value)
    path = report.write(tmp_path / "results" / "it.json", describe_machine(tmp_path))
    written = json.loads(path.read_bytes())
    assert written["figures"] == [{"name": "speed", "unit": "messages/s", "runs": [3, 1, 2], "median": 2}]
    assert written["sync_us_p50"] > 0
    assert written["cpus"] > 0


def test_table_is_aligned(capsys):
    print_table(("name", "n"), [("a", "1"), ("longer", "1,000")], right=(1,))
    assert capsys.readouterr().out == "name        n\na           1\nlonger  1,000\n"

"""Benchmarks of very many messages, gates, entries and slow destinations, at sizes of a test."""

from __future__ import annotations

import argparse
import json

import pytest
from bench.baselines.setup import find_missing
from bench.harness import BenchmarkError, Receiver, Server
from bench.report import Report
from bench.rounds import publish_batches

from bench import backlog, crowds, dead_host, logs, neighbours, tls


@pytest.fixture
def report():
    return Report("test")


@pytest.fixture
def server(tmp_path, programs):
    with Server(tmp_path / "one") as server:
        yield server


@pytest.fixture
def other(tmp_path, programs):
    (tmp_path / "other").mkdir()
    with Receiver(tmp_path / "other", programs=programs) as other:
        yield other


def test_batches_are_delivered_whole_with_bodies_of_their_size(server, receiver, report):
    backlog.measure_batches(server, receiver, report, 300)
    assert receiver.came().latency_us.count == 300
    assert report.median("batches of 100: publish") > 10
    message = json.loads(server.get("/v2/logs?count=1"))["events"][0]["messageId"]
    publish_batches(server, f"{receiver.url}/later", 100, body_bytes=1000, Upstash_Delay="1h")
    parked = json.loads(server.get("/v2/logs?count=1"))["events"][0]["messageId"]
    assert parked != message
    assert len(json.loads(server.get(f"/v2/messages/{parked}"))["body"]) == 1000


def test_stored_messages_stay_and_are_there_after_a_start(receiver, report, tmp_path):
    said = argparse.Namespace(stored=200, body=1000, messages=90)
    backlog.measure_stored(tmp_path / "one", receiver, report, said)
    assert receiver.came().requests == 90
    assert report.median("200 stored: start to 200 at /readyz") > 0.05
    assert report.median("200 stored: server's memory") > 20
    assert report.median("200 stored: end to end") > 1


def test_burst_is_due_in_one_second(receiver, other, report, tmp_path):
    said = argparse.Namespace(due=300, seconds=1.0)
    backlog.measure_burst(tmp_path / "one", receiver, other, report, said)
    assert receiver.came().requests == 300
    assert report.median("300 due at once") > 10
    assert report.median("300 due at once: most deliveries at once") >= 1
    assert report.median("300 due at once: publish meanwhile, p99") > 0


def test_burst_that_was_not_taken_in_time_gives_no_figure(receiver, other, report, tmp_path, monkeypatch):
    monkeypatch.setattr(backlog, "LEAD_S", -1)
    with pytest.raises(BenchmarkError, match="try fewer: --due"):
        backlog.measure_burst(tmp_path / "one", receiver, other, report, argparse.Namespace(due=300, seconds=1.0))


def test_crowd_takes_every_queue_and_key(server, receiver, report):
    crowds.measure(server, receiver, report, argparse.Namespace(messages=60, queues=20, keys=30))
    assert len(json.loads(server.get("/v2/queues"))) == 20
    assert {figure.name for figure in report.figures} >= {"no gate", "20 queues", "30 flow-control keys"}
    keys = {event.get("flowControlKey") for event in json.loads(server.get("/v2/logs?count=1000"))["events"]}
    assert keys - {None, ""} == {f"key-{number}" for number in range(30)}


def test_slow_neighbour_has_many_at_once(receiver, report, tmp_path, programs):
    (tmp_path / "slow").mkdir()
    said = argparse.Namespace(delay_ms=200, slow_rate=100, rate=20, seconds=1.0)
    with Receiver(tmp_path / "slow", delay_ms=200, programs=programs) as slow:
        neighbours.measure("it", tmp_path / "one", healthy=receiver, beside=slow, report=report, said=said)
    assert receiver.came().requests == 20
    assert report.median("it: most at once to the other") > 5


@pytest.mark.parametrize("kind", [dead_host.ALONE, dead_host.REFUSES, dead_host.HANGS])
def test_healthy_hosts_are_many_beside_a_dead_one(kind, report, tmp_path, programs):
    said = argparse.Namespace(messages=300, hosts=20, rate=100, seconds=0.5)
    with Receiver(tmp_path, at_every_address=True, programs=programs) as healthy:
        assert dead_host.measure(kind, tmp_path / "one", healthy, report, said) > 0
        assert healthy.came().requests == 50
    assert report.median(f"{kind}: publish to delivery, p99") > 0


def test_deliveries_over_tls_are_trusted(report, tmp_path, programs):
    if (why := find_missing(["nginx"])) is not None:
        pytest.skip(why)
    tls.measure(tmp_path, report, 30, 1)
    assert report.median("TLS, through nginx") > 1


def test_every_query_of_the_log_and_of_figures_is_measured(server, receiver, report):
    publish_batches(server, f"{receiver.url}/later", 100, Upstash_Delay="1h", Upstash_Label="label-7")
    logs.measure(server, report, 100, 2)
    figures = {figure.name: figure for figure in report.figures}
    assert len(figures) == 13
    assert all(len(figure.runs) == 2 for figure in figures.values())

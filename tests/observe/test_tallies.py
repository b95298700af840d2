"""Numbers that processes count together."""

import os

import pytest

from outrider.domain.event import Event, EventKind
from outrider.observe import MetricsObserver, Tallies
from outrider.observe.tallies import NAMES


def count(row, name, amount=1):
    row.values[row.cell(name)] += amount


def test_rows_are_summed_by_name():
    tallies = Tallies(2)
    count(tallies.row(0), "a")
    count(tallies.row(1), "b", 2)
    count(tallies.row(1), "a", 3)
    assert tallies.totals() == {"a": 4, "b": 2}
    assert tallies.values("a") == [1, 3]
    assert tallies.values("b") == [0, 2]


def test_names_that_another_process_made_are_seen_and_outlast_it():
    tallies = Tallies(2)
    count(tallies.row(0), "mine")
    child = os.fork()
    if not child:
        count(tallies.row(1), "its")
        count(tallies.row(1), "ünlike", 2)
        os._exit(0)
    os.waitpid(child, 0)
    assert tallies.totals() == {"mine": 1, "its": 1, "ünlike": 2}
    count(tallies.row(1), "its")
    count(tallies.row(1), "successor's")
    assert tallies.totals() == {"mine": 1, "its": 2, "ünlike": 2, "successor's": 1}


def test_there_is_room_for_so_many_names_and_no_more():
    row = Tallies().row(0)
    for number in range(NAMES):
        count(row, f"name {number}")
    with pytest.raises(ValueError, match="no room for 'another'"):
        row.cell("another")
    assert len(row.all()) == NAMES


def test_a_name_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="no room"):
        Tallies().row(0).cell("x" * 65)


def sample(observer, name):
    (line,) = [line for line in observer.render().decode().splitlines() if line.startswith(name + " ")]
    return float(line.rpartition(" ")[2])


def test_each_observer_renders_what_all_have_counted():
    tallies = Tallies(2)
    first, second = MetricsObserver(tallies, row=0), MetricsObserver(tallies, row=1)
    first.watch_in_flight(lambda: 3)
    second.watch_in_flight(lambda: 4)
    for observer in (first, second):
        observer.events([Event(tenant="t", message_id="m", kind=EventKind.DELIVERED, time=0, duration_ms=7)])
        observer.note("store_failed")
        observer.sample()
    for observer in (first, second):
        assert sample(observer, 'outrider_message_events_total{state="DELIVERED"}') == 2
        assert sample(observer, 'outrider_attempt_duration_seconds_count{outcome="delivered"}') == 2
        assert sample(observer, 'outrider_faults_total{fault="store_failed"}') == 2
        assert sample(observer, "outrider_in_flight") == 7


def test_what_a_process_counted_outlasts_it_and_what_it_held_does_not():
    tallies = Tallies(2)
    first, second = MetricsObserver(tallies, row=0), MetricsObserver(tallies, row=1)
    second.watch_in_flight(lambda: 4)
    second.sample()
    second.note("store_failed")
    before = sample(first, "process_cpu_seconds_total")
    first.ended(1, before / 2)
    assert sample(first, "outrider_in_flight") == 0
    assert sample(first, 'outrider_faults_total{fault="store_failed"}') == 1
    assert sample(first, "process_cpu_seconds_total") >= before

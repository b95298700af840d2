"""Counts that add up, the histogram of latencies, and the steps in which figures are told."""

import functools
import itertools
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import NOW, make_leased, make_settlement, refused, succeeded, timed_out

from outrider.domain.activity import (
    RESOLUTIONS,
    STEPS_MS,
    ErrorKind,
    Figures,
    Span,
    add,
    figures_of,
    name_of,
    rows_of,
    series_of,
    span_of,
)
from outrider.domain.attempt import Blocked, Failure, Unreachable
from outrider.domain.event import created
from outrider.domain.health import percentile
from outrider.domain.histogram import LONGEST_MS, Latency, bounds_of, bucket_of, latency_of
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

durations = st.integers(0, LONGEST_MS) | st.integers(0, 2000)
names = st.sampled_from(["accepted", "delivered 7", "timeout 3", "dead_lettered", "delivered 40"])
some_counts = st.dictionaries(names, st.integers(1, 1000))


def counted(*events):
    sums = {}
    for event in events:
        if (name := name_of(event)) is not None:
            add(sums, {name: 1})
    return sums


def settled(outcome, retries=3):
    return make_settlement(make_leased(retries=retries), outcome).events


class TestHistogram:
    @given(durations)
    def test_duration_is_within_its_bucket_which_is_a_sixteenth_wide(self, duration):
        first, last = bounds_of(bucket_of(duration))
        assert first <= duration <= last
        assert last - first <= first / 16

    @given(durations, durations)
    def test_longer_durations_have_no_lower_bucket(self, one, other):
        shorter, longer = sorted((one, other))
        assert bucket_of(shorter) <= bucket_of(longer)

    def test_buckets_follow_each_other_without_a_gap(self):
        bounds = [bounds_of(bucket) for bucket in range(bucket_of(LONGEST_MS) + 1)]
        assert bounds[0] == (0, 0)
        assert [first for first, _ in bounds[1:]] == [last + 1 for _, last in bounds[:-1]]
        assert bounds[-1][1] == LONGEST_MS

    @pytest.mark.parametrize("duration", [-5, LONGEST_MS * 9])
    def test_impossible_durations_count_as_the_nearest_possible(self, duration):
        assert bucket_of(duration) == bucket_of(min(max(duration, 0), LONGEST_MS))

    @given(st.lists(durations, min_size=1, max_size=200))
    def test_percentiles_are_within_a_thirtysecond_of_the_exact_ones(self, all_durations):
        buckets = {}
        for duration in all_durations:
            buckets[bucket_of(duration)] = buckets.get(bucket_of(duration), 0) + 1
        told = latency_of(buckets)
        for percent, value in ((50, told.p50), (95, told.p95), (99, told.p99)):
            exact = percentile(all_durations, percent)
            assert abs(value - exact) <= exact / 32 + 0.5

    def test_nothing_has_no_latency(self):
        assert latency_of({}) is None


class TestCounting:
    def test_message_and_its_attempt_are_counted(self):
        message = make_leased()
        told = figures_of(counted(created(message), *make_settlement(message, succeeded()).events))
        assert told == Figures(accepted=1, delivered=1, latency=Latency(p50=50, p95=50, p99=50))

    def test_failed_attempt_is_counted_and_its_retry_is_not(self):
        told = figures_of(counted(*settled(refused(503))))
        assert (told.failed, told.dead_lettered, told.errors) == (1, 0, {ErrorKind.STATUS_5XX: 1})

    def test_given_up_message_is_one_failed_attempt_and_one_dead_letter(self):
        told = figures_of(counted(*settled(refused(404), retries=0)))
        assert (told.failed, told.dead_lettered, told.errors) == (1, 1, {ErrorKind.STATUS_4XX: 1})
        assert told.latency == Latency(p50=50, p95=50, p99=50)

    @pytest.mark.parametrize(
        ("outcome", "kind"),
        [
            (refused(301), "status_3xx"),
            (refused(999), "other"),
            (timed_out(), "timeout"),
            (Blocked("no"), "blocked"),
            (Unreachable("no", Failure.DNS), "dns"),
            (Unreachable("no", Failure.CONNECT), "connect"),
            (Unreachable("no", Failure.TLS), "tls"),
            (Unreachable("broken off"), "other"),
        ],
    )
    def test_error_is_of_its_kind(self, outcome, kind):
        assert figures_of(counted(*settled(outcome))).errors == {ErrorKind(kind): 1}

    def test_every_failure_has_a_kind(self):
        assert {failure.value for failure in Failure} <= {kind.value for kind in ErrorKind}

    def test_kind_of_a_later_release_is_another_error(self):
        assert figures_of({"quantum 9": 2, "other 9": 1}).errors == {ErrorKind.OTHER: 3}

    @given(st.lists(st.tuples(st.integers(NOW, NOW + DAY_MS), some_counts), max_size=20))
    def test_every_resolution_holds_all_that_was_counted(self, counts):
        by_second, sums = {}, {}
        for time, some in counts:
            add(by_second.setdefault(("ten_1", time - time % SECOND_MS), {}), some)
            add(sums, some)
        rows = rows_of(by_second)
        assert [(row.tenant, row.step_ms, row.time) for row in rows] == sorted(
            {(row.tenant, row.step_ms, row.time) for row in rows}
        )
        for resolution in RESOLUTIONS:
            total = {}
            for row in rows:
                if row.step_ms == resolution.step_ms:
                    assert row.time % row.step_ms == 0
                    add(total, row.counts)
            assert total == sums

    def test_second_in_which_nothing_counted_has_no_row(self):
        assert rows_of({("ten_1", NOW): {}}) == []


class TestSpan:
    def test_an_hour_in_120_points_has_steps_of_30_seconds(self):
        assert span_of(NOW - HOUR_MS, NOW, 120, NOW) == Span(NOW - HOUR_MS, NOW, 30 * SECOND_MS, 10 * SECOND_MS)

    def test_minutes_ago_are_told_by_the_second(self):
        assert span_of(NOW - MINUTE_MS, NOW, 60, NOW).step_ms == SECOND_MS

    def test_what_is_long_ago_is_told_as_finely_as_it_is_kept(self):
        begin = NOW - 5 * DAY_MS
        assert span_of(begin, begin + HOUR_MS, 1000, NOW).step_ms == 10 * MINUTE_MS

    def test_steps_are_as_coarse_as_it_takes(self):
        span = span_of(0, NOW, 10, NOW)
        assert span.step_ms % DAY_MS == 0
        assert (span.end - span.begin) // span.step_ms <= 10

    def test_each_resolution_divides_the_next_and_each_step_has_one(self):
        steps = [resolution.step_ms for resolution in RESOLUTIONS]
        assert all(coarse % fine == 0 for fine, coarse in itertools.pairwise(steps))
        assert set(steps) <= set(STEPS_MS)
        assert [each.kept_ms for each in RESOLUTIONS] == sorted(each.kept_ms for each in RESOLUTIONS)

    @given(st.integers(0, 40 * DAY_MS), st.integers(1, 40 * DAY_MS), st.integers(1, 1000))
    def test_span_ends_with_what_was_asked_and_has_no_more_points(self, ago, length, points):
        begin = NOW - ago
        end = begin + length
        span = span_of(begin, end, points, NOW)
        assert span.end - span.step_ms < end <= span.end
        assert abs(span.begin - begin) < span.step_ms
        assert 1 <= (span.end - span.begin) // span.step_ms <= points
        assert span.begin % span.step_ms == span.end % span.step_ms == 0
        assert span.step_ms % span.read_ms == 0
        kept = {resolution.step_ms: resolution.kept_ms for resolution in RESOLUTIONS}
        assert begin >= NOW - kept[span.read_ms] or span.read_ms == RESOLUTIONS[-1].step_ms


class TestSeries:
    SPAN = Span(NOW, NOW + 3000, SECOND_MS, SECOND_MS)

    def test_points_without_counts_are_there(self):
        series = series_of(self.SPAN, [(NOW + 1000, {"accepted": 2})])
        assert [(point.time - NOW, point.figures.accepted) for point in series.points] == [(0, 0), (1000, 2), (2000, 0)]

    @given(st.lists(st.lists(durations, max_size=30), min_size=3, max_size=3))
    def test_totals_are_those_of_all_points_together(self, by_step):
        counts = []
        for step, some in enumerate(by_step):
            sums = {}
            for duration in some:
                add(sums, {f"delivered {bucket_of(duration)}": 1})
            counts.append((NOW + step * 1000, sums))
        buckets = {}
        for duration in functools.reduce(operator.iadd, by_step, []):
            buckets[bucket_of(duration)] = buckets.get(bucket_of(duration), 0) + 1
        assert series_of(self.SPAN, counts).totals.latency == latency_of(buckets)

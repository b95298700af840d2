"""What attempts say about an endpoint."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.domain.health import (
    DEAD_AFTER,
    EndedAttempt,
    EndpointAttempts,
    Flag,
    assess,
    canonical,
    check_window,
    duplicates,
    percentile,
)
from outrider.domain.instant import DAY_MS, HOUR_MS
from outrider.domain.url_group import Endpoint

SINCE = 1_000
URL = "https://a.example/x"
_URLS = r"[hH]ttps?://([a-z%@]{1,5}@)?[a-zA-Z0-9]{1,5}(\.[a-z]{1,3})?\.?(:(80|443|81)?)?(/[a-zA-F0-9%/]{0,8})*(\?[a-z/=%]*)?"


def attempts(*told, error=None):
    """Attempts, latest first, each (ended_at, succeeded) or with a duration."""
    ended = [EndedAttempt(at, rest[1] if len(rest) > 1 else 10, rest[0]) for at, *rest in told]
    return EndpointAttempts(tuple(ended), error)


def health_of(*told, error=None):
    (health,) = assess([Endpoint(URL)], [attempts(*told, error=error)], SINCE)
    return health


def failures(n, *, last_at=SINCE + 100):
    return [(last_at - i, False) for i in range(n)]


class TestFigures:
    def test_only_the_window_counts(self):
        health = health_of((SINCE + 1, True), (SINCE, True), (SINCE - 1, False), error="broken")
        assert (health.attempts, health.successes, health.success_rate) == (2, 2, 1.0)
        assert (health.last_error, health.last_error_at) == (None, None)

    def test_last_success_and_last_error_are_the_latest(self):
        health = health_of((1_400, False), (1_300, True), (1_200, False), (1_100, True), error="latest")
        assert health.success_rate == 0.5
        assert health.last_success_at == 1_300
        assert (health.last_error, health.last_error_at) == ("latest", 1_400)

    def test_latency_is_of_successes_alone(self):
        health = health_of((1_300, False, 30_000), (1_200, True, 40), (1_100, True, 20))
        assert (health.p50_ms, health.p95_ms) == (20, 40)

    def test_endpoint_that_was_never_called_has_no_figures_and_no_flags(self):
        health = health_of()
        assert (health.attempts, health.success_rate, health.p50_ms, health.p95_ms) == (0, None, None, None)
        assert health.flags == ()

    def test_each_endpoint_has_its_own(self):
        endpoints = [Endpoint("https://a.example"), Endpoint("https://b.example", "b")]
        first, second = assess(endpoints, [attempts((1_100, True)), attempts(*failures(DEAD_AFTER))], SINCE)
        assert (first.endpoint, first.flags) == (endpoints[0], ())
        assert (second.endpoint, second.flags) == (endpoints[1], (Flag.DEAD, Flag.NEVER_SUCCEEDING))


class TestFlags:
    def test_a_few_failures_are_not_yet_death(self):
        assert health_of(*failures(DEAD_AFTER - 1)).flags == ()

    def test_no_success_at_all_is_death_and_never_succeeding(self):
        assert health_of(*failures(DEAD_AFTER)).flags == (Flag.DEAD, Flag.NEVER_SUCCEEDING)

    def test_success_before_the_window_is_death_alone(self):
        assert health_of(*failures(DEAD_AFTER), (SINCE - 1, True)).flags == (Flag.DEAD,)

    def test_failures_before_the_window_are_never_succeeding_alone(self):
        assert health_of(*failures(DEAD_AFTER, last_at=SINCE - 1)).flags == (Flag.NEVER_SUCCEEDING,)

    def test_one_success_among_many_failures_is_life(self):
        assert health_of(*failures(50), (SINCE, True)).flags == ()

    def test_duplicates_name_one_another(self):
        urls = ["https://a.example/x", "https://A.example:443/x/", "https://b.example"]
        health = assess([Endpoint(url) for url in urls], [attempts()] * 3, SINCE)
        assert [one.flags for one in health] == [(Flag.DUPLICATE,), (Flag.DUPLICATE,), ()]
        assert [one.duplicate_of for one in health] == [(urls[1],), (urls[0],), ()]


class TestCanonical:
    @pytest.mark.parametrize(
        ("url", "same"),
        [
            ("https://a.example", "https://a.example/"),
            ("https://a.example/x", "https://a.example/x/"),
            ("https://a.example/x?q=1", "https://A.EXAMPLE/x?q=1"),
            ("HTTPS://a.example/x", "https://a.example:443/x"),
            ("http://a.example:80", "http://a.example."),
            ("https://a.example/%c3%A4", "https://a.example/%C3%a4"),
            ("https://[::1]:443/x", "https://[::1]/x"),
            ("https://a.example:/x", "https://a.example/x"),
        ],
    )
    def test_spellings_of_one_place_are_the_same(self, url, same):
        assert canonical(url) == canonical(same)
        assert duplicates([url, same]) == {url: (same,), same: (url,)}

    @pytest.mark.parametrize(
        ("url", "other"),
        [
            ("https://a.example/x", "https://a.example/X"),
            ("https://a.example/x", "http://a.example/x"),
            ("https://a.example:443", "https://a.example:80"),
            ("https://a.example/x?a=1", "https://a.example/x?a=2"),
            ("https://a.example/x?a=/", "https://a.example/x?a="),
            ("https://u:P@a.example", "https://u:p@a.example"),
            ("https://u@a.example", "https://a.example"),
        ],
    )
    def test_other_places_are_not(self, url, other):
        assert canonical(url) != canonical(other)
        assert duplicates([url, other]) == {}

    @settings(max_examples=100)
    @given(st.from_regex(_URLS, fullmatch=True))
    def test_canonical_is_its_own_canonical(self, url):
        assert canonical(canonical(url)) == canonical(url)


class TestPercentile:
    @pytest.mark.parametrize(
        ("values", "percent", "expected"),
        [
            ([7], 50, 7),
            ([7], 95, 7),
            ([4, 1, 3, 2], 50, 2),
            (list(range(1, 101)), 95, 95),
            (list(range(1, 21)), 95, 19),
            ([1, 2], 95, 2),
        ],
    )
    def test_nearest_rank(self, values, percent, expected):
        assert percentile(values, percent) == expected

    @settings(max_examples=100)
    @given(st.lists(st.integers(0, 10_000), min_size=1), st.integers(1, 100))
    def test_it_is_the_least_value_that_so_many_do_not_exceed(self, values, percent):
        found = percentile(values, percent)

        def share(limit):
            return sum(value <= limit for value in values) * 100

        assert share(found) >= percent * len(values)
        assert all(share(value) < percent * len(values) for value in values if value < found)


class TestWindow:
    def test_it_is_a_day_or_as_long_as_the_log_goes(self):
        assert check_window(None, 3 * DAY_MS) == DAY_MS
        assert check_window(None, HOUR_MS) == HOUR_MS

    def test_it_may_be_as_long_as_the_log_goes_and_no_longer(self):
        assert check_window(3 * DAY_MS, 3 * DAY_MS) == 3 * DAY_MS
        for window_ms in (0, 3 * DAY_MS + 1):
            with pytest.raises(ValueError, match="3d, for which the log is kept"):
                check_window(window_ms, 3 * DAY_MS)

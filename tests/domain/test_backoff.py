from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.attempt import Response
from outrider.domain.backoff import HEADERS, default_delay_ms, earliest_attempts, next_delay_ms, parse_retry_after
from outrider.domain.instant import DAY_MS, MINUTE_MS, SECOND_MS

NOW = 1_767_225_600_000
USUAL = 12_182


def delay(headers=(), *, retried=0, expression=None, now=NOW):
    return next_delay_ms(retried=retried, expression=expression, response=Response(503, tuple(headers)), now=now)


@pytest.mark.parametrize(
    ("n", "seconds"),
    [(1, 12), (2, 148), (3, 30 * 60 + 8), (4, 6 * 3600 + 7 * 60 + 6), (5, 86_400), (6, 86_400), (10**9, 86_400)],
)
def test_usual_backoff_is_the_documented_curve(n, seconds):
    assert default_delay_ms(n) // SECOND_MS == seconds


def test_first_retry_waits_twelve_seconds():
    assert next_delay_ms(retried=0, expression=None, response=None, now=NOW) == USUAL
    assert next_delay_ms(retried=1, expression=None, response=None, now=NOW) == default_delay_ms(2)


def test_expression_replaces_the_usual_backoff():
    assert next_delay_ms(retried=2, expression="1000 * (1 + retried)", response=None, now=NOW) == 3000


def test_expression_that_is_no_longer_understood_falls_back():
    assert next_delay_ms(retried=0, expression="what(", response=None, now=NOW) == USUAL


@pytest.mark.parametrize("name", [*HEADERS, "retry-after", "x-ratelimit-reset-tokens"])
def test_header_beats_the_expression(name):
    assert delay([(name, "7")], expression="1000") == 7000


def test_headers_are_asked_in_order():
    in_reverse = [(name, str(i)) for i, name in enumerate(HEADERS, 1)][::-1]
    for i in range(1, 5):
        assert delay(in_reverse) == i * SECOND_MS
        in_reverse.pop()


def test_unreadable_header_leaves_the_word_to_the_next():
    assert delay([("Retry-After", "soon"), ("X-RateLimit-Reset", "9")]) == 9000


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("0", 0),
        ("120", 120_000),
        (" 5 ", 5000),
        ("1.5", 1500),
        ("86400", DAY_MS),
        ("6m5s", 6 * MINUTE_MS + 5000),
        ("1h", 60 * MINUTE_MS),
        ("20ms", 20),
        ("1.5s", 1500),
        (".5s", 500),
        ("1s500ms", 1500),
        ("1500us", 2),
        ("3000\u00b5s", 3),
        ("3000\u03bcs", 3),
        ("3000\u00c2\u00b5s", 3),
        ("5000000ns", 5),
        ("1ns", 1),
        (formatdate(NOW / 1000 + 90, usegmt=True), 90_000),
        ("Thursday, 01-Jan-26 00:01:00 GMT", 60_000),
        ("Thu Jan  1 00:01:00 2026", 60_000),
        ("Thu, 01 Jan 2026 01:01:00 +0100", 60_000),
        (str(NOW // 1000 + 60), 60_000),
        (str(NOW + 60_000), 60_000),
    ],
)
def test_destination_says_when_to_come_back(value, ms):
    assert delay([("Retry-After", value)]) == ms


@pytest.mark.parametrize(
    "value",
    [
        "86401",
        "24h1s",
        "999999999999999999999",
        str(NOW // 1000 + 86_401),
        str(NOW // 1000 - 1),
        formatdate(NOW / 1000 + 86_401, usegmt=True),
        formatdate(NOW / 1000 - 60, usegmt=True),
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "",
        "-5",
        "soon",
        "5x",
        "NaN",
        "Infinity",
        "1e9",
        "٣",
        "Mon, 99 Foo 9999 99:99:99 GMT",
        "Mon, 01 Jan 0000 00:00:00 GMT",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "1" * 10_000,
        "1s" * 10_000,
    ],
)
@pytest.mark.parametrize(("expression", "usual"), [(None, USUAL), ("777", 777)])
def test_what_asks_for_over_a_day_or_says_nothing_leaves_the_usual_backoff(value, expression, usual):
    assert delay([("Retry-After", value)], expression=expression) == usual


def test_header_over_a_day_is_not_replaced_by_a_later_one():
    assert delay([("Retry-After", "90000"), ("X-RateLimit-Reset", "5")]) == USUAL


_values = st.text(max_size=70) | st.integers().map(str) | st.from_regex(r"[0-9.]{1,20}(ns|us|ms|s|m|h)[0-9smh. ]{0,9}")


@given(
    st.lists(st.tuples(st.sampled_from(HEADERS), _values), max_size=4),
    st.integers(0, 10_000),
    st.none() | st.text(max_size=20),
    st.integers(0, 2**50),
)
def test_no_header_and_no_expression_leaves_the_bounds(headers, retried, expression, now):
    assert 0 <= delay(headers, retried=retried, expression=expression, now=now) <= DAY_MS


@given(st.integers(0, 10**8), st.integers(0, 2**41))
def test_date_says_the_same_as_seconds(seconds, now_s):
    now = now_s * SECOND_MS
    if now_s + seconds < 2_000_000_000:
        assert parse_retry_after(formatdate(now_s + seconds, usegmt=True), now) == seconds * SECOND_MS


def test_attempts_are_as_early_as_the_backoff_lets_them():
    usual = earliest_attempts(NOW, retries=2, expression=None)
    assert usual == [NOW, NOW + default_delay_ms(1), NOW + default_delay_ms(1) + default_delay_ms(2)]
    assert earliest_attempts(NOW, retries=2, expression="1000 * (retried + 1)") == [NOW, NOW + 1000, NOW + 3000]
    assert earliest_attempts(NOW, retries=0, expression=None) == [NOW]

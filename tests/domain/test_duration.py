import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.duration import LONGEST_MS, format_duration, parse_duration
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10s", 10 * SECOND_MS),
        ("5m", 5 * MINUTE_MS),
        ("2h", 2 * HOUR_MS),
        ("7d", 7 * DAY_MS),
        ("1d10h30m", DAY_MS + 10 * HOUR_MS + 30 * MINUTE_MS),
        ("1h 30m", 90 * MINUTE_MS),
        ("30m1h", 90 * MINUTE_MS),
        ("90", 90 * SECOND_MS),
        ("0", 0),
        ("0s", 0),
        ("1.5s", 1500),
        ("0.25", 250),
        ("1.5h", 90 * MINUTE_MS),
        (" 10s ", 10 * SECOND_MS),
        ("36500d", LONGEST_MS),
    ],
)
def test_duration_is_read_as_written(text, ms):
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5x",
        "-5s",
        "+5s",
        "s",
        "1h5",
        "5 s",
        "1.s",
        ".5s",
        "1e3s",
        "10S",
        "1_0s",
        "٣s",
        "10s\n5s",
        "1ms",
        "9" * 13,
    ],
)
def test_what_is_no_duration_is_refused_with_the_remedy(text):
    with pytest.raises(ValueError, match="write 10s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36500d1s", "999999999999d", "999999999999"])
def test_absurd_duration_is_refused(text):
    with pytest.raises(ValueError, match="100 years"):
        parse_duration(text)


def test_long_text_is_refused_quickly():
    with pytest.raises(ValueError, match="write 10s"):
        parse_duration("1s" * 100_000 + "x")


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0s"), (250, "0.25s"), (90_000, "1m 30s"), (DAY_MS + 30 * MINUTE_MS, "1d 30m"), (-1500, "-1.5s")],
)
def test_duration_is_shown_for_people(ms, text):
    assert format_duration(ms) == text


@given(st.integers(0, LONGEST_MS))
def test_what_is_shown_can_be_read_back(ms):
    assert parse_duration(format_duration(ms)) == ms


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("dhms")), min_size=1, max_size=6))
def test_parts_add_up(parts):
    units = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS}
    assert parse_duration("".join(f"{n}{unit}" for n, unit in parts)) == sum(n * units[unit] for n, unit in parts)


@given(st.text(max_size=40))
def test_anything_is_a_bounded_duration_or_refused(text):
    with contextlib.suppress(ValueError):
        assert 0 <= parse_duration(text) <= LONGEST_MS

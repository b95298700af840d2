from __future__ import annotations

import pytest

from outrider.domain.errors import Malformed
from outrider.domain.flow_control import KeyState
from outrider.wire.flow_control import Pin, Unpin, parse_pin, parse_search, parse_unpin, present_key

NOW = 1_800_000_000_500


def test_a_key_is_shown_with_every_field_whatever_is_known_of_it():
    assert present_key("k/1", KeyState(), NOW) == {
        "flowControlKey": "k/1",
        "waitListSize": 0,
        "parallelismMax": 0,
        "parallelismCount": 0,
        "rateMax": 0,
        "rateCount": 0,
        "ratePeriod": 1,
        "ratePeriodStart": 0,
        "isPaused": False,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }


def test_limits_and_what_is_used_of_them_are_shown_in_seconds():
    state = KeyState(
        parallelism=3,
        rate=5,
        period_ms=60_000,
        paused=True,
        pinned_parallelism=True,
        pinned_rate=True,
        in_flight=2,
        window_started_at=NOW - 1000,
        window_count=4,
        waiting=7,
    )
    assert present_key("k", state, NOW) == {
        "flowControlKey": "k",
        "waitListSize": 7,
        "parallelismMax": 3,
        "parallelismCount": 2,
        "rateMax": 5,
        "rateCount": 4,
        "ratePeriod": 60,
        "ratePeriodStart": 1_799_999_999,
        "isPaused": True,
        "isPinnedParallelism": True,
        "isPinnedRate": True,
    }
    assert present_key("k", state, NOW + 60_000)["rateCount"] == 0


def test_a_pin_takes_numbers_and_a_period_in_seconds():
    assert parse_pin([("parallelism", "3"), ("rate", "5"), ("period", "90")]) == Pin(3, 5, 90_000)
    assert parse_pin([("rate", "5")]) == Pin(None, 5, None)
    assert parse_pin([("period", "1m"), ("qstash_token", "t")]) == Pin(None, None, 60_000)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ([], "pins nothing"),
        ([("qstash_token", "t")], "pins nothing"),
        ([("parallelism", "0")], "parallelism '0' is no whole number from 1"),
        ([("parallelism", "-1")], "'-1'"),
        ([("rate", "1.5")], "rate '1.5'"),
        ([("rate", "")], "rate '' is empty"),
        ([("rate", "9" * 4000)], "rate"),
        ([("period", "0")], "period '0' is not between"),
        ([("period", "8d")], "period '8d' is not between"),
        ([("period", "x")], "period 'x' is not a duration"),
        ([("paralelism", "1")], "'paralelism' is not known"),
        ([("rate", "1"), ("rate", "2")], "given twice"),
    ],
)
def test_a_pin_that_breaks_a_rule_is_refused(parameters, named):
    with pytest.raises(Malformed, match=named):
        parse_pin(parameters)


def test_only_what_is_named_is_unpinned():
    assert parse_unpin([("parallelism", "true")]) == Unpin(parallelism=True, rate=False)
    assert parse_unpin([("parallelism", "false"), ("rate", "true")]) == Unpin(parallelism=False, rate=True)


@pytest.mark.parametrize("parameters", [[], [("rate", "maybe")], [("period", "true")]])
def test_an_unpin_that_names_nothing_known_is_refused(parameters):
    with pytest.raises(Malformed):
        parse_unpin(parameters)


def test_an_empty_search_is_none():
    assert parse_search([]) == parse_search([("search", "")]) == ""
    assert parse_search([("search", "a,b/c")]) == "a,b/c"
    with pytest.raises(Malformed, match="'serch' is not known"):
        parse_search([("serch", "a")])

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.errors import LimitReached
from outrider.http.burst import BurstLimit

NOON = 1_700_000_000_000


def test_calls_up_to_the_limit_pass_and_the_next_is_refused_until_the_second_ends():
    limit = BurstLimit(3)
    for _ in range(3):
        limit.count("ten_a", NOON + 250)
    with pytest.raises(LimitReached) as caught:
        limit.count("ten_a", NOON + 999)
    assert caught.value.window == "burst"
    assert (caught.value.quota.limit, caught.value.quota.remaining) == (3, 0)
    assert caught.value.quota.resets_at_s == NOON // 1000 + 1
    limit.count("ten_a", NOON + 1000)


def test_tenants_are_counted_apart():
    limit = BurstLimit(1)
    limit.count("ten_a", NOON)
    limit.count("ten_b", NOON)
    with pytest.raises(LimitReached):
        limit.count("ten_a", NOON)


def test_a_clock_that_steps_back_locks_nobody_out():
    limit = BurstLimit(1)
    limit.count("ten_a", NOON)
    limit.count("ten_a", NOON - 3_600_000)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5000)), max_size=60), st.integers(1, 5))
def test_no_tenant_passes_more_often_in_a_second_than_the_limit(calls, per_second):
    limit = BurstLimit(per_second)
    passed: dict[tuple[str, int], int] = {}
    for tenant, at in sorted(calls, key=lambda call: call[1]):
        window = (tenant, at // 1000)
        try:
            limit.count(tenant, at)
        except LimitReached:
            assert passed[window] == per_second
        else:
            passed[window] = passed.get(window, 0) + 1
            assert passed[window] <= per_second

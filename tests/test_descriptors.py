from __future__ import annotations

import resource

import pytest

from outrider.descriptors import MOST_KEPT, OURS, raise_limit, share_out

WANTED = {"clients": 4000, "in_flight": 1000, "database": 10}


@pytest.mark.parametrize("limit", [None, 4000 + 1000 + 10 + MOST_KEPT + OURS, 1_048_576])
def test_where_there_are_enough_everyone_gets_what_is_wanted(limit):
    shares = share_out(limit, **WANTED)
    assert (shares.clients, shares.in_flight, shares.kept) == (4000, 1000, MOST_KEPT)


@pytest.mark.parametrize("limit", [128, 256, 1024, 4096, 5000])
def test_where_there_are_too_few_both_sides_get_some_and_the_sum_is_kept(limit):
    shares = share_out(limit, **WANTED)
    assert shares.clients + shares.in_flight + shares.kept + 10 + OURS <= limit
    assert shares.clients >= (limit - 10 - OURS) // 2
    assert shares.in_flight >= min(1000, (limit - 10 - OURS) * 3 // 8)


def test_few_deliveries_leave_the_rest_to_clients():
    shares = share_out(1024, clients=4000, in_flight=10, database=10)
    assert (shares.clients, shares.in_flight) == (1024 - 10 - OURS - 118 - 10, 10)


def test_even_with_next_to_none_there_is_one_of_each():
    shares = share_out(16, **WANTED)
    assert min(shares.clients, shares.in_flight) >= 1


def test_the_limit_is_raised_as_far_as_it_goes():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
        assert raise_limit() == hard
        assert raise_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

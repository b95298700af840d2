"""Who may hold how much of the window."""

import pytest

from outrider.domain.attempt import Attempt, Blocked, Response, TimedOut, Unreachable, judge
from outrider.domain.shares import SLOW_MS, Shares, shows_trouble

SHARES = Shares(window=1000, most=200)


def fill(hosts: int, *, troubled: bool) -> list[int]:
    """What each of so many hosts holds that take, in turn, all they may."""
    held = [0] * hosts
    while True:
        before = list(held)
        for host in range(hosts):
            total = sum(held)
            share = SHARES.of_troubled_host(total, total) if troubled else SHARES.of_host(total)
            held[host] += held[host] < share
        if held == before:
            return held


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_few_hosts_have_all_that_a_host_may_have(hosts):
    assert fill(hosts, troubled=False) == [200] * hosts


@pytest.mark.parametrize("hosts", [5, 30, 100])
def test_many_hosts_have_as_much_each_and_leave_the_last_quarter(hosts):
    held = fill(hosts, troubled=False)
    assert max(held) - min(held) <= 1
    assert sum(held) <= 750
    assert min(held) >= SHARES.few


@pytest.mark.parametrize("hosts", [1, 5, 30, 100, 2000])
def test_hosts_in_trouble_leave_a_quarter_whatever_their_number(hosts):
    held = fill(hosts, troubled=True)
    assert 1000 - sum(held) >= 250
    assert max(held) - min(held) <= 1


def test_last_quarter_is_for_hosts_that_hold_few():
    assert SHARES.of_host(held=749) == 200
    assert SHARES.of_host(held=750) == SHARES.of_host(held=996) == 4
    assert SHARES.of_host(held=998) == 2
    assert SHARES.of_troubled_host(held=750, held_by_troubled=750) == 0


def test_smallest_window_has_a_place_for_anyone():
    assert Shares(1, 1).of_host(0) == Shares(1, 1).of_troubled_host(0, 0) == 1


@pytest.mark.parametrize(
    ("outcome", "took_ms", "troubled"),
    [
        (TimedOut(30_000, "late"), 30_000, True),
        (Unreachable("refused"), 1, True),
        (Blocked("private"), 1, False),
        (judge(Response(200)), SLOW_MS, False),
        (judge(Response(200)), SLOW_MS + 1, True),
        (judge(Response(500)), 10, False),
    ],
)
def test_no_answer_and_a_late_one_show_trouble(outcome, took_ms, troubled):
    assert shows_trouble(Attempt("msg_1", 0, 1000, 1000 + took_ms, outcome)) is troubled

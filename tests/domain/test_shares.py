"""Who may hold how much of the window."""

import pytest

from outrider.domain.attempt import Attempt, Blocked, Response, TimedOut, Unreachable, judge
from outrider.domain.shares import REST_EACH_MS, SLOW_MS, Holding, Repute, Shares, is_answered, repute_after, rest_ms

SHARES = Shares(window=1000, most=200)


def fill(hosts: int, repute: Repute, *, in_trouble: int = 0) -> list[int]:
    """What each of so many hosts holds that take, in turn, all they may, beside others that hold so many."""
    held = [0] * hosts
    while True:
        before = list(held)
        for host in range(hosts):
            total = sum(held)
            held[host] += held[host] < SHARES.of_host(repute, holding(total, repute, in_trouble=in_trouble))
        if held == before:
            return held


def holding(held: int, repute: Repute, *, in_trouble: int = 0) -> Holding:
    """So many of that repute, beside others that hold so many."""
    return Holding(
        in_all=held + in_trouble,
        in_trouble=in_trouble + held * (repute is Repute.IN_TROUBLE),
        unknown=held * (repute is Repute.UNKNOWN),
    )


@pytest.mark.parametrize("repute", [Repute.ANSWERS, Repute.UNKNOWN])
@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_few_hosts_have_all_that_a_host_may_have(hosts, repute):
    assert fill(hosts, repute) == [200] * hosts


@pytest.mark.parametrize("repute", [Repute.ANSWERS, Repute.UNKNOWN])
@pytest.mark.parametrize("hosts", [5, 30, 100])
def test_many_hosts_have_as_much_each_and_leave_the_last_quarter(hosts, repute):
    held = fill(hosts, repute)
    assert max(held) - min(held) <= 1
    assert sum(held) <= 750
    assert min(held) >= SHARES.few


@pytest.mark.parametrize("hosts", [1, 5, 30, 100, 2000])
def test_hosts_in_trouble_leave_a_quarter_whatever_their_number(hosts):
    held = fill(hosts, Repute.IN_TROUBLE)
    assert 1000 - sum(held) >= 250
    assert max(held) - min(held) <= 1


@pytest.mark.parametrize("in_trouble", [0, 300, 750])
def test_unknown_hosts_leave_an_eighth_to_those_that_answer_whatever_their_number(in_trouble):
    held = fill(2000, Repute.UNKNOWN, in_trouble=in_trouble)
    assert 1000 - sum(held) - in_trouble == 125
    assert max(held) - min(held) <= 1
    full = holding(sum(held), Repute.UNKNOWN, in_trouble=in_trouble)
    assert SHARES.of_host(Repute.ANSWERS, full) == SHARES.few
    assert SHARES.of_host(Repute.UNKNOWN, full) == SHARES.of_host(Repute.IN_TROUBLE, full) == 0


def test_last_quarter_is_for_hosts_that_hold_few():
    assert SHARES.of_host(Repute.ANSWERS, Holding(749)) == 200
    assert SHARES.of_host(Repute.ANSWERS, Holding(750)) == SHARES.of_host(Repute.ANSWERS, Holding(996)) == 4
    assert SHARES.of_host(Repute.ANSWERS, Holding(998)) == 2
    assert SHARES.of_host(Repute.UNKNOWN, Holding(874, unknown=874)) == 4
    assert SHARES.of_host(Repute.IN_TROUBLE, Holding(750, in_trouble=750)) == 0


@pytest.mark.parametrize("repute", Repute)
def test_smallest_window_has_a_place_for_anyone(repute):
    assert Shares(1, 1).of_host(repute, Holding(0)) == 1


@pytest.mark.parametrize(
    ("outcome", "took_ms", "repute"),
    [
        (TimedOut(30_000, "late"), 30_000, Repute.IN_TROUBLE),
        (Unreachable("refused"), 1, Repute.IN_TROUBLE),
        (Blocked("private"), 1, Repute.ANSWERS),
        (judge(Response(200)), SLOW_MS, Repute.ANSWERS),
        (judge(Response(200)), SLOW_MS + 1, Repute.IN_TROUBLE),
        (judge(Response(500)), 10, Repute.ANSWERS),
    ],
)
def test_no_answer_and_a_late_one_show_trouble(outcome, took_ms, repute):
    assert repute_after(Attempt("msg_1", 0, 1000, 1000 + took_ms, outcome)) is repute


@pytest.mark.parametrize(("failures", "about"), [(1, REST_EACH_MS), (100, 2_000), (250, 5_000), (10_000, 5_000)])
def test_attempts_without_an_answer_rest_for_longer_and_longer_and_not_all_alike(failures, about):
    rests = [rest_ms(f"msg_{number}", failures) for number in range(1000)]
    assert 0.5 * about <= min(rests) <= 0.6 * about
    assert 1.4 * about <= max(rests) <= 1.5 * about


@pytest.mark.parametrize("outcome", [TimedOut(30_000, "late"), Unreachable("refused")])
def test_only_what_got_no_answer_rests(outcome):
    assert not is_answered(Attempt("msg_1", 0, 1000, 31_000, outcome))
    for answer in (judge(Response(200)), judge(Response(500)), Blocked("private")):
        assert is_answered(Attempt("msg_1", 0, 1000, 31_000, answer))

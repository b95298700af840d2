from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.domain.flow_control import (
    KeyState,
    budget,
    configure,
    count_in_window,
    drop,
    end,
    hold,
    opens_at,
    pause,
    pin,
    reset,
    reset_rate,
    resume,
    start,
    unpin,
)
from outrider.domain.instant import HOUR_MS, MINUTE_MS, SECOND_MS
from outrider.domain.options import FlowControl

NOW = 1_767_225_600_000


def key(**limits):
    return KeyState(**limits)


def test_key_without_limits_lets_everything_start():
    assert budget(key(), NOW) is None
    assert budget(start(key(), NOW, 1000), NOW) is None
    assert opens_at(key(), NOW) is None


def test_parallelism_bounds_what_is_in_flight():
    state = start(key(parallelism=3), NOW, 2)
    assert budget(state, NOW) == 1
    state = start(state, NOW)
    assert budget(state, NOW + HOUR_MS) == 0
    assert budget(end(state, 2), NOW) == 2


def test_rate_bounds_starts_of_a_window_whether_or_not_they_ended():
    state = end(start(key(rate=2, period_ms=MINUTE_MS), NOW, 2), 2)
    assert budget(state, NOW + MINUTE_MS - 1) == 0
    assert budget(state, NOW + MINUTE_MS) == 2


def test_smaller_of_both_limits_counts():
    state = key(rate=5, parallelism=3)
    assert budget(state, NOW) == 3
    assert budget(end(start(state, NOW, 3), 3), NOW) == 2


def test_starts_one_by_one_share_a_window():
    state = key(rate=3, period_ms=MINUTE_MS)
    for i in range(3):
        state = start(state, NOW + i)
    assert (budget(state, NOW + 3), opens_at(state, NOW + 3)) == (0, NOW + MINUTE_MS)


def test_window_begins_with_the_first_start_after_the_one_before():
    state = start(key(rate=1), NOW)
    later = NOW + 2700
    state = start(state, later)
    assert state.window_started_at == later
    assert budget(state, NOW + 3000) == 0
    assert opens_at(state, NOW + 3000) == later + SECOND_MS


def test_more_than_the_budget_cannot_start():
    with pytest.raises(ValueError, match="3 deliveries cannot start where 2 may"):
        start(key(parallelism=2), NOW, 3)
    with pytest.raises(ValueError, match="where 0 may"):
        start(pause(key()), NOW)


def test_starting_nothing_opens_no_window():
    assert start(key(rate=1), NOW, 0) == key(rate=1)


def test_starts_take_from_what_waits():
    state = start(hold(key(parallelism=5), 3), NOW, 2)
    assert (state.waiting, state.in_flight) == (1, 2)
    assert drop(state).waiting == 0
    assert start(key(), NOW).waiting == 0


def test_time_alone_opens_only_a_used_up_window():
    full = start(key(rate=2, parallelism=2), NOW, 2)
    assert opens_at(full, NOW) is None  # nothing has ended
    assert opens_at(end(full), NOW) == NOW + SECOND_MS
    assert opens_at(end(full), NOW + SECOND_MS) is None  # open
    assert opens_at(pause(end(full)), NOW) is None
    assert opens_at(start(key(rate=2), NOW), NOW) is None  # one may still start


def test_latest_message_brings_its_limits_whole():
    state = configure(key(), FlowControl("k", parallelism=3, rate=5, period_ms=MINUTE_MS), NOW)
    assert (state.parallelism, state.rate, state.period_ms) == (3, 5, MINUTE_MS)
    state = configure(state, FlowControl("k", parallelism=4), NOW)
    assert (state.parallelism, state.rate, state.period_ms) == (4, None, SECOND_MS)


def test_message_that_says_the_same_changes_nothing():
    state = start(key(rate=5, parallelism=2), NOW)
    assert configure(state, FlowControl("k", rate=5, parallelism=2), NOW + HOUR_MS) is state


def test_running_window_keeps_its_count_under_new_limits():
    state = start(key(rate=5, period_ms=MINUTE_MS), NOW, 4)
    assert budget(configure(state, FlowControl("k", rate=6, period_ms=MINUTE_MS), NOW + 1), NOW + 1) == 2
    assert budget(configure(state, FlowControl("k", rate=3, period_ms=MINUTE_MS), NOW + 1), NOW + 1) == 0
    longer = configure(state, FlowControl("k", rate=4, period_ms=HOUR_MS), NOW + 1)
    assert opens_at(longer, NOW + 1) == NOW + HOUR_MS
    shorter = configure(state, FlowControl("k", rate=4), NOW + 2000)
    assert budget(shorter, NOW + 2000) == 4


def test_rate_that_comes_late_holds_for_the_running_window():
    state = start(key(), NOW, 4)
    assert budget(configure(state, FlowControl("k", rate=5), NOW + 10), NOW + 10) == 1


def test_longer_period_does_not_revive_a_window_that_has_ended():
    state = start(key(rate=5), NOW, 5)
    state = configure(state, FlowControl("k", rate=5, period_ms=HOUR_MS), NOW + MINUTE_MS)
    assert budget(state, NOW + MINUTE_MS) == 5


def test_pinned_limits_are_not_changed_by_messages():
    wanted = FlowControl("k", parallelism=9, rate=9, period_ms=9000)
    state = configure(pin(key(parallelism=1), parallelism=2), wanted, NOW)
    assert (state.parallelism, state.rate, state.period_ms) == (2, 9, 9000)
    state = configure(pin(key(parallelism=1), rate=2, period_ms=2000), wanted, NOW)
    assert (state.parallelism, state.rate, state.period_ms) == (9, 2, 2000)
    assert (state.pinned_parallelism, state.pinned_rate) == (False, True)


def test_pinned_period_alone_fixes_the_rate_as_it_is():
    state = configure(pin(key(rate=3), period_ms=HOUR_MS), FlowControl("k", rate=7), NOW)
    assert (state.rate, state.period_ms, state.pinned_rate) == (3, HOUR_MS, True)


def test_pins_add_up():
    state = pin(pin(key(), parallelism=2), rate=3)
    assert (state.pinned_parallelism, state.pinned_rate) == (True, True)


def test_pinning_begins_the_rate_anew():
    state = pin(start(key(rate=2, period_ms=HOUR_MS), NOW, 2), parallelism=8)
    assert (state.window_started_at, state.window_count, state.in_flight) == (None, 0, 2)
    assert budget(state, NOW) == 2


def test_unpinned_limits_stay_until_a_message_brings_others():
    state = unpin(pin(key(), parallelism=2, rate=3), parallelism=True)
    assert (state.parallelism, state.rate) == (2, 3)
    assert (state.pinned_parallelism, state.pinned_rate) == (False, True)
    state = configure(state, FlowControl("k", parallelism=7, rate=7), NOW)
    assert (state.parallelism, state.rate) == (7, 3)
    assert unpin(state, rate=True).pinned_rate is False


def test_paused_key_starts_nothing_and_keeps_counting_ends():
    state = pause(start(hold(key(parallelism=3), 2), NOW))
    assert budget(state, NOW) == 0
    state = end(state)
    assert budget(state, NOW) == 0
    state = resume(state)
    assert (budget(state, NOW), state.waiting) == (3, 1)


def test_reset_rate_begins_a_fresh_window_now():
    state = reset_rate(start(key(rate=2, period_ms=HOUR_MS), NOW, 2), NOW + 5)
    assert (state.window_started_at, budget(state, NOW + 5)) == (NOW + 5, 2)


def test_reset_undoes_pause_pins_and_window_but_what_runs_still_counts():
    used = start(hold(pin(key(), parallelism=3, rate=2), 4), NOW, 2)
    state = reset(pause(used))
    assert (state.paused, state.pinned_parallelism, state.pinned_rate) == (False, False, False)
    assert (state.parallelism, state.rate, state.in_flight, state.waiting) == (3, 2, 2, 2)
    assert budget(state, NOW) == 1


def test_more_ends_than_starts_do_not_widen_the_limit():
    assert budget(end(key(parallelism=2), 5), NOW) == 2


def test_clock_a_little_behind_is_still_in_the_window():
    state = start(key(rate=2, period_ms=MINUTE_MS), NOW, 2)
    assert budget(state, NOW - 50) == 0
    assert opens_at(state, NOW - 50) == NOW + MINUTE_MS


@pytest.mark.parametrize("late_ms", [SECOND_MS, 20 * SECOND_MS])
def test_start_that_comes_late_to_the_store_begins_no_window_of_its_own(late_ms):
    state = start(key(rate=2, period_ms=SECOND_MS), NOW)
    state = start(state, NOW - late_ms)
    assert (state.window_started_at, state.window_count) == (NOW, 2)
    assert budget(state, NOW - late_ms) == budget(state, NOW + 1) == 0


def test_clock_set_back_beyond_a_period_stalls_nothing():
    state = start(key(rate=2, period_ms=MINUTE_MS), NOW, 2)
    back = NOW - HOUR_MS
    assert budget(state, back) == 2
    assert start(state, back).window_started_at == back
    assert count_in_window(state, back) == 0


# --- whatever happens, in whatever order --------------------------------------------------------


def restarted(state):
    """The state as another process reads it."""
    in_json = msgspec.json.decode(msgspec.json.encode(state), type=KeyState)
    assert in_json == msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=KeyState) == state
    return in_json


LIMITS = st.fixed_dictionaries(
    {
        "parallelism": st.none() | st.integers(1, 5),
        "rate": st.none() | st.integers(1, 5),
        "period_ms": st.integers(1, 100),
    }
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "start", "end", "time", "pause", "resume", "hold"]), st.integers(1, 40)),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(LIMITS, STEPS)
def test_limits_hold_over_any_interleaving_and_restart(limits, steps):
    state, now, in_flight, starts = KeyState(**limits), NOW, 0, []
    for step, n in steps:
        state = restarted(state)
        allowed = budget(state, now)
        if step == "start":
            wanted = 1 + n // 20
            count = wanted if allowed is None else min(wanted, allowed)
            state = start(state, now, count)
            in_flight += count
            starts += [now] * count
        elif step == "end":
            count = min(n, in_flight)
            state = end(state, count)
            in_flight -= count
        elif step == "time":
            now += n
        else:
            state = {"pause": pause, "resume": resume, "hold": hold}[step](state)
        assert state.in_flight == in_flight
        assert limits["parallelism"] is None or in_flight <= limits["parallelism"]
    assert_no_window_has_more(starts, limits["rate"], limits["period_ms"])


def assert_no_window_has_more(starts, rate, period_ms):
    """Windows as protocol section 9 has them, counted anew from the starts alone."""
    began, count = None, 0
    for moment in starts:
        if began is None or moment >= began + period_ms:
            began, count = moment, 0
        count += 1
        assert rate is None or count <= rate


@settings(max_examples=200, deadline=None)
@given(LIMITS, st.integers(1, 60), st.integers(1, 300))
def test_everything_that_waits_starts_in_time(limits, waiting, takes_ms):
    state, now, running, opened = hold(KeyState(**limits), waiting), NOW, [], []
    while state.waiting:
        allowed = budget(state, now)
        count = state.waiting if allowed is None else min(allowed, state.waiting)
        state = restarted(start(state, now, count))
        running += [now + takes_ms] * count
        opens = opens_at(state, now)
        if not state.waiting:
            break
        assert opens is None or opens > now
        wakes = [moment for moment in (opens, min(running, default=None)) if moment is not None]
        assert wakes, "something waits, and nothing will ever let it start"
        now = min(wakes)
        opened.append(now)
        ended = sum(moment <= now for moment in running)
        running = [moment for moment in running if moment > now]
        state = end(state, ended)
    assert all(later > earlier for earlier, later in pairwise(opened))
    assert len(opened) <= 2 * waiting


@settings(max_examples=200, deadline=None)
@given(LIMITS, STEPS)
def test_time_opens_a_key_at_the_very_moment_it_names(limits, steps):
    state, now = KeyState(**limits), NOW
    for step, n in steps:
        if step == "start":
            allowed = budget(state, now)
            state = start(state, now, n if allowed is None else min(n, allowed))
        elif step == "end":
            state = end(state, n)
        elif step == "time":
            now += n
        opens = opens_at(state, now)
        if opens is not None:
            assert budget(state, now) == budget(state, opens - 1) == 0
            assert budget(state, opens) > 0
        elif not state.paused and budget(state, now) == 0:
            assert state.in_flight >= state.parallelism


RATES = st.fixed_dictionaries({"rate": st.integers(1, 5), "period_ms": st.integers(20, 100)})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(RATES, st.integers(0, 30), st.integers(0, 5)), max_size=40))
def test_messages_that_disagree_start_no_more_than_the_loosest_rate_lets_through(turns):
    state, now, starts = KeyState(), NOW, []
    for limits, wait, wanted in turns:
        now += wait
        state = configure(state, FlowControl("k", **limits), now)
        count = min(wanted, budget(state, now))
        state = end(start(state, now, count), count)
        starts += [now] * count
    # Two fixed windows can meet in any span of the shortest period, three cannot.
    for moment in starts:
        assert sum(moment <= other < moment + 20 for other in starts) <= 2 * 5

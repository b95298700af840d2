"""Flow-control keys: how many deliveries may start now, and when time will let more start.

    what happens             limits                  window           in flight   waiting
    ──────────────────────── ─────────────────────── ──────────────── ─────────── ───────────
    a message names the key  its, where not pinned                                configure
    a message must wait                                               + n         hold
    deliveries start                                 counts n         + n         - n         start
    deliveries end                                                    - n                     end
    waiting ones cancelled                                                        - n         drop
    pinned                   as pinned               none                                     pin
    unpinned                 stay until a message                                             unpin
    rate reset                                       a fresh one now                          reset_rate
    reset                    unpinned, not paused    none                                     reset
    paused, resumed          nothing starts / may                                             pause, resume

Windows are fixed: one begins with the first start after the one before has ended, lasts the
period and admits at most `rate` starts. A change of limits leaves a window that runs its
beginning and its count: from then on it lasts the new period and admits the new rate; one that
has ended stays so. Starts are counted whether or not a rate is set, so that one which comes
late holds for the running window too.

What starts is what has waited longest: where something waits, a newcomer is held behind it.
"""

from __future__ import annotations

from msgspec import Struct, structs

from outrider.domain.instant import MINUTE_MS, SECOND_MS, Instant
from outrider.domain.options import FlowControl

LATEST_MS = MINUTE_MS
"""By so much at most the store carries out what it is asked after the moment for which it is asked."""


class KeyState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The limits of a key, and what has been used of them.

    Attributes:
        parallelism: most deliveries in flight; None is no limit, else at least 1.
        rate: most starts in a window; None is no limit, else at least 1.
        period_ms: how long a window lasts.
        paused: nothing starts.
        pinned_parallelism, pinned_rate: messages do not change that limit.
        in_flight: deliveries whose response has not come.
        window_started_at: when the last window began; it may have ended since. None: none has.
        window_count: starts in it.
        waiting: messages that wait for this key.
    """

    parallelism: int | None = None
    rate: int | None = None
    period_ms: int = SECOND_MS
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    in_flight: int = 0
    window_started_at: Instant | None = None
    window_count: int = 0
    waiting: int = 0


def budget(state: KeyState, now: Instant) -> int | None:
    """How many more deliveries may start now; None is no limit."""
    if state.paused:
        return 0
    left = None if state.parallelism is None else max(0, state.parallelism - state.in_flight)
    if state.rate is None:
        return left
    left_by_rate = max(0, state.rate - count_in_window(state, now))
    return left_by_rate if left is None else min(left, left_by_rate)


def opens_at(state: KeyState, now: Instant) -> Instant | None:
    """When time alone will let something start: the end of a used-up window.

    None if something may start already, and if only a resume or the end of a delivery can change that.
    """
    if state.paused or state.rate is None or state.window_started_at is None:
        return None
    if state.parallelism is not None and state.in_flight >= state.parallelism:
        return None
    if count_in_window(state, now) < state.rate:
        return None
    return state.window_started_at + state.period_ms


def count_in_window(state: KeyState, now: Instant) -> int:
    """Starts in the window that runs now; 0 if none does."""
    return state.window_count if _window_runs(state, now) else 0


def configure(state: KeyState, wanted: FlowControl, now: Instant) -> KeyState:
    """The limits that the latest message brings, whole, except those that are pinned."""
    parallelism = state.parallelism if state.pinned_parallelism else wanted.parallelism
    rate, period_ms = (state.rate, state.period_ms) if state.pinned_rate else (wanted.rate, wanted.period_ms)
    if (parallelism, rate, period_ms) == (state.parallelism, state.rate, state.period_ms):
        return state  # the usual case: every message of a key says the same
    if not _window_runs(state, now):
        state = structs.replace(state, window_started_at=None, window_count=0)  # a longer period revives nothing
    return structs.replace(state, parallelism=parallelism, rate=rate, period_ms=period_ms)


def hold(state: KeyState, n: int = 1) -> KeyState:
    """`n` messages begin to wait."""
    return structs.replace(state, waiting=state.waiting + n)


def drop(state: KeyState, n: int = 1) -> KeyState:
    """`n` of the waiting messages are cancelled."""
    return structs.replace(state, waiting=max(0, state.waiting - n))


def start(state: KeyState, now: Instant, n: int = 1) -> KeyState:
    """`n` deliveries start: of waiting messages, as far as some wait. Raises ValueError beyond the budget."""
    allowed = budget(state, now)
    if allowed is not None and n > allowed:
        raise ValueError(f"{n} deliveries cannot start where {allowed} may")
    if n == 0:
        return state
    runs = _window_runs(state, now)
    return structs.replace(
        state,
        in_flight=state.in_flight + n,
        window_started_at=state.window_started_at if runs else now,
        window_count=(state.window_count if runs else 0) + n,
        waiting=max(0, state.waiting - n),
    )


def end(state: KeyState, n: int = 1) -> KeyState:
    """`n` deliveries have ended, however they ended; also those whose node died."""
    return structs.replace(state, in_flight=max(0, state.in_flight - n))


def pin(
    state: KeyState, *, parallelism: int | None = None, rate: int | None = None, period_ms: int | None = None
) -> KeyState:
    """Fix the limits that are given, and begin the rate anew; a period alone fixes the rate as it is."""
    pins_rate = rate is not None or period_ms is not None
    return structs.replace(
        state,
        parallelism=state.parallelism if parallelism is None else parallelism,
        rate=state.rate if rate is None else rate,
        period_ms=state.period_ms if period_ms is None else period_ms,
        pinned_parallelism=state.pinned_parallelism or parallelism is not None,
        pinned_rate=state.pinned_rate or pins_rate,
        window_started_at=None,
        window_count=0,
    )


def unpin(state: KeyState, *, parallelism: bool = False, rate: bool = False) -> KeyState:
    """Let messages change the named limits again; until one does, they stay as they are."""
    return structs.replace(
        state,
        pinned_parallelism=state.pinned_parallelism and not parallelism,
        pinned_rate=state.pinned_rate and not rate,
    )


def pause(state: KeyState) -> KeyState:
    """Nothing starts until a resume; what is in flight goes on."""
    return structs.replace(state, paused=True)


def resume(state: KeyState) -> KeyState:
    """What waits may start again, within the limits."""
    return structs.replace(state, paused=False)


def reset_rate(state: KeyState, now: Instant) -> KeyState:
    """End the running window; a fresh one begins now."""
    return structs.replace(state, window_started_at=now, window_count=0)


def reset(state: KeyState) -> KeyState:
    """Undo what was done to the key by hand: pause, pins and the window. Limits stay until a message brings others.

    What is in flight still counts: it is running.
    """
    return structs.replace(
        state, paused=False, pinned_parallelism=False, pinned_rate=False, window_started_at=None, window_count=0
    )


def _window_runs(state: KeyState, now: Instant) -> bool:
    """Whether the last window has not ended.

    The clocks of nodes differ a little, and some of what they ask comes late to the store, so `now` may lie before the
    beginning: that is no new window, or the rate would be exceeded. But where it does by a whole period, and by more
    than anything comes late, a clock has been set back, and nothing may wait for the lost time to come again.
    """
    began = state.window_started_at
    return began is not None and began - max(state.period_ms, LATEST_MS) < now < began + state.period_ms

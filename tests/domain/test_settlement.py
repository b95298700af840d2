"""The state table, row by row, and what holds for every row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.factories import make_message

from outrider.domain.attempt import Attempt, Blocked, Delivered, Refused, Response, TimedOut, Unreachable, judge
from outrider.domain.event import EventKind as E
from outrider.domain.instant import DAY_MS
from outrider.domain.message import DeadLetter, Message, MessageState, Progress, progress_of
from outrider.domain.options import Callback, DeliveryOptions
from outrider.domain.settlement import cannot_go_now, honour_cancellation, settle, with_follow_ups

NOW = 1_800_000_000_000
HOOK = Callback("https://a.example/hook", DeliveryOptions())
FAIL = Callback("https://a.example/fail", DeliveryOptions())

outcomes = st.one_of(
    st.builds(lambda status: judge(Response(status)), st.integers(200, 599)),
    st.just(TimedOut(1_000, "too slow")),
    st.just(Unreachable("refused")),
    st.just(Blocked("private")),
)


def a_message(retried: int = 0, **options) -> Message:
    return Message(
        id="msg_1",
        tenant="ten_1",
        url="https://a.example/x",
        options=DeliveryOptions(**options),
        created_at=NOW - 100,
        not_before=NOW - 100,
        due_at=NOW - 100,
        state=MessageState.LEASED,
        lease="node_1",
        retried=retried,
    )


def an_attempt(outcome, retried: int = 0) -> Attempt:
    return Attempt("msg_1", retried, NOW - 50, NOW, outcome)


def kinds(settlement) -> list[E]:
    return [event.kind for event in settlement.events]


def test_success_delivers():
    settlement = settle(a_message(callback=HOOK, failure_callback=FAIL), an_attempt(judge(Response(204))))
    assert settlement.state is MessageState.DELIVERED
    assert kinds(settlement) == [E.DELIVERED]
    assert [report.callback for report in settlement.reports] == [HOOK]
    assert settlement.events[0].duration_ms == 50


@pytest.mark.parametrize("outcome", [judge(Response(500)), TimedOut(1, "slow"), Unreachable("refused")])
def test_failure_with_retries_left_is_due_again(outcome):
    settlement = settle(a_message(retries=1, retry_delay="700", failure_callback=FAIL), an_attempt(outcome))
    assert (settlement.state, settlement.due_at) == (MessageState.DUE, NOW + 700)
    assert kinds(settlement) == [E.ERROR, E.RETRY]
    assert settlement.events[1].next_delivery_at == NOW + 700
    assert settlement.reports == ()
    assert settlement.dead_letter is None


def test_last_failure_is_a_dead_letter():
    settlement = settle(
        a_message(retried=2, retries=2, callback=HOOK, failure_callback=FAIL), an_attempt(judge(Response(500)), 2)
    )
    assert settlement.state is MessageState.FAILED
    assert kinds(settlement) == [E.ERROR, E.FAILED]
    assert isinstance(settlement.dead_letter, DeadLetter)
    assert settlement.dead_letter.id.startswith(f"{NOW}-")
    assert [(report.callback, report.dead_letter_id) for report in settlement.reports] == [
        (HOOK, None),
        (FAIL, settlement.dead_letter.id),
    ]


@pytest.mark.parametrize(
    "outcome",
    [Blocked("private"), judge(Response(489, (("upstash-nonretryable-error", "TRUE"),)))],
)
def test_what_must_not_be_retried_fails_at_once(outcome):
    assert settle(a_message(retries=9), an_attempt(outcome)).state is MessageState.FAILED


def test_redirect_is_a_failure_that_says_so():
    outcome = judge(Response(302, (("location", "https://b.example/"),)))
    assert isinstance(outcome, Refused)
    assert "https://b.example/" in outcome.error
    assert "not followed" in outcome.error


@given(st.integers(100, 599))
def test_success_is_2xx_and_nothing_else(status):
    assert isinstance(judge(Response(status)), Delivered) is (200 <= status <= 299)


@given(outcome=outcomes, retried=st.integers(0, 5), retries=st.integers(0, 5))
def test_every_settlement_is_whole(outcome, retried, retries):
    settlement = settle(a_message(retried=retried, retries=retries), an_attempt(outcome, retried))
    finals = {E.DELIVERED, E.FAILED, E.CANCELED}
    assert settlement.state.finished == (sum(kind in finals for kind in kinds(settlement)) == 1)
    assert (settlement.dead_letter is not None) == (settlement.state is MessageState.FAILED)
    if settlement.state is MessageState.DUE:
        assert NOW <= settlement.due_at <= NOW + DAY_MS
        assert retried < retries
    else:
        assert settlement.due_at is None


@given(outcome=outcomes, retried=st.integers(0, 3), retries=st.integers(0, 3))
def test_requested_cancellation_leaves_no_retry_and_no_dead_letter(outcome, retried, retries):
    message = a_message(retried=retried, retries=retries, callback=HOOK, failure_callback=FAIL)
    settlement = settle(message, an_attempt(outcome, retried))
    active = structs.replace(settlement.events[0], kind=E.ACTIVE)
    started = structs.replace(settlement, events=(active, *settlement.events))
    numbered = iter(range(10))
    with_messages = with_follow_ups(started, lambda _: structs.replace(message, id=f"cb_{next(numbered)}"))
    honoured = honour_cancellation(with_messages)
    if isinstance(outcome, Delivered):
        assert honoured == with_messages
        return
    assert honoured.state is MessageState.CANCELED
    assert kinds(honoured) == [E.ACTIVE, E.ERROR, E.CANCELED]
    assert (honoured.dead_letter, honoured.due_at) == (None, None)
    assert [report.callback for report in honoured.reports] == [HOOK]
    assert [follow_up.id for follow_up in honoured.follow_ups] == ["cb_0"]


@pytest.mark.parametrize(
    ("state", "retried", "is_due", "progress"),
    [
        (MessageState.LEASED, 2, True, Progress.ACTIVE),
        (MessageState.DUE, 0, False, Progress.DELAYED),
        (MessageState.DUE, 0, True, Progress.WAITING),
        (MessageState.DUE, 1, False, Progress.RETRYING),
        (MessageState.DUE, 1, True, Progress.RETRYING),
        (MessageState.HELD, 1, True, Progress.WAITING),
        (MessageState.HELD, 0, False, Progress.WAITING),
        (MessageState.DELIVERED, 1, True, None),
    ],
)
def test_progress_is_told_of_unfinished_messages(state, retried, is_due, progress):
    assert progress_of(state, retried, is_due=is_due) is progress


@pytest.mark.parametrize("state", list(MessageState))
def test_each_state_says_why_its_message_cannot_go_now(state):
    refusal = cannot_go_now(make_message(state=state))
    assert (refusal.code, bool(refusal.hint)) == ("message_not_delayed", True)

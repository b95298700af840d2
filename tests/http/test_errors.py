"""Every error has a status of its own, and one shape."""

from __future__ import annotations

import json

import httpx
import pytest
import qstash.errors
from qstash.http import raise_for_non_ok_status

from outrider.domain.errors import (
    Conflict,
    Forbidden,
    LimitReached,
    Malformed,
    Misconfigured,
    NotFound,
    OutriderError,
    Overloaded,
    Quota,
    Refusal,
    StoreUnavailable,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Undeliverable,
)
from outrider.engine.profiles import ProfileUnreadable
from outrider.engine.signing_keys import KeysUnreadable
from outrider.http import errors
from outrider.http.errors import HeadTooLarge, MethodNotAllowed, RequestTimedOut

NOW = 1_700_000_000_500
QUOTA = Quota(limit=7, remaining=0, resets_at_s=1_700_000_001)

EXAMPLES = {
    OutriderError: (OutriderError("s"), 500),
    Refusal: (Refusal("s"), 400),
    Malformed: (Malformed("s"), 400),
    Undeliverable: (Undeliverable("s"), 400),
    TooMany: (TooMany("s"), 400),
    Unauthenticated: (Unauthenticated("s"), 401),
    Forbidden: (Forbidden("s"), 403),
    NotFound: (NotFound("s"), 404),
    Conflict: (Conflict("s"), 409),
    MethodNotAllowed: (MethodNotAllowed("PUT", "/v2/batch", ("POST",)), 405),
    RequestTimedOut: (RequestTimedOut("s"), 408),
    TooLarge: (TooLarge("s"), 413),
    HeadTooLarge: (HeadTooLarge("s"), 431),
    LimitReached: (LimitReached("s", window="daily", quota=QUOTA), 429),
    Misconfigured: (Misconfigured("s"), 500),
    ProfileUnreadable: (ProfileUnreadable("s"), 503),
    KeysUnreadable: (KeysUnreadable("s"), 503),
    Unavailable: (Unavailable("s"), 503),
    StoreUnavailable: (StoreUnavailable("s"), 503),
    Overloaded: (Overloaded("s"), 503),
}


def tree(kind: type[OutriderError]):
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def as_httpx(error: OutriderError) -> httpx.Response:
    answer = errors.answer(error, NOW)
    return httpx.Response(answer.status, headers=list(answer.fields), content=answer.body)


def test_every_class_of_the_tree_has_an_example_here():
    assert {kind for kind in tree(OutriderError) if kind.__module__.startswith("outrider.")} == set(EXAMPLES)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_an_error_goes_out_with_its_status_sentence_and_code(kind):
    error, status = EXAMPLES[kind]
    response = as_httpx(error)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"error": error.sentence, "code": error.code}


def test_a_hint_goes_out_where_there_is_one():
    body = json.loads(errors.answer(NotFound("s", code="c", hint="h"), NOW).body)
    assert body == {"error": "s", "code": "c", "hint": "h"}


def test_a_refused_method_names_those_that_are_allowed():
    response = as_httpx(MethodNotAllowed("PUT", "/v2/batch", ("POST", "OPTIONS")))
    assert response.headers["allow"] == "POST, OPTIONS"
    assert response.json()["error"] == "/v2/batch does not take PUT; it takes POST, OPTIONS"


def test_an_unavailable_server_says_when_to_try_again():
    assert as_httpx(StoreUnavailable("s")).headers["retry-after"] == "1"


def test_a_missing_token_is_answered_with_a_challenge():
    assert as_httpx(Unauthenticated("s")).headers["www-authenticate"] == "Bearer"


def test_the_sdk_takes_a_daily_limit_for_a_daily_limit():
    with pytest.raises(qstash.errors.DailyMessageLimitExceededError) as caught:
        raise_for_non_ok_status(as_httpx(LimitReached("s", window="daily", quota=QUOTA)))
    assert (caught.value.limit, caught.value.remaining, caught.value.reset) == ("7", "0", "1700000001")


def test_the_sdk_takes_a_burst_limit_for_a_burst_limit():
    response = as_httpx(LimitReached("s", window="burst", quota=QUOTA))
    assert not [name for name in response.headers if name.startswith("ratelimit")]
    with pytest.raises(qstash.errors.RateLimitExceededError) as caught:
        raise_for_non_ok_status(response)
    assert (caught.value.limit, caught.value.remaining, caught.value.reset) == ("7", "0", "1700000001")


def test_a_used_up_limit_says_how_long_to_wait():
    far = Quota(limit=7, remaining=0, resets_at_s=1_700_000_060)
    assert as_httpx(LimitReached("s", window="daily", quota=far)).headers["retry-after"] == "60"
    past = Quota(limit=7, remaining=0, resets_at_s=1_600_000_000)
    assert as_httpx(LimitReached("s", window="daily", quota=past)).headers["retry-after"] == "1"


def test_a_sentence_that_no_encoding_can_hold_is_still_an_answer():
    response = as_httpx(Malformed("value '\udcff' breaks"))
    assert response.status_code == 400
    assert "breaks" in response.json()["error"]

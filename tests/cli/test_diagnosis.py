"""What a diagnosis says of what was found."""

import pytest

from outrider.cli.diagnosis import (
    check_acceptance,
    check_addresses,
    check_answer,
    check_certificate,
    check_latency,
    check_refusal,
    check_url,
)
from outrider.domain.addresses import AddressPolicy
from outrider.domain.attempt import Blocked, Response, TimedOut, Unreachable, judge
from outrider.domain.instant import DAY_MS

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("policy", "url", "verdict", "said"),
    [
        (AddressPolicy.production(), "https://a.example/x", "ok", "https"),
        (AddressPolicy.production(), "http://a.example/x", "fail", "set allow_http"),
        (AddressPolicy.production(allow_http=True), "http://a.example/x", "warn", "allow_http"),
        (AddressPolicy.development(), "HTTP://127.0.0.1/x", "warn", "not encrypted"),
        (AddressPolicy.production(), "https://10.0.0.1/x", "fail", "allow_networks"),
    ],
)
def test_a_url_is_judged_by_the_policy(policy, url, verdict, said):
    check = check_url(policy, url)
    assert check.verdict == verdict
    assert said in check.sentence


def test_addresses_are_named_with_their_class():
    check = check_addresses(["93.184.215.14", "10.0.0.1", "::ffff:127.0.0.1"], {})
    assert check.verdict == "ok"
    assert check.sentence.startswith("93.184.215.14 is public, 10.0.0.1 is in 10.0.0.0/8 (")
    assert check.sentence.endswith("which the settings allow")


def test_some_refused_addresses_warn_and_all_fail():
    addresses = ["93.184.215.14", "10.0.0.1"]
    some = check_addresses(addresses, {"10.0.0.1": "it is private"})
    assert (some.verdict, some.sentence) == ("warn", "1 of 2 addresses would never be called: it is private")
    assert check_addresses(["10.0.0.1"], {"10.0.0.1": "it is private"}).verdict == "fail"


@pytest.mark.parametrize(("days", "verdict"), [(365, "ok"), (14, "ok"), (13, "warn"), (0, "warn")])
def test_a_certificate_warns_when_it_has_less_than_14_days(days, verdict):
    check = check_certificate("a.example", NOW + days * DAY_MS + 5, NOW)
    assert check.verdict == verdict
    assert f"valid for {days} more days" in check.sentence


def test_the_median_decides_about_latency():
    assert check_latency([9_000, 20, 30]).verdict == "ok"
    slow = check_latency([1_200, 20, 3_000])
    assert (slow.verdict, slow.sentence[:42]) == ("warn", "the median of 3 requests took 1.2s, over 1")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "fail"), (204, "fail"), (401, "ok"), (403, "ok"), (400, "ok"), (404, "warn"), (500, "warn")],
)
def test_a_refusal_is_a_refusal_only_by_its_status(status, verdict):
    check = check_refusal("forged", judge(Response(status)), request="a forged request")
    assert (check.check, check.verdict) == ("forged", verdict)
    assert str(status) in check.sentence


def test_no_answer_is_no_refusal():
    assert check_refusal("forged", Unreachable("it is gone"), request="it").verdict == "fail"


@pytest.mark.parametrize(
    ("outcome", "verdict", "said"),
    [
        (judge(Response(201)), "ok", "201"),
        (judge(Response(401)), "fail", "raw body"),
        (judge(Response(500)), "fail", "500"),
        (TimedOut(5, "too late"), "fail", "too late"),
    ],
)
def test_a_signed_request_must_be_accepted(outcome, verdict, said):
    check = check_acceptance(outcome)
    assert check.verdict == verdict
    assert said in check.sentence


@pytest.mark.parametrize("outcome", [TimedOut(5, "why"), Unreachable("why"), Blocked("why")])
def test_no_answer_fails_with_its_reason(outcome):
    check = check_answer(outcome)
    assert (check.check, check.verdict) == ("answer", "fail")
    assert check.sentence.startswith("why")


def test_a_redirect_is_told_apart_from_other_answers():
    check = check_answer(judge(Response(308, (("Location", "https://b.example"),))))
    assert (check.check, check.verdict) == ("redirect", "fail")
    assert "https://b.example" in check.sentence
    assert [check_answer(judge(Response(status))) for status in (200, 401, 500)] == [None, None, None]

"""Flow control, driven by the official Python SDKs; what it bounds is measured at the destination."""

from __future__ import annotations

import time

import pytest
from qstash.errors import QStashError
from tests.conformance.coverage import covers


def gaps(arrivals, behind):
    """How long after the one so many places before it each request came, in seconds."""
    return [later - earlier for earlier, later in zip(arrivals, arrivals[behind:], strict=False)]


def publish(qstash, ledger, place, count, **control):
    for n in range(count):
        qstash.message.publish(url=ledger.url(place), body=str(n), flow_control=control)


@covers("message.publish", "flow_control.get")
@pytest.mark.parametrize("parallelism", [1, 2])
def test_parallelism_of_a_key_is_never_exceeded(qstash, ledger, place, parallelism):
    ledger.answer(place, delay_s=0.2)
    publish(qstash, ledger, place, 3 * parallelism, key=place, parallelism=parallelism)
    info = qstash.flow_control.get(place)
    assert (info.key, info.parallelism_max, info.rate_max) == (place, parallelism, 0)
    assert info.parallelism_count <= parallelism
    arrived = ledger.wait_for(place, 3 * parallelism)
    assert min(gaps([one.at for one in arrived], parallelism)) >= 0.18
    bodies = [one.body for one in arrived]
    assert (bodies if parallelism == 1 else sorted(bodies)) == [str(n).encode() for n in range(3 * parallelism)]


@covers("message.publish")
def test_rate_of_a_key_is_never_exceeded(qstash, ledger, place):
    began = time.monotonic()
    publish(qstash, ledger, place, 5, key=place, rate=2, period=1)
    arrivals = [one.at for one in ledger.wait_for(place, 5)]
    # Periods begin when a delivery starts; how long a request is under way is not bounded.
    assert arrivals[2] - began >= 0.98
    assert arrivals[4] - began >= 1.98
    assert qstash.flow_control.get(place).rate_max == 2


@covers("message.batch")
def test_keys_do_not_hold_each_other_back(qstash, ledger, place):
    options = {"url": ledger.url(place + "/slow"), "flow_control": {"key": "slow", "rate": 1, "period": 3600}}
    quick = {"url": ledger.url(place), "flow_control": {"key": "quick", "parallelism": 1}}
    qstash.message.batch([options, options, options, quick, quick])
    ledger.wait_for(place, 2)
    assert len(ledger.wait_for(place + "/slow")) == 1
    info = qstash.flow_control.get("slow")
    assert (info.wait_list_size, info.rate_count, info.rate_period) == (2, 1, 3600)
    assert info.rate_period_start > 0


@covers("flow_control.pause", "flow_control.resume")
def test_paused_key_lets_nothing_through(qstash, ledger, place):
    key = "with/slash and space"
    publish(qstash, ledger, place, 1, key=key, parallelism=5)
    ledger.wait_for(place)
    qstash.flow_control.pause(key)
    publish(qstash, ledger, place, 2, key=key, parallelism=5)
    info = qstash.flow_control.get(key)
    assert (info.is_paused, info.wait_list_size, len(ledger.requests(place))) == (True, 2, 1)
    qstash.flow_control.resume(key)
    ledger.wait_for(place, 3)
    assert not qstash.flow_control.get(key).is_paused


@covers("flow_control.pin", "flow_control.unpin")
def test_pinned_key_ignores_what_messages_bring(qstash, ledger, place):
    publish(qstash, ledger, place, 1, key=place, parallelism=9)
    qstash.flow_control.pin(place, {"parallelism": 4, "rate": 7, "period": 30})
    publish(qstash, ledger, place, 1, key=place, parallelism=1, rate=1, period=1)
    info = qstash.flow_control.get(place)
    assert (info.parallelism_max, info.rate_max, info.rate_period) == (4, 7, 30)
    assert (info.is_pinned_parallelism, info.is_pinned_rate) == (True, True)
    qstash.flow_control.unpin(place, {"parallelism": True})
    info = qstash.flow_control.get(place)
    assert (info.parallelism_max, info.is_pinned_parallelism, info.is_pinned_rate) == (4, False, True)
    qstash.flow_control.unpin(place, {"rate": True})
    publish(qstash, ledger, place, 1, key=place, parallelism=2, rate=3, period=5)
    info = qstash.flow_control.get(place)
    assert (info.parallelism_max, info.rate_max, info.rate_period) == (2, 3, 5)


@covers("flow_control.reset_rate")
def test_reset_rate_begins_a_new_period_at_once(qstash, ledger, place):
    publish(qstash, ledger, place, 2, key=place, rate=1, period=3600)
    ledger.wait_for(place)
    assert qstash.flow_control.get(place).wait_list_size == 1
    qstash.flow_control.reset_rate(place)
    ledger.wait_for(place, 2)
    assert qstash.flow_control.get(place).wait_list_size == 0


@covers("flow_control.get")
def test_unknown_key_is_not_found(qstash):
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.flow_control.get("unknown")


@covers("flow_control.get_global_parallelism")
def test_global_parallelism_counts_what_runs(qstash, ledger, place):
    ledger.answer(place, delay_s=10)
    publish(qstash, ledger, place, 2, key=place, parallelism=2)
    ledger.wait_for(place, 2)
    info = qstash.flow_control.get_global_parallelism()
    assert 2 <= info.parallelism_count <= info.parallelism_max

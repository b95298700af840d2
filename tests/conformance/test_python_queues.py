"""Queues, driven by the official Python SDKs."""

from __future__ import annotations

import pytest
from qstash.errors import QStashError
from tests.conformance.coverage import covers


def order_at(ledger, place, count):
    """The bodies at a place, in the order of their arrival."""
    return [one.body.decode() for one in ledger.wait_for(place, count)][:count]


@covers("queue.upsert", "queue.get", "queue.list", "queue.delete")
def test_queue_is_made_changed_shown_and_deleted(qstash, name):
    qstash.queue.upsert(name, parallelism=3)
    made = qstash.queue.get(name)
    assert (made.name, made.parallelism, made.lag, made.paused) == (name, 3, 0, False)
    qstash.queue.upsert(name, parallelism=5, paused=True)
    changed = qstash.queue.get(name)
    assert (changed.parallelism, changed.paused, changed.created_at) == (5, True, made.created_at)
    assert changed.updated_at >= made.updated_at
    assert qstash.queue.list() == [changed]
    qstash.queue.delete(name)
    assert qstash.queue.list() == []
    qstash.queue.delete(name)
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.queue.get(name)


@covers("queue.pause", "queue.resume", "message.enqueue")
def test_paused_queue_delivers_when_it_is_resumed(qstash, ledger, place, name):
    qstash.queue.upsert(name, parallelism=2)
    qstash.queue.pause(name)
    assert qstash.queue.get(name).paused
    for body in "abc":
        qstash.message.enqueue(queue=name, url=ledger.url(place), body=body)
    assert (qstash.queue.get(name).lag, ledger.requests(place)) == (3, [])
    qstash.queue.resume(name)
    assert sorted(order_at(ledger, place, 3)) == ["a", "b", "c"]
    assert not qstash.queue.get(name).paused
    assert qstash.queue.get(name).parallelism == 2


@covers("message.enqueue_json")
def test_queue_keeps_its_order_while_the_first_message_fails(qstash, ledger, place, name):
    ledger.answer(place, status=500, times=2)
    for n in range(4):
        qstash.message.enqueue_json(queue=name, url=ledger.url(place), body=n, retries=3, retry_delay="150")
    assert order_at(ledger, place, 6) == ["0", "0", "0", "1", "2", "3"]
    assert [one.retried for one in ledger.requests(place)] == [0, 1, 2, 0, 0, 0]
    assert qstash.queue.get(name).parallelism == 1


@covers("message.enqueue")
def test_queue_goes_on_after_a_message_failed_for_good_and_its_callbacks_came(qstash, ledger, place, name):
    ledger.answer(place, status=500, times=1)
    ledger.answer(place + "/failed", delay_s=0.3)
    first = qstash.message.enqueue(
        queue=name, url=ledger.url(place), body="first", retries=0, failure_callback=ledger.url(place + "/failed")
    )
    qstash.message.enqueue(queue=name, url=ledger.url(place), body="second")
    assert order_at(ledger, place, 2) == ["first", "second"]
    (failed,) = ledger.requests(place + "/failed")
    assert ledger.requests(place)[1].at - failed.at >= 0.28
    assert ledger.requests(place)[0].header("Upstash-Queue-Name") == name
    (letter,) = qstash.dlq.list(filter={"queue": name}).messages
    assert letter.message_id == first.message_id


@covers("queue.upsert", "message.batch")
def test_parallelism_of_a_queue_is_never_exceeded(qstash, ledger, place, name):
    qstash.queue.upsert(name, parallelism=2)
    answer_first = ledger.hold(place, times=2, delay_s=0.4)
    ledger.answer(place, delay_s=0.4)
    qstash.message.batch([{"queue": name, "url": ledger.url(place), "body": str(n)} for n in range(6)])
    ledger.wait_for(place, 2)  # two run at once
    answer_first()
    arrivals = [one.at for one in ledger.wait_for(place, 6)]
    assert all(later - earlier >= 0.38 for earlier, later in zip(arrivals, arrivals[2:], strict=False))

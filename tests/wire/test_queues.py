from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.errors import Malformed
from outrider.domain.queue import Queue
from outrider.wire.queues import QueueRequest, parse_queue, present_queue


def test_a_queue_is_shown_with_exactly_the_fields_clients_require():
    queue = Queue(name="q", parallelism=3, paused=True, created_at=1, updated_at=2, in_use=4, waiting=5)
    assert present_queue(queue) == {
        "name": "q",
        "parallelism": 3,
        "createdAt": 1,
        "updatedAt": 2,
        "lag": 5,
        "paused": True,
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"queueName": "q", "parallelism": 2, "paused": false}', QueueRequest("q", 2, False)),
        ('{"queueName": "q"}', QueueRequest("q", None, None)),
        ('{"queueName": "q", "parallelism": null, "paused": null, "later": 1}', QueueRequest("q", None, None)),
    ],
)
def test_what_is_not_said_of_a_queue_is_left_open(body, said):
    assert parse_queue(body.encode()) == said


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"parallelism": 1}', "queueName"),
        ('{"queueName": "a/b"}', "'a/b'"),
        ('{"queueName": ""}', "''"),
        ('{"queueName": "q", "parallelism": 0}', "parallelism 0 is not between 1"),
        ('{"queueName": "q", "parallelism": -1}', "parallelism -1"),
        ('{"queueName": "q", "parallelism": 1000000001}', "parallelism 1000000001"),
        ('{"queueName": "q", "parallelism": "2"}', "parallelism"),
        ('{"queueName": "q", "parallelism": 1.5}', "parallelism"),
        ('{"queueName": "q", "paused": "yes"}', "paused"),
        ('{"queueName": "\\ud800"}', "body"),
    ],
)
def test_a_queue_that_breaks_a_rule_is_refused_by_its_name(body, named):
    with pytest.raises(Malformed, match=named):
        parse_queue(body.encode())


@given(st.one_of(st.binary(max_size=40), st.dictionaries(st.text(max_size=5), st.integers()).map(json.dumps)))
def test_no_body_is_too_strange(body):
    with pytest.raises(Malformed):
        parse_queue(body if isinstance(body, bytes) else body.encode())

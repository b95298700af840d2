"""Requests made from the API description, at a real server: every answer is as described, and none a fault."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from outrider.http import (
    activity,
    dead_letters,
    description,
    flow_control,
    health,
    keys,
    logs,
    messages,
    publishing,
    queues,
    schedules,
    status,
    url_groups,
    usage,
)
from outrider.wire.query import TOKEN_PARAMETER

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PHASES = [Phase.explicit, Phase.generate]

ROUTES = description.describing(
    [
        *publishing.ROUTES,
        *messages.ROUTES,
        *logs.ROUTES,
        *dead_letters.ROUTES,
        *schedules.ROUTES,
        *queues.ROUTES,
        *url_groups.ROUTES,
        *flow_control.ROUTES,
        *usage.ROUTES,
        *activity.ROUTES,
        *status.ROUTES,
        *keys.ROUTES,
        *health.ROUTES,
    ]
)

schema = schemathesis.openapi.from_dict(description.describe(ROUTES))


@pytest.fixture(scope="module")
def populated(served):
    """A server that has what the examples of the description name."""
    url, token = served
    things = [
        ("/v2/queues", {}, {"queueName": "orders"}),
        ("/v2/topics/newsletter/endpoints", {}, {"endpoints": [{"url": "https://example.com/a"}]}),
        ("/v2/schedules/newsletter", {"Upstash-Cron": "@daily", "Upstash-Schedule-Id": "weekday-report"}, {}),
        (
            "/v2/publish/https://example.com/a",
            {"Upstash-Flow-Control-Key": "mail/welcome", "Upstash-Flow-Control-Value": "rate=5"},
            {},
        ),
    ]
    for path, headers, body in things:
        made = httpx.post(f"{url}{path}", headers={"Authorization": f"Bearer {token}", **headers}, json=body)
        assert made.status_code == 200, made.text
    return served


@schema.parametrize()
@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case, populated):
    url, token = populated
    case.query.pop(TOKEN_PARAMETER, None)  # it would count before the header
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

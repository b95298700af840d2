"""Whatever comes in, the answer is never a fault of ours."""

from __future__ import annotations

import re

import msgspec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from outrider.http import (
    activity,
    dead_letters,
    flow_control,
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
from outrider.http.requests import Body, Request

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE"]

ROUTES = [
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
]

RAW = st.binary(max_size=12).map(lambda raw: raw.replace(b"?", b"").replace(b"#", b""))
DESTINATIONS = st.sampled_from(
    [b"https://example.com", b"http:/example.com/a%2F", b"https%3A%2F%2Fexample.com", b"group", b"example.com", b"%00"]
)
PARAMETER = re.compile(rb"\{[^}]+\}")


@st.composite
def targets(draw):
    """A method and a raw path: mostly of a route, with something in place of its parameters."""
    route = draw(st.sampled_from(ROUTES))
    path = PARAMETER.sub(lambda _: draw(st.one_of(DESTINATIONS, RAW)), route.path.encode())
    method = draw(st.one_of(st.just(route.method), st.just(route.method), st.sampled_from(METHODS)))
    stray = draw(st.one_of(st.none(), st.none(), st.none(), st.sampled_from([b"/", b"//", b"/a"]), RAW))
    return method, path if stray is None else path + stray


NAMES = st.sampled_from(
    [
        "upstash-delay", "upstash-retries", "upstash-retry-delay", "upstash-timeout", "upstash-callback",
        "upstash-callback-retries", "upstash-callback-forward-x", "upstash-failure-callback", "upstash-method",
        "upstash-not-before", "upstash-forward-x", "upstash-forward-", "upstash-deduplication-id",
        "upstash-content-based-deduplication", "upstash-flow-control-key", "upstash-flow-control-value",
        "upstash-label", "upstash-redact-fields", "upstash-header-forward", "upstash-cron", "upstash-cron-jitter",
        "upstash-schedule-id", "upstash-queue-name", "upstash-nothing", "search", "parallelism", "rate", "period",
        "count", "cursor", "label", "messageIds", "dlqIds", "state", "fromDate", "order", "responseStatus", "url",
        "qstash_token", "content-type", "content-length", "x-other",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1", "5m", "1d10h", "true", "GET", "https://example.com", "parallelism=1, rate=2", "body",
         "header[X]", "pow(2,retried)", "* * * * *", "CRON_TZ=Europe/Berlin 0 9 * * *", "@daily", "0 0 30 2 *", "s-1",
         "9" * 400, "1e999", "CREATED", "latestFirst", "100%", "%ff", "é", "\udc80",
         "\x00"]
    ),
    st.text(max_size=10),
)  # fmt: skip
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=3)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "destination",
                    "headers",
                    "body",
                    "queue",
                    "messageIds",
                    "dlqIds",
                    "Upstash-Delay",
                    "endpoints",
                    "url",
                    "name",
                    "queueName",
                    "parallelism",
                    "paused",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries(
    {"destination": st.sampled_from(["https://example.com", "group", "", "https:/x.y", "ftp://x"])},
    optional={"headers": st.dictionaries(NAMES, VALUES, max_size=3), "body": JSON_VALUES},
)


def encoded(value):
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return b'{"messageIds":["\\ud800"]}'


BODIES = st.one_of(
    st.just(b""), st.binary(max_size=20), st.lists(ITEMS, max_size=3).map(encoded), JSON_VALUES.map(encoded)
)


def request_of(api, target, query, fields, body, *, authorized):
    method, raw_path = target
    headers = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in fields]
    if authorized:
        headers.append((b"authorization", b"Bearer " + api.token.encode()))
    whole = Body()
    whole.add(body)
    whole.end()
    return Request(
        method=method,
        path=raw_path,
        query="&".join(f"{name}={value}" for name, value in query).encode("utf-8", "surrogateescape"),
        headers=headers,
        fields=dict(headers),
        body=whole,
    )


@given(
    target=targets(),
    query=FIELDS,
    fields=FIELDS,
    body=BODIES,
    authorized=st.sampled_from([True, True, True, False]),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_makes_a_fault(  # noqa: PLR0917 - hypothesis passes them by name
    shared, target, query, fields, body, authorized
):
    loop, api = shared
    api.observer.notes.clear()
    api.app._burst._calls.clear()
    request = request_of(api, target, query, fields, body, authorized=authorized)
    answer = loop.run_until_complete(api.app.answer(request))
    event(f"{answer.status}")
    assert answer.status < 500, (answer, api.observer.notes)
    assert api.observer.notes == []
    if answer.status >= 400:
        error = msgspec.json.decode(answer.body)
        assert error["error"]
        assert error["code"]
        assert (b"content-type", b"application/json") in answer.fields

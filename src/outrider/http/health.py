"""Is it alive, is it ready, what does it measure, what is it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from importlib.metadata import version

from outrider.domain.errors import Unauthenticated
from outrider.domain.tenant import hash_token
from outrider.http import access, answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.schema import map_of, text, thing


async def index(_call: Call) -> Answer:
    return _INDEX


async def alive(_call: Call) -> Answer:
    return _OK


async def ready(call: Call) -> Answer:
    """503 while publishing or delivering does not work."""
    await call.engine.check()
    return _OK


def metrics_route(render: Callable[[], bytes], token_hash: str | None = None) -> Route:
    """The row that serves what `render` gives, in Prometheus' text format, to who has the token if there is one."""

    async def metrics(call: Call) -> Answer:
        if token_hash is not None:
            given = hash_token(access.token_of(call.request.fields.get(b"authorization")))
            if not hmac.compare_digest(given, token_hash):
                raise Unauthenticated("the token is not that of the metrics", code="token_unknown")
        return Answer(200, render(), _PROMETHEUS)

    operation = Operation("Metrics in Prometheus' text format.", text(), media="text/plain")
    return Route("GET", "/metrics", metrics, Needs.OPEN, operation)


_OK = answers.json({"status": "ok"})
_PROMETHEUS = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)
_INDEX = answers.json(
    {
        "name": "outrider",
        "version": version("outrider"),
        "links": {
            "docs": "/docs",
            "openapi": "/openapi.json",
            "publish": "/v2/publish/{destination}",
            "enqueue": "/v2/enqueue/{queue}/{destination}",
            "batch": "/v2/batch",
            "messages": "/v2/messages/{id}",
            "logs": "/v2/logs",
            "dlq": "/v2/dlq",
            "schedules": "/v2/schedules",
            "queues": "/v2/queues",
            "urlGroups": "/v2/url-groups",
            "flowControl": "/v2/flowControl",
            "keys": "/v2/keys",
            "usage": "/v2/usage",
            "activity": "/v2/activity",
            "status": "/v2/status",
            "health": "/healthz",
            "readiness": "/readyz",
        },
    }
)

INDEX = thing("Index", {"name": text(), "version": text(), "links": map_of(text())})
HEALTH = thing("Health", {"status": text()})

ROUTES = (
    Route("GET", "/", index, Needs.OPEN, Operation("What this is, and where things are.", INDEX)),
    Route("GET", "/healthz", alive, Needs.OPEN, Operation("Whether the server answers.", HEALTH)),
    Route("GET", "/readyz", ready, Needs.OPEN, Operation("Whether publishing and delivering work; else 503.", HEALTH)),
)

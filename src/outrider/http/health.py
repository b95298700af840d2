"""Is it alive, is it ready, what does it measure, what is it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.routes import Needs, Route


async def index(_call: Call) -> Answer:
    return _INDEX


async def alive(_call: Call) -> Answer:
    return _OK


async def ready(call: Call) -> Answer:
    """503 while publishing or delivering does not work."""
    await call.engine.check()
    return _OK


def metrics_route(render: Callable[[], bytes]) -> Route:
    """The row that serves what `render` gives, in Prometheus' text format."""

    async def metrics(_call: Call) -> Answer:
        return Answer(200, render(), _PROMETHEUS)

    return Route("GET", "/metrics", metrics, Needs.OPEN)


_OK = answers.json({"status": "ok"})
_PROMETHEUS = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)
_INDEX = answers.json(
    {
        "name": "outrider",
        "version": version("outrider"),
        "links": {
            "publish": "/v2/publish/{destination}",
            "batch": "/v2/batch",
            "messages": "/v2/messages/{id}",
            "logs": "/v2/logs",
            "dlq": "/v2/dlq",
            "keys": "/v2/keys",
            "health": "/healthz",
            "readiness": "/readyz",
        },
    }
)

ROUTES = (
    Route("GET", "/", index, Needs.OPEN),
    Route("GET", "/healthz", alive, Needs.OPEN),
    Route("GET", "/readyz", ready, Needs.OPEN),
)

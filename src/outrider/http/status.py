"""How things stand."""

from __future__ import annotations

from importlib.metadata import version

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.status import STATUS, present_status


async def now(call: Call) -> Answer:
    return answers.json(present_status(await call.engine.status.read(call.tenant), _VERSION))


_VERSION = version("outrider")
_NOW = Operation(
    "How things stand: what is on its way, what was given up, nodes, the database. Outrider's own.", STATUS
)

ROUTES = (Route("GET", "/v2/status", now, Needs.READ, _NOW),)

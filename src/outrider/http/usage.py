"""What the tenant has used of its limits."""

from __future__ import annotations

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.usage import USAGE, present_usage


async def today(call: Call) -> Answer:
    return answers.json(present_usage(await call.engine.usage.today(call.tenant)))


ROUTES = (Route("GET", "/v2/usage", today, Needs.READ, Operation("Messages published today (UTC).", USAGE)),)

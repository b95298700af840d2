"""What happened, in figures."""

from __future__ import annotations

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.activity import ACTIVITY, ACTIVITY_PARAMETERS, parse_activity_query, present_series
from outrider.wire.query import decode_query


async def series(call: Call) -> Answer:
    asked = parse_activity_query(decode_query(call.query), call.engine.clock.now())
    found = await call.engine.activity.series(call.tenant, asked.begin, asked.end, asked.points)
    return answers.json(present_series(found))


_SERIES = Operation(
    "What happened in each step of a time: messages, attempts, their latency and errors. Outrider's own.",
    ACTIVITY,
    query=ACTIVITY_PARAMETERS,
)

ROUTES = (Route("GET", "/v2/activity", series, Needs.READ, _SERIES),)

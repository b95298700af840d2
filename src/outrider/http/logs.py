"""What happened, page by page. `/v2/events` is the older name."""

from __future__ import annotations

from typing import Any

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.filters import EVENT_PARAMETERS, LOG_PARAMETERS, LogRequest, parse_event_query, parse_log_query
from outrider.wire.present import EVENT_PAGE, LOG_PAGE, LOGGED_PAGE, present_entry, present_logged
from outrider.wire.query import decode_query
from outrider.wire.schema import either


async def list_events(call: Call) -> Answer:
    return answers.json(await _page(call, parse_event_query(decode_query(call.query))))


async def list_logs(call: Call) -> Answer:
    asked = parse_log_query(decode_query(call.query))
    if asked.by_message:
        messages = await call.engine.store.list_logged(call.tenant, asked.query)
        shown = [present_logged(one) for one in messages.items]
        return answers.json(answers.paged({"messages": shown}, messages.cursor))
    page = await _page(call, asked)
    return answers.json({"logs": page["events"], **page})


async def _page(call: Call, asked: LogRequest) -> dict[str, Any]:
    page = await call.engine.store.list_log(call.tenant, asked.query)
    entries = [present_entry(entry, trim_body=asked.trim_body) for entry in page.items]
    return answers.paged({"events": entries}, page.cursor)


_EVENTS = Operation("What happened, page by page; the older name of /v2/logs.", EVENT_PAGE, query=EVENT_PARAMETERS)
_LOGS = Operation(
    "What happened to messages, page by page; with groupBy=message, one row a message.",
    either(LOG_PAGE, LOGGED_PAGE),
    query=LOG_PARAMETERS,
)

ROUTES = (
    Route("GET", "/v2/events", list_events, Needs.READ, _EVENTS),
    Route("GET", "/v2/logs", list_logs, Needs.READ, _LOGS),
)

"""Who changed what."""

from __future__ import annotations

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.audit import AUDIT_PAGE, AUDIT_PARAMETERS, parse_audit_query, present_audit_entry
from outrider.wire.query import decode_query


async def list_some(call: Call) -> Answer:
    asked = parse_audit_query(decode_query(call.query))
    found = await call.engine.audit.list(call.tenant, before=asked.before, limit=asked.count + 1)
    shown = found[: asked.count]
    cursor = str(shown[-1].id) if len(found) > len(shown) else None
    return answers.json(answers.paged({"entries": [present_audit_entry(entry) for entry in shown]}, cursor))


_LIST = Operation("Administrative changes, latest first, page by page.", AUDIT_PAGE, query=AUDIT_PARAMETERS)

ROUTES = (Route("GET", "/v2/audit", list_some, Needs.FULL, _LIST),)

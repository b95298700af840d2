"""Messages on their way: look at one, cancel some."""

from __future__ import annotations

from msgspec import structs

from outrider.http import answers, bulk
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.bodies import ids_body
from outrider.wire.filters import CANCEL_PARAMETERS, parse_cancel_query
from outrider.wire.present import CANCELED, MESSAGE, present_message
from outrider.wire.query import decode_query, split_query


async def show(call: Call) -> Answer:
    message = await call.engine.messages.get(call.tenant, call.param("id"))
    return answers.json(present_message(message))


async def cancel(call: Call) -> Answer:
    await call.engine.messages.cancel(call.tenant, call.param("id"))
    return answers.json({"cancelled": 1})


async def cancel_many(call: Call) -> Answer:
    """Cancel the named, the filtered, or, where nothing is said, all. An empty list of ids cancels none."""
    parameters = split_query(call.query).left
    in_body = await bulk.named_ids(call, "messageIds", parameters)
    asked = parse_cancel_query(decode_query(parameters))
    ids = bulk.only_once("messageIds", in_body, asked.filter.ids)
    if in_body == ():
        return answers.json({"cancelled": 0})
    which = structs.replace(asked.filter, ids=ids)
    canceled = await call.engine.messages.cancel_many(call.tenant, which, asked.count)
    await call.audit("messages.cancel", f"{canceled} messages")
    return answers.json({"cancelled": canceled})


_CANCEL = Operation("Cancel a message.", CANCELED)
_CANCEL_MANY = Operation(
    "Cancel the messages that are named in the body, those that the query describes, or all.",
    CANCELED,
    body=ids_body("messageIds"),
    query=CANCEL_PARAMETERS,
)

ROUTES = (
    Route("GET", "/v2/messages/{id}", show, Needs.READ, Operation("One message.", MESSAGE)),
    Route("DELETE", "/v2/messages/{id}", cancel, Needs.CHANGE, _CANCEL),
    Route("DELETE", "/v2/messages", cancel_many, Needs.CHANGE, _CANCEL_MANY),
)

"""Messages on their way: look at some, have one attempted now, cancel some."""

from __future__ import annotations

from msgspec import structs

from outrider.http import answers, bulk
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.publications import PUBLICATION, present_publication
from outrider.http.routes import Needs, Route
from outrider.wire.bodies import ids_body
from outrider.wire.filters import CANCEL_PARAMETERS, MESSAGE_PARAMETERS, parse_cancel_query, parse_message_query
from outrider.wire.options import parse_request_options
from outrider.wire.present import (
    CANCELED,
    COUNT,
    MESSAGE,
    MESSAGE_PAGE,
    present_count,
    present_message,
    present_unfinished,
)
from outrider.wire.query import decode_query, split_query
from outrider.wire.schema import text, thing


async def show(call: Call) -> Answer:
    message = await call.engine.messages.get(call.tenant, call.param("id"))
    return answers.json(present_message(message))


async def list_some(call: Call) -> Answer:
    asked, now = parse_message_query(decode_query(call.query)), call.engine.clock.now()
    page = await call.engine.store.list_messages(call.tenant, asked, now)
    return answers.json(answers.paged({"messages": [present_unfinished(one, now) for one in page.items]}, page.cursor))


async def count(call: Call) -> Answer:
    asked = parse_message_query(decode_query(call.query))
    return answers.json(
        present_count(await call.engine.store.count_messages(call.tenant, asked, call.engine.clock.now()))
    )


async def retry_now(call: Call) -> Answer:
    """Attempt a message that waits for its time as soon as there is room."""
    message_id = call.param("id")
    await call.engine.messages.retry_now(call.tenant, message_id)
    return answers.json({"messageId": message_id})


async def republish(call: Call) -> Answer:
    """Publish a message once more, as it is stored; headers of the request override its options."""
    message = await call.engine.messages.get(call.tenant, call.param("id"))
    # There is no body here that a Content-Type could be that of.
    headers = [header for header in call.request.headers if header[0] != b"content-type"]
    overrides = parse_request_options(headers, split_query(call.query).options, call.engine.limits)
    return answers.json(present_publication(await call.engine.publisher.republish(message, overrides)))


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

_LIST = Operation("Unfinished messages, soonest due first, page by page.", MESSAGE_PAGE, query=MESSAGE_PARAMETERS)
_COUNT = Operation("How many unfinished messages there are.", COUNT, query=MESSAGE_PARAMETERS)
_RETRY = Operation(
    "Attempt now a message that waits for its time; 409 for one that does not.",
    thing("RetriedNow", {"messageId": text()}),
)

_REPUBLISH = Operation(
    "Publish a message once more, with its body and all its options, redacted ones too; headers override them.",
    PUBLICATION,
    takes_options=True,
)

ROUTES = (
    Route("GET", "/v2/messages", list_some, Needs.READ, _LIST),
    Route("GET", "/v2/messages/count", count, Needs.READ, _COUNT),
    Route("POST", "/v2/messages/{id}/retry", retry_now, Needs.CHANGE, _RETRY),
    Route("POST", "/v2/messages/{id}/republish", republish, Needs.CHANGE, _REPUBLISH),
    Route("GET", "/v2/messages/{id}", show, Needs.READ, Operation("One message.", MESSAGE)),
    Route("DELETE", "/v2/messages/{id}", cancel, Needs.CHANGE, _CANCEL),
    Route("DELETE", "/v2/messages", cancel_many, Needs.CHANGE, _CANCEL_MANY),
)

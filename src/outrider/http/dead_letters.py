"""The dead-letter queue: look, delete, try anew."""

from __future__ import annotations

from msgspec import structs

from outrider.domain.options import OptionPatch
from outrider.domain.query import DeadLetterQuery
from outrider.http import answers, bulk
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.publications import PUBLICATION, present_publication
from outrider.http.routes import Needs, Route
from outrider.wire.bodies import ids_body
from outrider.wire.filters import DEAD_LETTER_PARAMETERS, MOST_DEAD_LETTERS, parse_dead_letter_query
from outrider.wire.options import parse_request_options
from outrider.wire.present import DEAD_LETTER, DEAD_LETTER_PAGE, DELETED, present_dead_letter
from outrider.wire.query import decode_query, split_query
from outrider.wire.schema import list_of, text, thing


async def list_some(call: Call) -> Answer:
    asked = parse_dead_letter_query(decode_query(call.query))
    page = await call.engine.dead_letters.list(call.tenant, asked.query)
    return answers.json(answers.paged({"messages": [present_dead_letter(one) for one in page.items]}, page.cursor))


async def show(call: Call) -> Answer:
    letter = await call.engine.dead_letters.get(call.tenant, call.param("id"))
    return answers.json(present_dead_letter(letter))


async def delete(call: Call) -> Answer:
    await call.engine.dead_letters.delete(call.tenant, call.param("id"))
    await call.audit("dead_letter.delete", call.param("id"))
    return answers.EMPTY


async def delete_many(call: Call) -> Answer:
    """Delete the named, or the first of the filtered; ids that are gone are no error."""
    query = await _asked(call, split_query(call.query).left)
    if query is None:
        return answers.json({"deleted": 0})
    page = await call.engine.dead_letters.delete_many(call.tenant, query)
    await call.audit("dead_letter.delete", f"{len(page.items)} dead letters")
    return answers.json(answers.paged({"deleted": len(page.items)}, page.cursor))


async def retry(call: Call) -> Answer:
    """Publish one anew; headers of the request override the options it was published with."""
    overrides = _overrides(call, split_query(call.query).options)
    publication = await call.engine.dead_letters.retry(call.tenant, call.param("id"), overrides)
    return answers.json(present_publication(publication))


async def retry_many(call: Call) -> Answer:
    """Publish the named, or the first of the filtered, anew: all of them or none."""
    own = split_query(call.query)
    overrides = _overrides(call, own.options)
    query = await _asked(call, own.left)
    if query is None:
        return answers.json({"responses": []}, 201)
    page = await call.engine.dead_letters.retry_many(call.tenant, query, overrides)
    responses = [present_publication(publication) for publication in page.items]
    return answers.json(answers.paged({"responses": responses}, page.cursor), 201)


async def _asked(call: Call, parameters: bytes) -> DeadLetterQuery | None:
    """Which dead letters a bulk change means; None for an explicitly empty list of ids."""
    in_body = await bulk.named_ids(call, "dlqIds", parameters)
    query = parse_dead_letter_query(decode_query(parameters)).query
    ids = bulk.only_once("dlqIds", in_body, query.ids)
    if in_body == ():
        return None
    # Who names more than a page by id means each of them, not the first page.
    count = max(query.count, len(ids)) if query.count == MOST_DEAD_LETTERS else query.count
    return structs.replace(query, ids=ids, count=count)


def _overrides(call: Call, options: list[tuple[str, str]]) -> OptionPatch:
    """What the request says anew. Its own Content-Type is not the message's: that of a client without body."""
    headers = [header for header in call.request.headers if header[0] != b"content-type"]
    return parse_request_options(headers, options, call.engine.limits)


RETRIED = thing(
    "Retried", {"responses": list_of(PUBLICATION)}, {"cursor": text("There is more: asks for what follows.")}
)
_DELETE_MANY = Operation(
    "Delete the dead letters that are named in the body or the query, or the first of those that the query describes.",
    DELETED,
    body=ids_body("dlqIds"),
    query=DEAD_LETTER_PARAMETERS,
)
_RETRY_MANY = Operation(
    "Publish named or filtered dead letters anew, all of them or none; headers override their options.",
    RETRIED,
    statuses=(201,),
    body=ids_body("dlqIds"),
    query=DEAD_LETTER_PARAMETERS,
    takes_options=True,
)
_RETRY = Operation("Publish a dead letter anew; headers override its options.", PUBLICATION, takes_options=True)

ROUTES = (
    Route(
        "GET",
        "/v2/dlq",
        list_some,
        Needs.READ,
        Operation("Dead letters, page by page.", DEAD_LETTER_PAGE, query=DEAD_LETTER_PARAMETERS),
    ),
    Route("DELETE", "/v2/dlq", delete_many, Needs.CHANGE, _DELETE_MANY),
    Route("POST", "/v2/dlq/retry", retry_many, Needs.CHANGE, _RETRY_MANY),
    Route("POST", "/v2/dlq/retry/{id}", retry, Needs.CHANGE, _RETRY),
    Route("GET", "/v2/dlq/{id}", show, Needs.READ, Operation("One dead letter.", DEAD_LETTER)),
    Route("DELETE", "/v2/dlq/{id}", delete, Needs.CHANGE, Operation("Delete a dead letter.")),
)

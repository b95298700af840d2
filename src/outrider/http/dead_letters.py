"""The dead-letter queue: look, delete, try anew."""

from __future__ import annotations

from msgspec import structs

from outrider.domain.options import OptionPatch
from outrider.domain.query import DeadLetterQuery
from outrider.http import answers, bulk
from outrider.http.answers import Answer
from outrider.http.calls import SEND_A_REFERENCE, Call
from outrider.http.operations import Operation
from outrider.http.publications import PUBLICATION, present_publication
from outrider.http.routes import Needs, Route
from outrider.wire.bodies import ids_body
from outrider.wire.filters import DEAD_LETTER_PARAMETERS, MOST_DEAD_LETTERS, parse_dead_letter_query
from outrider.wire.options import parse_request_options
from outrider.wire.present import (
    CLUSTERS,
    COUNT,
    DEAD_LETTER,
    DEAD_LETTER_PAGE,
    DELETED,
    present_cluster,
    present_count,
    present_dead_letter,
)
from outrider.wire.query import decode_query, split_query
from outrider.wire.replacing import parse_replaced
from outrider.wire.schema import list_of, text, thing


async def list_some(call: Call) -> Answer:
    asked = parse_dead_letter_query(decode_query(call.query))
    page = await call.engine.dead_letters.list(call.tenant, asked.query)
    return answers.json(answers.paged({"messages": [present_dead_letter(one) for one in page.items]}, page.cursor))


async def count(call: Call) -> Answer:
    asked = parse_dead_letter_query(decode_query(call.query))
    return answers.json(present_count(await call.engine.store.count_dead_letters(call.tenant, asked.query)))


async def cluster(call: Call) -> Answer:
    """Dead letters by what was answered and by whom, the most first."""
    asked = parse_dead_letter_query(decode_query(call.query))
    found = await call.engine.store.cluster_dead_letters(call.tenant, asked.query)
    shown = [present_cluster(one) for one in found.clusters]
    return answers.json({"clusters": shown, **present_count(found.total, "total")})


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
    """Publish one anew; headers of the request override the options it was published with.

    With `Outrider-Replace: body` the request's body and Content-Type take the place of the message's, with
    `headers` its forwarded headers do, all of them.
    """
    replaced = parse_replaced(call.request.headers)
    body = await call.body(call.engine.limits.body_bytes, SEND_A_REFERENCE) if replaced.body else None
    options = split_query(call.query).options
    overrides = _overrides(call, options, own_type=replaced.body or replaced.headers)
    publication = await call.engine.dead_letters.retry(
        call.tenant, call.param("id"), overrides, body=body, replaces_headers=replaced.headers
    )
    await call.audit("dead_letter.retry", call.param("id"))
    return answers.json(present_publication(publication))


async def retry_many(call: Call) -> Answer:
    """Publish the named, or the first of the filtered, anew: all of them or none."""
    own = split_query(call.query)
    overrides = _overrides(call, own.options)
    query = await _asked(call, own.left)
    if query is None:
        return answers.json({"responses": []}, 201)
    page = await call.engine.dead_letters.retry_many(call.tenant, query, overrides)
    await call.audit("dead_letter.retry", f"{len(page.items)} dead letters")
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


def _overrides(call: Call, options: list[tuple[str, str]], *, own_type: bool = False) -> OptionPatch:
    """What the request says anew. Its Content-Type is the message's only where it brings what that describes."""
    headers = [header for header in call.request.headers if own_type or header[0] != b"content-type"]
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
_RETRY = Operation(
    "Publish a dead letter anew; headers override its options. With `Outrider-Replace: body,headers` the request's "
    "body and forwarded headers, or those of both that are named, take the place of the message's.",
    PUBLICATION,
    takes_options=True,
    takes_bytes=True,
)

_COUNT = Operation("How many dead letters there are.", COUNT, query=DEAD_LETTER_PARAMETERS)
_CLUSTERS = Operation(
    "Dead letters grouped by status and host, the largest groups first.", CLUSTERS, query=DEAD_LETTER_PARAMETERS
)

ROUTES = (
    Route(
        "GET",
        "/v2/dlq",
        list_some,
        Needs.READ,
        Operation("Dead letters, page by page.", DEAD_LETTER_PAGE, query=DEAD_LETTER_PARAMETERS),
    ),
    Route("GET", "/v2/dlq/count", count, Needs.READ, _COUNT),
    Route("GET", "/v2/dlq/clusters", cluster, Needs.READ, _CLUSTERS),
    Route("DELETE", "/v2/dlq", delete_many, Needs.CHANGE, _DELETE_MANY),
    Route("POST", "/v2/dlq/retry", retry_many, Needs.CHANGE, _RETRY_MANY),
    Route("POST", "/v2/dlq/retry/{id}", retry, Needs.CHANGE, _RETRY),
    Route("GET", "/v2/dlq/{id}", show, Needs.READ, Operation("One dead letter.", DEAD_LETTER)),
    Route("DELETE", "/v2/dlq/{id}", delete, Needs.CHANGE, Operation("Delete a dead letter.")),
)

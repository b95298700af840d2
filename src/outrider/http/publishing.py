"""Hop 1: messages come in. The hot path: one await for the body, one for the store."""

from __future__ import annotations

from msgspec import UNSET

from outrider.domain.errors import Malformed, Refusal
from outrider.domain.options import OptionPatch
from outrider.engine.publisher import PublishRequest
from outrider.http import answers, errors, publications, schedules
from outrider.http.answers import Answer
from outrider.http.calls import SEND_A_REFERENCE, Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.bodies import BATCH, BatchItem, parse_batch
from outrider.wire.destination import no_llm_provider
from outrider.wire.names import check_name
from outrider.wire.options import parse_request_options
from outrider.wire.schedules import SCHEDULE_CREATED
from outrider.wire.schema import ERROR, either, list_of

_SEND_SMALLER_BATCHES = "split the batch"


async def publish(call: Call) -> Answer:
    """Store a message, or one for each endpoint of a group; with Upstash-Cron, a schedule."""
    return await _publish(call, None)


async def enqueue(call: Call) -> Answer:
    """Publish through a queue, which is made on first use."""
    return await _publish(call, check_name("queue", call.param("queue")))


async def publish_batch(call: Call) -> Answer:
    """Store every item that can be sent, in one transaction; an item that cannot is answered by its error."""
    limits = call.engine.limits
    items = parse_batch(await call.body(limits.batch_bytes, _SEND_SMALLER_BATCHES), limits)
    requests = [_request_of(call, index, item) for index, item in enumerate(items)]
    published = await call.engine.publisher.publish_batch(requests)
    return answers.json(
        [errors.describe(one) if isinstance(one, Refusal) else publications.present(one) for one in published]
    )


async def refuse_llm(_call: Call) -> Answer:
    raise no_llm_provider()


async def _publish(call: Call, queue: str | None) -> Answer:
    limits = call.engine.limits
    target = call.target()
    patch = parse_request_options(call.request.headers, target.options, limits)
    if patch.cron is not UNSET:
        return await schedules.keep(call, target.destination, patch, queue)
    body = await call.body(limits.body_bytes, SEND_A_REFERENCE)
    published = await call.engine.publisher.publish(
        PublishRequest(
            tenant=call.tenant,
            destination=target.destination,
            patch=patch,
            body=body,
            queue=_queue_of(queue, patch),
            caller_ip=call.caller_ip,
        )
    )
    return publications.answer(published)


def _request_of(call: Call, index: int, item: BatchItem) -> PublishRequest:
    if item.patch.cron is not UNSET:
        raise Malformed(
            f"item {index} of the batch: Upstash-Cron '{item.patch.cron}' asks for a schedule, "
            "and a batch holds messages alone",
            code="invalid_item",
            hint="create each schedule by POST /v2/schedules/{destination}",
        )
    return PublishRequest(
        tenant=call.tenant,
        destination=item.destination,
        patch=item.patch,
        body=item.body,
        queue=_queue_of(item.queue, item.patch),
        caller_ip=call.caller_ip,
    )


def _queue_of(named: str | None, patch: OptionPatch) -> str | None:
    """The queue that the path or the item names, else Upstash-Queue-Name's."""
    if named is None and patch.queue is not UNSET:
        return patch.queue
    return named


# Webhook senders cannot choose their method: all of these publish.
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")

_ANSWER = either(*publications.PUBLISHED["anyOf"], SCHEDULE_CREATED)
_PUBLISH = Operation(
    "Publish a message to a URL, or one to each endpoint of a URL group; with Upstash-Cron, create a schedule.",
    _ANSWER,
    statuses=(200, 202),
    takes_options=True,
    takes_bytes=True,
)
_ENQUEUE = Operation(
    "Publish through a queue, which delivers in order; it is made on first use.",
    _ANSWER,
    statuses=(200, 202),
    takes_options=True,
    takes_bytes=True,
)
_BATCH = Operation(
    "Publish many messages in one transaction; an item that cannot be sent is answered by its error.",
    list_of(either(*publications.PUBLISHED["anyOf"], ERROR), "One answer for each item, in order."),
    body=BATCH,
)
_NO_LLM = Operation("Refused: name the provider's URL as the destination.", ERROR, statuses=(400,))

ROUTES = (
    *(
        Route(method, path, handle, Needs.CHANGE, operation, burst_limited=False)
        for path, handle, operation in (
            ("/v2/publish/{destination:rest}", publish, _PUBLISH),
            ("/v2/enqueue/{queue}/{destination:rest}", enqueue, _ENQUEUE),
        )
        for method in _METHODS
    ),
    Route("POST", "/v2/batch", publish_batch, Needs.CHANGE, _BATCH, burst_limited=False),
    Route("POST", "/llm/v1/chat/completions", refuse_llm, Needs.OPEN, _NO_LLM),
)

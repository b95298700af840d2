"""Hop 1: messages come in. The hot path: one await for the body, one for the store."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from outrider.domain.errors import Malformed, Refusal
from outrider.domain.options import OptionPatch
from outrider.engine.publisher import FanOut, Publication, PublishRequest
from outrider.http import answers, errors
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.routes import Needs, Route
from outrider.wire.bodies import BatchItem, parse_batch
from outrider.wire.destination import no_llm_provider, parse_target
from outrider.wire.options import parse_options

_SEND_A_REFERENCE = "store the payload elsewhere and publish a reference to it"
_SEND_SMALLER_BATCHES = "split the batch"


async def publish(call: Call) -> Answer:
    """Store a message, or one for each endpoint of a group; 202 where all were stored before."""
    limits = call.engine.limits
    target = parse_target(call.params["destination"], call.query)
    patch = _deliverable(parse_options(call.header_texts(), target.options, limits))
    body = await call.body(limits.body_bytes, _SEND_A_REFERENCE)
    published = await call.engine.publisher.publish(
        PublishRequest(
            tenant=call.tenant,
            destination=target.destination,
            patch=patch,
            body=body,
            caller_ip=call.caller_ip,
        )
    )
    return answers.json(present(published), 202 if _all_duplicates(published) else 200)


async def publish_batch(call: Call) -> Answer:
    """Store every item that can be sent, in one transaction; an item that cannot is answered by its error."""
    limits = call.engine.limits
    items = parse_batch(await call.body(limits.batch_bytes, _SEND_SMALLER_BATCHES), limits)
    requests = [_request(call, item, f"item {index} of the batch: ") for index, item in enumerate(items)]
    published = await call.engine.publisher.publish_batch(requests)
    return answers.json([errors.describe(one) if isinstance(one, Refusal) else present(one) for one in published])


async def refuse_llm(_call: Call) -> Answer:
    raise no_llm_provider()


def present(published: Publication | FanOut) -> dict[str, Any] | list[dict[str, Any]]:
    """What a producer reads: an object for a URL, an array for a group."""
    if isinstance(published, FanOut):
        return [present_publication(one) for one in published.publications]
    return present_publication(published)


def present_publication(publication: Publication) -> dict[str, Any]:
    said = {"messageId": publication.message_id, "url": publication.url}
    return {**said, "deduplicated": True} if publication.deduplicated else said


def _all_duplicates(published: Publication | FanOut) -> bool:
    if isinstance(published, FanOut):
        return bool(published.publications) and all(one.deduplicated for one in published.publications)
    return published.deduplicated


def _request(call: Call, item: BatchItem, where: str) -> PublishRequest:
    return PublishRequest(
        tenant=call.tenant,
        destination=item.destination,
        patch=_deliverable(item.patch, where),
        body=item.body,
        queue=item.queue,
        caller_ip=call.caller_ip,
    )


def _deliverable(patch: OptionPatch, where: str = "") -> OptionPatch:
    """The patch of a message to be sent now or later, once. A schedule is not taken for a single message."""
    if patch.cron is not UNSET:
        raise Malformed(
            f"{where}Upstash-Cron '{patch.cron}' asks for a schedule, and this server keeps none",
            code="no_schedules",
            hint="leave Upstash-Cron out to publish once",
        )
    return patch


# Webhook senders cannot choose their method: all of these publish.
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")

ROUTES = (
    *(
        Route(method, "/v2/publish/{destination:rest}", publish, Needs.CHANGE, burst_limited=False)
        for method in _METHODS
    ),
    Route("POST", "/v2/batch", publish_batch, Needs.CHANGE, burst_limited=False),
    Route("POST", "/llm/v1/chat/completions", refuse_llm, Needs.OPEN),
)

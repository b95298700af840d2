"""Looking ahead: when a cron expression fires, what a publish would come to. Nothing is stored."""

from __future__ import annotations

from msgspec import UNSET, structs

from outrider.engine.publisher import PublishRequest
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import SEND_A_REFERENCE, Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.cron import CRON, CRON_PARAMETERS, DEFAULT_COUNT, parse_cron, parse_cron_request, present_cron
from outrider.wire.options import parse_request_options
from outrider.wire.previews import PREVIEW, present_preview
from outrider.wire.query import decode_query
from outrider.wire.schedules import destination_text


async def cron(call: Call) -> Answer:
    asked = parse_cron_request(decode_query(call.query))
    start = call.engine.clock.now() if asked.start is None else asked.start
    return answers.json(present_cron(asked.cron, start, asked.count))


async def preview(call: Call) -> Answer:
    """What a publish of the same headers and body would come to, or its refusal."""
    limits = call.engine.limits
    target = call.target()
    patch = parse_request_options(call.request.headers, target.options, limits)
    schedule = None
    if patch.cron is not UNSET:
        schedule = present_cron(parse_cron(patch.cron), call.engine.clock.now(), DEFAULT_COUNT)
        patch = structs.replace(patch, cron=UNSET, cron_jitter_ms=UNSET, schedule_id=UNSET)
    found = await call.engine.previews.preview(
        PublishRequest(
            tenant=call.tenant,
            destination=target.destination,
            patch=patch,
            body=await call.body(limits.body_bytes, SEND_A_REFERENCE),
            queue=None if patch.queue is UNSET else patch.queue,
            caller_ip=call.caller_ip,
        )
    )
    destination = destination_text(target.destination)
    shown = present_preview(destination, found.messages, found.request, found.injected, found.attempts)
    return answers.json(shown if schedule is None else {**shown, "schedule": schedule})


_CRON = Operation("When a cron expression fires next.", CRON, query=CRON_PARAMETERS)
_PREVIEW = Operation(
    "What a publish of the same headers and body would come to, with Upstash-Cron the schedule; nothing is stored.",
    PREVIEW,
    takes_options=True,
    takes_bytes=True,
)

ROUTES = (
    Route("GET", "/v2/cron", cron, Needs.READ, _CRON),
    Route("POST", "/v2/preview/{destination:rest}", preview, Needs.READ, _PREVIEW),
)

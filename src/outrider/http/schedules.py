"""Schedules: create, look, edit, copy, pause, resume, run now, delete."""

from __future__ import annotations

from msgspec import structs

from outrider.domain.destination import Destination
from outrider.domain.options import OptionPatch
from outrider.engine.schedules import ScheduleView
from outrider.http import answers, publications
from outrider.http.answers import Answer
from outrider.http.calls import SEND_A_REFERENCE, Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.editing import EDIT_PARAMETERS, Edit, parse_edit
from outrider.wire.options import default_options, parse_request_options
from outrider.wire.present import Presented
from outrider.wire.schedules import SCHEDULE, SCHEDULE_CREATED, present_created, present_schedule
from outrider.wire.schema import list_of


async def create(call: Call) -> Answer:
    """Create a schedule, or overwrite the one that Upstash-Schedule-Id names."""
    target = call.target()
    patch = parse_request_options(call.request.headers, target.options, call.engine.limits)
    return await keep(call, target.destination, patch)


async def keep(call: Call, destination: Destination, patch: OptionPatch, queue: str | None = None) -> Answer:
    """Store what the call asks for as a schedule; `queue` is its path's, which beats Upstash-Queue-Name."""
    if queue is not None:
        patch = structs.replace(patch, queue=queue)
    body = await call.body(call.engine.limits.body_bytes, SEND_A_REFERENCE)
    schedule = await call.engine.schedules.put(call.tenant, destination, patch, body, call.caller_ip)
    await call.audit("schedule.put", schedule.id)
    return answers.json(present_created(schedule, call.engine.clock.now()))


async def list_all(call: Call) -> Answer:
    return answers.json([_shown(call, view) for view in await call.engine.schedules.list(call.tenant)])


async def show(call: Call) -> Answer:
    return answers.json(_shown(call, await call.engine.schedules.get(call.tenant, call.param("id"))))


async def edit(call: Call) -> Answer:
    """Change what the request says of a schedule, and nothing else."""
    schedule_id = call.param("id")
    await call.engine.schedules.edit(call.tenant, schedule_id, await _edit_of(call))
    await call.audit("schedule.edit", schedule_id)
    return answers.json(_shown(call, await call.engine.schedules.get(call.tenant, schedule_id)))


async def copy(call: Call) -> Answer:
    """Make another schedule of one, with what the request says of it."""
    schedule = await call.engine.schedules.copy(call.tenant, call.param("id"), await _edit_of(call), call.caller_ip)
    await call.audit("schedule.put", schedule.id)
    return answers.json(present_created(schedule, call.engine.clock.now()))


async def _edit_of(call: Call) -> Edit:
    limits = call.engine.limits
    body = await call.body(limits.body_bytes, SEND_A_REFERENCE)
    return parse_edit(call.request.headers, call.query, body, limits)


async def delete(call: Call) -> Answer:
    await call.engine.schedules.delete(call.tenant, call.param("id"))
    await call.audit("schedule.delete", call.param("id"))
    return answers.EMPTY


async def pause(call: Call) -> Answer:
    await call.engine.schedules.pause(call.tenant, call.param("id"))
    await call.audit("schedule.pause", call.param("id"))
    return answers.EMPTY


async def resume(call: Call) -> Answer:
    await call.engine.schedules.resume(call.tenant, call.param("id"))
    await call.audit("schedule.resume", call.param("id"))
    return answers.EMPTY


async def run_now(call: Call) -> Answer:
    """Publish what the schedule publishes, now; when it fires next stays as it was."""
    return publications.answer(await call.engine.schedules.run_now(call.tenant, call.param("id")))


def _shown(call: Call, view: ScheduleView) -> Presented:
    return present_schedule(view.schedule, view.states, default_options(call.engine.limits))


_CREATE = Operation(
    "Create a schedule that publishes to a URL or a URL group whenever Upstash-Cron fires; "
    "with the Upstash-Schedule-Id of one that exists, overwrite it.",
    SCHEDULE_CREATED,
    takes_options=True,
    takes_bytes=True,
)
_EDIT = Operation(
    "Edit a schedule: what the request says takes the place of what was said, everything else stays. `Outrider-Unset` "
    "names options that are taken away.",
    SCHEDULE,
    query=EDIT_PARAMETERS,
    takes_options=True,
    takes_bytes=True,
)
_COPY = Operation(
    "Make another schedule like this one, but for what the request says; under a new id, or its Upstash-Schedule-Id.",
    SCHEDULE_CREATED,
    query=EDIT_PARAMETERS,
    takes_options=True,
    takes_bytes=True,
)
_PAUSE = Operation("Pause a schedule: it ignores its triggers.")
_RESUME = Operation("Resume a schedule: it fires again from its next trigger on.")

ROUTES = (
    Route("GET", "/v2/schedules", list_all, Needs.READ, Operation("All schedules.", list_of(SCHEDULE))),
    # Ids have no slash, so these take nothing from the destinations below, which are raw.
    *(Route(method, "/v2/schedules/{id}/pause", pause, Needs.CHANGE, _PAUSE) for method in ("PATCH", "POST")),
    *(Route(method, "/v2/schedules/{id}/resume", resume, Needs.CHANGE, _RESUME) for method in ("PATCH", "POST")),
    Route(
        "POST",
        "/v2/schedules/{id}/run",
        run_now,
        Needs.CHANGE,
        Operation("Publish now what a schedule publishes.", publications.PUBLISHED, statuses=(200, 202)),
    ),
    Route("POST", "/v2/schedules/{id}/copy", copy, Needs.CHANGE, _COPY),
    Route("PATCH", "/v2/schedules/{id}", edit, Needs.CHANGE, _EDIT),
    Route("GET", "/v2/schedules/{id}", show, Needs.READ, Operation("One schedule.", SCHEDULE)),
    Route("DELETE", "/v2/schedules/{id}", delete, Needs.CHANGE, Operation("Delete a schedule.")),
    Route("POST", "/v2/schedules/{destination:rest}", create, Needs.CHANGE, _CREATE),
)

"""Queues: make, change, look, pause, resume, delete."""

from __future__ import annotations

from outrider.domain.limits import KIB
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.names import check_name
from outrider.wire.queues import QUEUE, QUEUE_BODY, parse_queue, present_queue
from outrider.wire.schema import list_of

LONGEST_BODY = 64 * KIB


async def put(call: Call) -> Answer:
    """Make a queue, or change what is said of it."""
    said = parse_queue(await call.body(LONGEST_BODY, "name the queue, its parallelism and paused alone"))
    await call.engine.queues.put(call.tenant, said.name, parallelism=said.parallelism, paused=said.paused)
    await call.audit("queue.put", said.name)
    return answers.EMPTY


async def list_all(call: Call) -> Answer:
    oldest = await call.engine.queues.oldest(call.tenant)
    queues = await call.engine.queues.list(call.tenant)
    return answers.json([present_queue(queue, oldest.get(queue.name)) for queue in queues])


async def show(call: Call) -> Answer:
    queue = await call.engine.queues.get(call.tenant, _name(call))
    oldest = await call.engine.queues.oldest(call.tenant, queue.name)
    return answers.json(present_queue(queue, oldest.get(queue.name)))


async def pause(call: Call) -> Answer:
    await call.engine.queues.pause(call.tenant, _name(call))
    await call.audit("queue.pause", _name(call))
    return answers.EMPTY


async def resume(call: Call) -> Answer:
    await call.engine.queues.resume(call.tenant, _name(call))
    await call.audit("queue.resume", _name(call))
    return answers.EMPTY


async def delete(call: Call) -> Answer:
    """Also where there is none."""
    await call.engine.queues.delete(call.tenant, _name(call))
    await call.audit("queue.delete", _name(call))
    return answers.EMPTY


def _name(call: Call) -> str:
    return check_name("queue", call.param("queue"))


ROUTES = (
    Route("GET", "/v2/queues", list_all, Needs.READ, Operation("All queues.", list_of(QUEUE))),
    Route("POST", "/v2/queues", put, Needs.CHANGE, Operation("Make a queue, or change it.", body=QUEUE_BODY)),
    Route("GET", "/v2/queues/{queue}", show, Needs.READ, Operation("One queue.", QUEUE)),
    Route("DELETE", "/v2/queues/{queue}", delete, Needs.CHANGE, Operation("Delete a queue, if there is one.")),
    Route("POST", "/v2/queues/{queue}/pause", pause, Needs.CHANGE, Operation("Pause a queue: nothing new starts.")),
    Route("POST", "/v2/queues/{queue}/resume", resume, Needs.CHANGE, Operation("Resume a queue.")),
)

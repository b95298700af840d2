"""Flow-control keys: look, pause, pin, reset. Keys are free text and stand in the path, slashes included."""

from __future__ import annotations

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Handler, Needs, Route
from outrider.wire.flow_control import (
    FLOW_CONTROL_KEY,
    GLOBAL_PARALLELISM,
    PIN_PARAMETERS,
    SEARCH_PARAMETERS,
    UNPIN_PARAMETERS,
    parse_pin,
    parse_search,
    parse_unpin,
    present_key,
)
from outrider.wire.query import decode_query
from outrider.wire.schema import list_of


async def list_some(call: Call) -> Answer:
    search = parse_search(decode_query(call.query))
    now = call.engine.clock.now()
    found = await call.engine.flow_control.list(call.tenant, search)
    return answers.json([present_key(key, state, now) for key, state in found])


async def show(call: Call) -> Answer:
    key = call.param("key")
    state = await call.engine.flow_control.get(call.tenant, key)
    return answers.json(present_key(key, state, call.engine.clock.now()))


async def pause(call: Call) -> Answer:
    await call.engine.flow_control.pause(call.tenant, call.param("key"))
    await call.audit("flow_key.pause", call.param("key"))
    return answers.EMPTY


async def resume(call: Call) -> Answer:
    await call.engine.flow_control.resume(call.tenant, call.param("key"))
    await call.audit("flow_key.resume", call.param("key"))
    return answers.EMPTY


async def pin(call: Call) -> Answer:
    said = parse_pin(decode_query(call.query))
    await call.engine.flow_control.pin(
        call.tenant, call.param("key"), parallelism=said.parallelism, rate=said.rate, period_ms=said.period_ms
    )
    await call.audit("flow_key.pin", call.param("key"))
    return answers.EMPTY


async def unpin(call: Call) -> Answer:
    said = parse_unpin(decode_query(call.query))
    await call.engine.flow_control.unpin(call.tenant, call.param("key"), parallelism=said.parallelism, rate=said.rate)
    await call.audit("flow_key.unpin", call.param("key"))
    return answers.EMPTY


async def reset(call: Call) -> Answer:
    await call.engine.flow_control.reset(call.tenant, call.param("key"))
    await call.audit("flow_key.reset", call.param("key"))
    return answers.EMPTY


async def reset_rate(call: Call) -> Answer:
    await call.engine.flow_control.reset_rate(call.tenant, call.param("key"))
    await call.audit("flow_key.reset_rate", call.param("key"))
    return answers.EMPTY


async def global_parallelism(call: Call) -> Answer:
    most, in_use = call.engine.flow_control.global_parallelism()
    return answers.json({"parallelismMax": most, "parallelismCount": in_use})


def _action(word: str, handle: Handler, operation: Operation) -> Route:
    return Route("POST", f"/v2/flowControl/{{key:rest}}/{word}", handle, Needs.CHANGE, operation)


_LIST = Operation(
    "Flow-control keys, all or those that contain a word.", list_of(FLOW_CONTROL_KEY), query=SEARCH_PARAMETERS
)
_GLOBAL = Operation("How many deliveries may be in flight in all, and how many are.", GLOBAL_PARALLELISM)

ROUTES = (
    Route("GET", "/v2/flowControl", list_some, Needs.READ, _LIST),
    Route("GET", "/v2/globalParallelism", global_parallelism, Needs.READ, _GLOBAL),
    Route("GET", "/v2/flowControl/{key:rest}", show, Needs.READ, Operation("One flow-control key.", FLOW_CONTROL_KEY)),
    _action("pause", pause, Operation("Pause a key: its messages wait.")),
    _action("resume", resume, Operation("Resume a key.")),
    _action("pin", pin, Operation("Fix limits of a key, whatever messages say.", query=PIN_PARAMETERS)),
    _action("unpin", unpin, Operation("Let messages change limits of a key again.", query=UNPIN_PARAMETERS)),
    _action("reset", reset, Operation("Undo what was done to a key by hand: pause, pins and the running period.")),
    _action("resetRate", reset_rate, Operation("End the running period of a key; a fresh one begins.")),
)

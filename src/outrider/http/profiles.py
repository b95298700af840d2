"""Destination profiles: put, look at, delete."""

from __future__ import annotations

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.profiles import (
    LONGEST_VALUE,
    MOST_HEADERS,
    PROFILE,
    PROFILE_BODY,
    parse_profile,
    parse_profile_host,
    present_profile,
)
from outrider.wire.schema import list_of

LONGEST_BODY = 2 * MOST_HEADERS * LONGEST_VALUE


async def put(call: Call) -> Answer:
    """Make a host's profile, or replace it whole."""
    host = _host(call)
    headers = parse_profile(await call.body(LONGEST_BODY, "name fewer headers"))
    profile = await call.engine.profiles.put(call.tenant, host, headers)
    await call.audit("profile.put", host)
    return answers.json(present_profile(profile))


async def list_all(call: Call) -> Answer:
    return answers.json([present_profile(profile) for profile in await call.engine.profiles.list(call.tenant)])


async def show(call: Call) -> Answer:
    return answers.json(present_profile(await call.engine.profiles.get(call.tenant, _host(call))))


async def delete(call: Call) -> Answer:
    """Also where there is none."""
    await call.engine.profiles.delete(call.tenant, _host(call))
    await call.audit("profile.delete", _host(call))
    return answers.EMPTY


def _host(call: Call) -> str:
    return parse_profile_host(call.param("host"))


_PUT = Operation("Set the headers that deliveries to a host carry; values are never shown.", PROFILE, body=PROFILE_BODY)

ROUTES = (
    Route("GET", "/v2/profiles", list_all, Needs.READ, Operation("All destination profiles.", list_of(PROFILE))),
    Route("GET", "/v2/profiles/{host}", show, Needs.READ, Operation("One destination profile.", PROFILE)),
    Route("PUT", "/v2/profiles/{host}", put, Needs.CHANGE, _PUT),
    Route(
        "DELETE",
        "/v2/profiles/{host}",
        delete,
        Needs.CHANGE,
        Operation("Delete a destination profile, if there is one."),
    ),
)

"""URL groups: their endpoints and their default options. `/v2/topics` is the older name."""

from __future__ import annotations

from collections.abc import Iterable

from outrider.domain.limits import MIB
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.health import HEALTH_PARAMETERS, parse_health_query
from outrider.wire.names import check_name
from outrider.wire.query import decode_query
from outrider.wire.schema import list_of
from outrider.wire.url_groups import (
    ADDED_ENDPOINTS,
    GROUP_DEFAULTS,
    REMOVED_ENDPOINTS,
    URL_GROUP,
    parse_added_endpoints,
    parse_group_defaults,
    parse_removed_endpoints,
    present_group_health,
    present_url_group,
)

LONGEST_BODY = MIB
_NAME_FEWER = "name fewer endpoints at once"


async def add_endpoints(call: Call) -> Answer:
    """Add endpoints, or change those of the same URL or name; the group is made on first use."""
    group = _group(call)
    endpoints = parse_added_endpoints(await call.body(LONGEST_BODY, _NAME_FEWER))
    await call.engine.url_groups.add_endpoints(call.tenant, group, endpoints)
    await call.audit("url_group.add_endpoints", f"{group}, {len(endpoints)} endpoints")
    return answers.EMPTY


async def remove_endpoints(call: Call) -> Answer:
    """Remove endpoints by URL or name; without endpoints the group is no more."""
    group = _group(call)
    matches = parse_removed_endpoints(await call.body(LONGEST_BODY, _NAME_FEWER))
    await call.engine.url_groups.remove_endpoints(call.tenant, group, matches)
    await call.audit("url_group.remove_endpoints", f"{group}, {len(matches)} endpoints")
    return answers.EMPTY


async def set_defaults(call: Call) -> Answer:
    """Lay options beneath every publish to the group, in place of those before."""
    group = _group(call)
    said = parse_group_defaults(await call.body(LONGEST_BODY, "name fewer headers"), call.engine.limits)
    await call.engine.url_groups.set_defaults(call.tenant, group, said.patch, said.headers)
    await call.audit("url_group.set_defaults", group)
    return answers.EMPTY


async def list_all(call: Call) -> Answer:
    return answers.json([present_url_group(group) for group in await call.engine.url_groups.list(call.tenant)])


async def show(call: Call) -> Answer:
    """One group; with `?health=true` how its endpoints fare, too."""
    asked = parse_health_query(decode_query(call.query))
    groups = call.engine.url_groups
    group = await groups.get(call.tenant, _group(call))
    if not asked.wanted:
        return answers.json(present_url_group(group))
    return answers.json(present_group_health(group, await groups.health(call.tenant, group, asked.window_ms)))


async def delete(call: Call) -> Answer:
    """Also where there is none."""
    await call.engine.url_groups.delete(call.tenant, _group(call))
    await call.audit("url_group.delete", _group(call))
    return answers.EMPTY


def _group(call: Call) -> str:
    return check_name("URL group", call.param("group"))


def _routes(base: str) -> Iterable[Route]:
    group, endpoints = f"{base}/{{group}}", f"{base}/{{group}}/endpoints"
    return (
        Route("GET", base, list_all, Needs.READ, Operation("All URL groups.", list_of(URL_GROUP))),
        Route("GET", group, show, Needs.READ, _SHOW),
        Route("PATCH", group, set_defaults, Needs.CHANGE, _DEFAULTS),
        Route("DELETE", group, delete, Needs.CHANGE, Operation("Delete a URL group, if there is one.")),
        Route("POST", endpoints, add_endpoints, Needs.CHANGE, _ADD),
        Route("DELETE", endpoints, remove_endpoints, Needs.CHANGE, _REMOVE),
    )


_SHOW = Operation("One URL group; with health=true, how its endpoints fare.", URL_GROUP, query=HEALTH_PARAMETERS)
_DEFAULTS = Operation("Set the options laid beneath every publish to a URL group.", body=GROUP_DEFAULTS)
_ADD = Operation("Add endpoints to a URL group, or change them; it is made on first use.", body=ADDED_ENDPOINTS)
_REMOVE = Operation(
    "Remove endpoints from a URL group by URL or name; with the last, the group.", body=REMOVED_ENDPOINTS
)

ROUTES = (*_routes("/v2/topics"), *_routes("/v2/url-groups"))

"""The API: requests to answers.

A request passes: route, token, burst limit, right to change, handler. There is no framework,
since each of these steps needs the raw path or comes before a framework would act. Handlers
make answers or raise; what they raise gets its form in `errors`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence

from outrider.domain.errors import NotFound, OutriderError, Refusal, Unavailable
from outrider.engine.runtime import Engine
from outrider.http import (
    access,
    activity,
    audit,
    configuration,
    console,
    dead_letters,
    description,
    errors,
    flow_control,
    health,
    keys,
    logs,
    messages,
    previews,
    profiles,
    publishing,
    queues,
    schedules,
    status,
    tokens,
    url_groups,
    usage,
)
from outrider.http.answers import Answer, Stream
from outrider.http.burst import BurstLimit
from outrider.http.calls import Call
from outrider.http.configuration import ShownSetting
from outrider.http.console.door import Door
from outrider.http.console.files import built_files
from outrider.http.errors import MethodNotAllowed
from outrider.http.requests import Disconnected, Request
from outrider.http.routes import Found, Needs, Route, RouteTable


def create_app(
    engine: Engine,
    *,
    metrics: Callable[[], bytes] | None = None,
    metrics_token_hash: str | None = None,
    door: Door | None = None,
    settings: Sequence[ShownSetting] = (),
) -> App:
    """The API of an engine.

    Args:
        engine: started and drained by whoever made it; its observer is told of every fault.
        metrics: renders the text that Prometheus reads; None serves no `/metrics`.
        metrics_token_hash: of the token that it asks for; None for none.
        door: through which browsers come; None serves no console, and accepts no session.
        settings: that `/v2/settings` shows.
    """
    rows = [
        *publishing.ROUTES,
        *messages.ROUTES,
        *logs.ROUTES,
        *dead_letters.ROUTES,
        *previews.ROUTES,
        *schedules.ROUTES,
        *queues.ROUTES,
        *url_groups.ROUTES,
        *flow_control.ROUTES,
        *profiles.ROUTES,
        *usage.ROUTES,
        *activity.ROUTES,
        *status.ROUTES,
        *audit.ROUTES,
        *keys.ROUTES,
        *tokens.ROUTES,
        configuration.settings_route(settings),
        *health.ROUTES,
    ]
    if metrics is not None:
        rows.append(health.metrics_route(metrics, metrics_token_hash))
    if door is not None:
        rows += console.routes(door, built_files())
    return App(engine, description.describing(rows), door)


class App:
    """Answers requests by a table of routes."""

    def __init__(self, engine: Engine, routes: Iterable[Route], door: Door | None = None) -> None:
        self.table = RouteTable(routes)
        self._door = door
        self._engine = engine
        self._burst = BurstLimit(engine.limits.burst_per_second)

    async def answer(self, request: Request) -> Answer | Stream | None:
        """The answer to a request; None if nobody is there to read it."""
        try:
            return await self._serve(request)
        except Disconnected:
            return None
        except (Refusal, Unavailable) as error:
            return self.refuse(error)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the client gets an answer and the operator the cause
            where = traceback.extract_tb(fault.__traceback__)[-1]
            self._engine.observer.note(
                "request_faulted", error=repr(fault), where=f"{where.filename}:{where.lineno} in {where.name}"
            )
            return errors.FAULT

    def refuse(self, error: OutriderError) -> Answer:
        """The answer to what is refused, for one before it was a request."""
        return errors.answer(error, self._engine.clock.now())

    async def _serve(self, request: Request) -> Answer | Stream:
        found = self.table.find(request.method, request.path)
        if found is not None and request.method == "OPTIONS":
            return Answer(204, fields=((b"allow", ", ".join(found.allowed).encode()),))
        route = None if found is None else found.route
        tenant, actor = "", None
        if _is_guarded(route, request.path):
            authorization = request.fields.get(b"authorization")
            principal = None
            if authorization is None and self._door is not None:
                principal = await access.by_session(self._engine, self._door, request, changes=_changes(route, request))
            if principal is None:
                principal = await access.authenticate(self._engine.directory, authorization, request.query)
            tenant, actor = principal.tenant, principal.actor
            if route is None or route.burst_limited:
                self._burst.count(tenant, self._engine.clock.now())
            if route is not None and (route.needs is Needs.CHANGE or route.needs is Needs.FULL):
                access.demand_full(principal, request.method, route.path)
        if found is None or route is None:
            raise _nothing_there(found, request.method, request.path)
        return await route.handle(Call(self._engine, request, tenant, found.params, found.trailing_slash, actor))


def _is_guarded(route: Route | None, raw_path: bytes) -> bool:
    """Whether a token is asked for: everything under /v2/ that is not declared open, also what does not exist."""
    return raw_path.startswith(b"/v2/") if route is None else route.needs is not Needs.OPEN


def _changes(route: Route | None, request: Request) -> bool:
    """Whether the call may change something: a message may be published by a GET."""
    return request.method not in {"GET", "HEAD"} or (route is not None and route.needs is Needs.CHANGE)


_SHOWN_PATH = 200


def _nothing_there(found: Found | None, method: str, raw_path: bytes) -> OutriderError:
    if found is not None:
        return MethodNotAllowed(method, found.path, found.allowed)
    shown = raw_path[:_SHOWN_PATH].decode("ascii", "replace")
    hint = "the API is served under /v2; /v1 is gone" if raw_path.startswith(b"/v1") else "GET / lists what is served"
    return NotFound(f"nothing is served at {shown}", code="path_not_found", hint=hint)

"""Routes are rows: method, path, handler, what they need. Everything else is read off them.

A path is literal words, matched in any case, and parameters: `{id}` is one segment, `{key:rest}`
is everything, slashes included, up to the words that follow it or to the end. Matching looks at
the raw path: nothing is decoded or collapsed before. Of two rows that fit, the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from functools import lru_cache

from msgspec import Struct

from outrider.http.answers import Answer, Stream
from outrider.http.calls import Call
from outrider.http.operations import Operation

Handler = Callable[[Call], Awaitable[Answer | Stream]]


class Needs(Enum):
    """What a caller must show: OPEN no token, READ any, CHANGE one with full access, FULL too, though it only reads."""

    OPEN = "open"
    READ = "read"
    CHANGE = "change"
    FULL = "full"


class Route(Struct, frozen=True):
    """One row of the API.

    Attributes:
        operation: what the API description says of it.
        burst_limited: whether its calls count against the burst limit.
    """

    method: str
    path: str
    handle: Handler
    needs: Needs
    operation: Operation
    burst_limited: bool = True


class Found(Struct, frozen=True):
    """Where a path leads.

    Attributes:
        route: None if the path exists but not for the method.
        allowed: the methods of the path; none if there is nothing there.
        path: the path as the table writes it.
    """

    route: Route | None
    params: dict[str, bytes]
    trailing_slash: bool
    allowed: tuple[str, ...]
    path: str


class _Place(Struct, frozen=True):
    """All routes of one path."""

    path: str
    pattern: re.Pattern[bytes]
    routes: dict[str, Route]
    allowed: tuple[str, ...]


_LONGEST_KNOWN = 512
"""A longer path is looked up each time, which bounds what is remembered to about 1 MiB."""


class RouteTable:
    """Finds the route of a request; where it went for a short path is remembered."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._known = lru_cache(maxsize=1024)(self._look_up)
        self._places: dict[bytes, list[_Place]] = {}
        by_path: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            methods = by_path.setdefault(route.path, {})
            assert route.method not in methods, f"{route.method} {route.path} stands twice in the table"
            methods[route.method] = route
        for path, methods in by_path.items():
            place = _Place(path, _compile(path), methods, _allowed(methods))
            self._places.setdefault(_first_word(path.encode()), []).append(place)

    def find(self, method: str, raw_path: bytes) -> Found | None:
        """Where the request leads; None if no route has its path."""
        return (self._known if len(raw_path) <= _LONGEST_KNOWN else self._look_up)(method, raw_path)

    def _look_up(self, method: str, raw_path: bytes) -> Found | None:
        allowed: list[str] = []
        elsewhere = ""
        for place in self._places.get(_first_word(raw_path), ()):
            match = place.pattern.fullmatch(raw_path)
            if match is None:
                continue
            route = place.routes.get(method) or _head_of(place.routes, method)
            if route is not None:
                params = match.groupdict()
                slash = params.pop("slash", None) is not None
                return Found(route, params, slash, place.allowed, place.path)
            allowed += [name for name in place.allowed if name not in allowed]
            elsewhere = elsewhere or place.path
        return Found(None, {}, False, tuple(allowed), elsewhere) if allowed else None


def _head_of(routes: dict[str, Route], method: str) -> Route | None:
    """HEAD is a GET without its body, where GET only reads."""
    route = routes.get("GET") if method == "HEAD" else None
    return None if route is None or route.needs is Needs.CHANGE else route


def _allowed(routes: dict[str, Route]) -> tuple[str, ...]:
    head = ("HEAD",) if _head_of(routes, "HEAD") else ()
    return (*routes, *head, "OPTIONS")


def _first_word(path: bytes) -> bytes:
    """What the table is keyed by: the word after `/v2/`, or the first word of any other path; lower-case."""
    start = 4 if path.startswith(b"/v2/") else 1
    end = path.find(b"/", start)
    return path[start : end if end >= 0 else None].lower()


_PARAMETER = re.compile(r"\{(\w+)(:rest)?\}")


def _compile(path: str) -> re.Pattern[bytes]:
    parts: list[str] = []
    position = 0
    rest = False
    for parameter in _PARAMETER.finditer(path):
        parts.append(f"(?i:{re.escape(path[position : parameter.start()])})")
        name, takes_slashes = parameter.groups()
        rest = takes_slashes is not None
        parts.append(f"(?P<{name}>{'.*' if rest else '[^/]+'})")
        position = parameter.end()
    parts.append(f"(?i:{re.escape(path[position:])})")
    # A slash at the end belongs to what takes slashes; elsewhere it is noted.
    ends_in_rest = rest and position == len(path)
    if not ends_in_rest and path != "/":
        parts.append("(?P<slash>/)?")
    return re.compile("".join(parts).encode(), re.DOTALL)

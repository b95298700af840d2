"""The API described: OpenAPI 3.1, read off the routes, the option table and the schemas beside the presenters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.reference import HEADERS as PAGE_HEADERS
from outrider.http.reference import render
from outrider.http.routes import Needs, Route
from outrider.wire.option_table import FAMILIES, OPTIONS, Option
from outrider.wire.query import TOKEN_PARAMETER
from outrider.wire.schema import ERROR, NAME, URL, Schema, either, of_type, text

Document = dict[str, Any]


def describing(rows: Iterable[Route]) -> tuple[Route, ...]:
    """The rows and two more: the description of all of them, and the page that shows it to people.

    Both are made when they are first asked for, and kept: they would take 20 ms of every start.
    """

    @cache
    def document() -> Answer:
        return answers.json(describe(routes))

    @cache
    def page() -> Answer:
        return Answer(200, render(describe(routes), OPTIONS, FAMILIES).encode(), PAGE_HEADERS)

    async def openapi(_call: Call) -> Answer:
        return document()

    async def reference(_call: Call) -> Answer:
        return page()

    routes = (
        *rows,
        Route("GET", "/openapi.json", openapi, Needs.OPEN, Operation("This description.", of_type("object"))),
        Route(
            "GET", "/docs", reference, Needs.OPEN, Operation("This description as a page.", text(), media="text/html")
        ),
    )
    return routes


def describe(routes: Sequence[Route]) -> Document:
    """The OpenAPI document of the routes."""
    schemas: dict[str, Schema] = {}
    names: dict[str, str] = {}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        written = re.sub(r":rest\}", "}", route.path)
        # Two paths that differ in the name of a parameter alone are one path to a reader of OpenAPI.
        path = names.setdefault(re.sub(r"\{\w+\}", "{}", written), written)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schemas)
    _hoist(ERROR, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Outrider",
            "version": version("outrider"),
            "summary": "A message queue and scheduler whose interface is HTTP.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(route.path) for route in routes)],
        "security": [{"token": []}, {"tokenInQuery": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "parameters": {option.name: _option_parameter(option) for option in OPTIONS},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "tokenInQuery": {"type": "apiKey", "in": "query", "name": TOKEN_PARAMETER},
            },
        },
    }


_ABOUT = (
    "Every option of a message is a header, or a query parameter of the same name in lower case; the header counts. "
    "A destination stands raw in the path, its query included: nothing of it is decoded. "
    + " ".join(f"{name}: {help_}" for name, help_ in FAMILIES)
)

_PARAMETERS: dict[str, dict[str, Any]] = {
    "id": {"description": "The id.", "schema": text()},
    "queue": {"description": "The name of the queue.", "schema": NAME, "example": "orders"},
    "group": {"description": "The name of the URL group.", "schema": NAME, "example": "newsletter"},
    "destination": {
        "description": "A URL as it stands, or the name of a URL group.",
        "schema": either(URL, NAME),
        "example": "https://example.com/path?query=1",
    },
    "host": {
        "description": "A host, host:port or *.suffix.",
        "schema": text(),
        "example": "preview.example.com",
    },
    "path": {
        "description": "A page or a file of the console.",
        "schema": text(),
        "example": "messages",
    },
    "key": {
        "description": "The flow-control key: free text, slashes included.",
        "schema": text(),
        "example": "mail/welcome",
    },
}

_TAGS = {
    "publish": "Publish",
    "enqueue": "Publish",
    "batch": "Publish",
    "preview": "Publish",
    "cron": "Schedules",
    "llm": "Publish",
    "messages": "Messages",
    "events": "Logs",
    "logs": "Logs",
    "dlq": "Dead letters",
    "schedules": "Schedules",
    "queues": "Queues",
    "topics": "URL groups",
    "url-groups": "URL groups",
    "flowControl": "Flow control",
    "globalParallelism": "Flow control",
    "profiles": "Destination profiles",
    "keys": "Keys",
    "tokens": "Tokens",
    "settings": "Server",
    "console": "Console",
    "rotate": "Keys",
    "usage": "Usage",
    "activity": "Figures",
    "status": "Figures",
}


def _tag(path: str) -> str:
    return _TAGS.get(path.removeprefix("/v2").split("/")[1], "Server")


def _operation(route: Route, path: str, schemas: dict[str, Schema]) -> dict[str, Any]:
    said = route.operation
    described: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path.replace(':rest', '')}").strip("_"),
        "tags": [_tag(route.path)],
        "summary": said.summary,
        "parameters": _parameters(route, path),
        "responses": _responses(route, schemas),
    }
    if said.body is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": _hoist(said.body, schemas)}}}
    elif said.takes_bytes and route.method != "GET":
        described["requestBody"] = {
            "description": "Delivered as it is, with its Content-Type.",
            "content": {"application/octet-stream": {}, "application/json": {}, "text/plain": {}},
        }
    if route.needs is Needs.OPEN:
        described["security"] = []
    return described


def _parameters(route: Route, path: str) -> list[dict[str, Any]]:
    said = route.operation
    meant = re.findall(r"\{(\w+)", route.path)
    written = re.findall(r"\{(\w+)", path)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, **_PARAMETERS[meaning]}
        for name, meaning in zip(written, meant, strict=True)
    ]
    parameters += [
        {"name": parameter.name, "in": "query", "description": parameter.help, "schema": text()}
        for parameter in (said.query or {}).values()
    ]
    if said.takes_options:
        parameters += [{"$ref": f"#/components/parameters/{option.name}"} for option in OPTIONS]
    return parameters


def _responses(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    said = route.operation
    answered: dict[str, Any] = {"description": said.summary}
    if said.answer is not None:
        answered["content"] = {said.media: {"schema": _hoist(said.answer, schemas)}}
    responses = {str(status): answered for status in said.statuses}
    error = {"application/json": {"schema": _hoist(ERROR, schemas)}}
    if route.needs is not Needs.OPEN:
        responses["401"] = {"description": "No token was given, or none that is known.", "content": error}
    if route.needs in {Needs.CHANGE, Needs.FULL}:
        responses["403"] = {"description": "The token may only read.", "content": error}
    responses["default"] = {"description": "An error: what is wrong and what to do about it.", "content": error}
    return responses


def _option_parameter(option: Option) -> dict[str, Any]:
    said = {"description": option.help, "schema": text(), "example": option.example}
    return {"name": option.name, "in": "header", **said}


def _hoist(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """The schema with each that has a title replaced by a reference to it; those go to `schemas`."""
    inner = {name: _hoist_within(value, schemas) for name, value in schema.items()}
    title = schema.get("title")
    if not isinstance(title, str):
        return inner
    known = schemas.setdefault(title, inner)
    assert known == inner, f"two schemas are called {title}"
    return {"$ref": f"#/components/schemas/{title}"}


def _hoist_within(value: Any, schemas: dict[str, Schema]) -> Any:
    match value:
        case dict():
            return _hoist(value, schemas)
        case list():
            return [_hoist_within(item, schemas) for item in value]
        case _:
            return value

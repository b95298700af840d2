"""The words in which answers and bodies are described: JSON Schema, as the API description takes it.

A schema stands beside the presenter or parser that it describes. One with a title is described
once, under that name, wherever it is used.
"""

from __future__ import annotations

from typing import Any

from outrider.wire.names import LONGEST_NAME

Schema = dict[str, Any]


def of_type(kind: str, said: str = "") -> Schema:
    """A JSON type, with a sentence about the value."""
    return {"type": kind, "description": said} if said else {"type": kind}


def text(said: str = "") -> Schema:
    return of_type("string", said)


def integer(said: str = "") -> Schema:
    return of_type("integer", said)


def truth(said: str = "") -> Schema:
    return of_type("boolean", said)


def one_of(words: tuple[str, ...], said: str = "") -> Schema:
    """One of these words."""
    return {**text(said), "enum": list(words)}


def list_of(items: Schema, said: str = "") -> Schema:
    return {**of_type("array", said), "items": items}


def map_of(values: Schema, said: str = "") -> Schema:
    """An object with any names, and values of one kind."""
    return {**of_type("object", said), "additionalProperties": values}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def thing(title: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object under a name of its own: the fields that are always there, and those that may be."""
    return {
        "title": title,
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
    }


NAME = text("Letters, digits, '-', '_' and '.'.") | {"pattern": rf"^[A-Za-z0-9._\-]{{1,{LONGEST_NAME}}}$"}
"""A queue, a URL group or a schedule."""
URL = {**text("Starts with https:// or http://."), "format": "uri"}
TIME_MS = integer("Unix time in milliseconds.")
SECONDS = of_type("number", "Seconds.")
HEADERS = map_of(list_of(text()), "Headers by canonical name, a list of values each.")
FLOW_CONTROL = {
    "flowControlKey": text("The flow-control key."),
    "parallelism": integer("Most deliveries of the key in flight."),
    "rate": integer("Most starts in a period."),
    "period": SECONDS,
}
LABELS = {"label": text("The first of the labels."), "labels": list_of(text())}
ERROR = thing(
    "Error",
    {
        "error": text("What is wrong: the value and the rule it breaks."),
        "code": text("The kind of error, stable, in snake_case."),
    },
    {"hint": text("What to do about it.")},
)

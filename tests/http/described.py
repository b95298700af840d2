"""Whether an answer is as the API description says it is."""

from __future__ import annotations

import re

from outrider.http.description import describe

TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


_made = []


def description_of(routes):
    """The description of these routes; all with the same operations share it, since to make it takes 10 ms."""
    described = [(route.method, route.path, route.operation) for route in routes]
    for known, description in _made:
        if known == described:
            return description
    _made.append((described, Description(routes)))
    return _made[-1][1]


class Description:
    """The OpenAPI document of an app's routes, held against what it answers."""

    def __init__(self, routes):
        self.document = describe(routes)
        self.paths = {re.sub(r"\{\w+\}", "{}", path): item for path, item in self.document["paths"].items()}

    def operation(self, method, route_path):
        """What is said of a route of the table."""
        return self.paths[re.sub(r"\{\w+(:rest)?\}", "{}", route_path)][method.lower()]

    def complaints(self, method, route_path, response):
        """Every way in which an answer is not as described."""
        responses = self.operation(method, route_path)["responses"]
        said = responses.get(str(response.status_code))
        if said is None:
            if response.status_code < 400:
                return [f"status {response.status_code} is not described"]
            said = responses["default"]
        content = said.get("content")
        if content is None:
            return [f"a body where none is described: {response.content[:80]!r}"] if response.content else []
        ((media, shape),) = content.items()
        sent = response.headers["content-type"].partition(";")[0]
        if sent != media:
            return [f"{sent} instead of {media}"]
        return list(self.mismatches(response.json(), shape["schema"])) if media == "application/json" else []

    def mismatches(self, value, schema, where="$"):
        """Where a value is not what a schema says; stricter than JSON Schema: what is not named may not be there."""
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            every = [list(self.mismatches(value, one, where)) for one in schema["anyOf"]]
            if all(every):
                yield f"{where} fits none of {len(every)}: {every}"
            return
        if "type" in schema and not is_a(value, schema["type"]):
            yield f"{where} is {value!r}, not {schema['type']}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where} is {value!r}, not one of {schema['enum']}"
        if isinstance(value, dict):
            yield from self.mismatched_fields(value, schema, where)
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.mismatches(item, schema.get("items", {}), f"{where}[{index}]")

    def mismatched_fields(self, value, schema, where):
        fields, others = schema.get("properties"), schema.get("additionalProperties")
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where} lacks {name}"
        for name, inner in value.items():
            if fields is not None and name in fields:
                yield from self.mismatches(inner, fields[name], f"{where}.{name}")
            elif others is not None:
                yield from self.mismatches(inner, others, f"{where}.{name}")
            elif fields is not None:
                yield f"{where}.{name} is not described"


def is_a(value, kinds):
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return any(isinstance(value, TYPES[kind]) and (kind == "boolean") is isinstance(value, bool) for kind in kinds)

"""The API description as one page of HTML: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from outrider.wire.option_table import Option
from outrider.wire.schema import Schema

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#586274;--line:#d9dee6;--paper:#fff;--tint:#f3f5f9;--mark:#0b57a4}
@media(prefers-color-scheme:dark){
:root{--ink:#e6eaf1;--soft:#a3adbd;--line:#333c4b;--paper:#12161d;--tint:#1b212b;--mark:#7db9ff}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main,header,nav{max-width:60rem;margin:0 auto;padding:0 1rem}
h1{margin:2rem 0 .25rem}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}h3{margin:1.5rem 0 .5rem}
h4{margin:1rem 0 .25rem;font-size:1rem}
a{color:var(--mark)}p{margin:.5rem 0}nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;list-style:none}
code{font:.875em ui-monospace,monospace;overflow-wrap:anywhere}
details{border:1px solid var(--line);border-radius:.375rem;margin:.5rem 0}
summary{padding:.5rem .75rem;cursor:pointer;background:var(--tint);border-radius:.375rem}
details>div{padding:.25rem .75rem .75rem;overflow-x:auto}
.method{display:inline-block;min-width:4.5rem;font-weight:700;color:var(--mark)}.said{color:var(--soft)}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25rem .5rem .25rem 0;
border-bottom:1px solid var(--line)}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""What the page is sent with: only its own style may take effect."""

_METHODS = ("get", "post", "put", "patch", "delete")


def render(document: dict[str, Any], options: Sequence[Option], families: Sequence[tuple[str, str]]) -> str:
    """The page of an OpenAPI document, with the options of a message."""
    info = document["info"]
    tags = [tag["name"] for tag in document["tags"]]
    links = [*((name, name) for name in tags), ("Options of a message", "options"), ("Schemas", "schemas")]
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body>",
            f"<header><h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['summary'])} ",
            'The same for programs: <a href="/openapi.json">openapi.json</a>.</p></header>',
            '<nav aria-label="Sections"><ul>',
            *(f'<li><a href="#{_anchor(target)}">{escape(name)}</a></li>' for name, target in links),
            "</ul></nav><main>",
            _ACCESS,
            *(_section(tag, document) for tag in tags),
            _options(options, families),
            '<h2 id="schemas">Schemas</h2>',
            *(_schema_section(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</main></body></html>",
        )
    )


_ACCESS = (
    "<p>Send the token as <code>Authorization: Bearer &lt;token&gt;</code> or as the query parameter "
    "<code>qstash_token</code>. Every error is an <a href='#schema-Error'>Error</a>.</p>"
)


def _anchor(name: str) -> str:
    return escape(name.lower().replace(" ", "-"))


def _section(tag: str, document: dict[str, Any]) -> str:
    operations = (
        _operation(method, path, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item and tag in item[method]["tags"]
    )
    return f'<section id="{_anchor(tag)}"><h2>{escape(tag)}</h2>{"".join(operations)}</section>'


def _operation(method: str, path: str, said: dict[str, Any]) -> str:
    return "".join(
        (
            f'<details id="{escape(said["operationId"])}"><summary><span class="method">{method.upper()}</span> ',
            f'<code>{escape(path)}</code> <span class="said">{escape(said["summary"])}</span></summary><div>',
            *_parameters(said["parameters"]),
            *_body(said.get("requestBody")),
            *_answers(said["responses"]),
            "</div></details>",
        )
    )


def _parameters(parameters: list[dict[str, Any]]) -> Iterable[str]:
    named = [one for one in parameters if "$ref" not in one]
    if named:
        yield "<h4>Parameters</h4>"
        yield _table(
            ("name", "in", "meaning"),
            ((_code(one["name"]), escape(one["in"]), escape(one["description"])) for one in named),
        )
    if len(named) < len(parameters):
        yield '<p>Takes the <a href="#options">options of a message</a>.</p>'


def _body(body: dict[str, Any] | None) -> Iterable[str]:
    if body is not None:
        yield "<h4>Body</h4>"
        schema = body["content"]["application/json"].get("schema")
        yield f"<p>{escape(body['description']) if schema is None else _type_of(schema)}</p>"


def _answers(responses: dict[str, Any]) -> Iterable[str]:
    yield "<h4>Answers</h4>"
    yield _table(("status", "body"), ((escape(status), _content(said)) for status, said in responses.items()))


def _content(said: dict[str, Any]) -> str:
    if "content" not in said:
        return "empty"
    ((media, content),) = said["content"].items()
    return _type_of(content["schema"]) if media == "application/json" else _code(media)


def _options(options: Sequence[Option], families: Sequence[tuple[str, str]]) -> str:
    rows = [
        *((_code(one.name), escape(one.help), _code(one.example), _yes(one.in_callbacks)) for one in options),
        *((_code(name), escape(help_), "", "") for name, help_ in families),
    ]
    return (
        '<section id="options"><h2>Options of a message</h2><p>As headers, or as query parameters in lower case; '
        "the header counts. Options of a callback stand behind <code>Upstash-Callback-</code> and "
        "<code>Upstash-Failure-Callback-</code>.</p>"
        + _table(("name", "meaning", "example", "for callbacks"), rows)
        + "</section>"
    )


def _schema_section(name: str, schema: Schema) -> str:
    required = schema.get("required", ())
    rows = (
        (_code(field), _type_of(said), _yes(field in required), escape(said.get("description", "")))
        for field, said in schema["properties"].items()
    )
    heading = f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>'
    return heading + _table(("field", "type", "always there", "meaning"), rows)


def _type_of(schema: Schema) -> str:  # noqa: PLR0911 - one for each kind of schema
    match schema:
        case {"$ref": str(target)}:
            name = escape(target.rpartition("/")[2])
            return f'<a href="#schema-{name}">{name}</a>'
        case {"anyOf": list(kinds)}:
            return " or ".join(_type_of(kind) for kind in kinds)
        case {"enum": list(words)}:
            return " ".join(_code(word) for word in words)
        case {"items": dict(items)}:
            return f"list of {_type_of(items)}"
        case {"additionalProperties": dict(values)}:
            return f"map of {_type_of(values)}"
        case {"type": list(kinds)}:
            return escape(" or ".join(kinds))
        case {"type": str(kind)}:
            return escape(kind)
        case _:
            return "anything"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _code(words: str) -> str:
    return f"<code>{escape(words)}</code>"


def _yes(holds: bool) -> str:  # noqa: FBT001 - what a cell says of a fact
    return "yes" if holds else ""

"""What goes back: an answer is a value, made by a handler and sent in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields as a server takes them, names in lower case."""

# A webhook may be a GET, and a token may stand in the URL: nothing on the way may keep an answer.
NOT_KEPT: Fields = ((b"cache-control", b"no-store"),)
JSON: Fields = ((b"content-type", b"application/json"), *NOT_KEPT)

encode = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True):
    """A whole response. `Content-Length` is added when it is sent."""

    status: int
    body: bytes = b""
    fields: Fields = JSON


EMPTY = Answer(200, fields=NOT_KEPT)
"""Where clients read no body."""


def json(value: object, status: int = 200, fields: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """A value as a JSON answer."""
    return Answer(status, encode(value), (*JSON, *fields))


def paged(fields: dict[str, Any], cursor: str | None) -> dict[str, Any]:
    """The fields with the cursor of the next page; without one on the last page."""
    return fields if cursor is None else {**fields, "cursor": cursor}


async def send_answer(answer: Answer, send: Send, *, bodiless: bool = False) -> None:
    """Send the answer whole; `bodiless` is for HEAD, which keeps the length of what it leaves out."""
    fields = [*answer.fields]
    if answer.status != HTTPStatus.NO_CONTENT:
        fields.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": b"" if bodiless else answer.body})

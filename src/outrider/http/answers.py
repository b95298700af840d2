"""What goes back: an answer is a value, made by a handler and rendered in one place."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields, names in lower case."""

# A webhook may be a GET, and a token may stand in the URL: nothing on the way may keep an answer.
NOT_KEPT: Fields = ((b"cache-control", b"no-store"),)
JSON: Fields = ((b"content-type", b"application/json"), *NOT_KEPT)

encode = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True):
    """A whole response. `Content-Length` is added when it is rendered."""

    status: int
    body: bytes = b""
    fields: Fields = JSON


class Stream(Struct, frozen=True):
    """A response that comes bit by bit and ends with its connection, which nothing else follows on.

    Attributes:
        pieces: begun once, for the body; closed when the client goes, does not read, or the server stops.
    """

    pieces: Callable[[], AsyncGenerator[bytes, None]]
    fields: Fields
    status: int = 200


EMPTY = Answer(200, fields=NOT_KEPT)
"""Where clients read no body."""


def json(value: object, status: int = 200, fields: Fields = ()) -> Answer:
    """A value as a JSON answer."""
    return Answer(status, encode(value), JSON + fields)


def paged(fields: dict[str, Any], cursor: str | None) -> dict[str, Any]:
    """The fields with the cursor of the next page; without one on the last page."""
    return fields if cursor is None else {**fields, "cursor": cursor}


_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
"""Statuses whose length is not said: there is no body, or it is that of another answer."""


def render(answer: Answer, *, is_bodiless: bool = False, is_last: bool = False) -> bytes:
    """The answer as it goes over the wire.

    Args:
        answer: whose head and body go out together.
        is_bodiless: for HEAD, which keeps the length of what it leaves out.
        is_last: whether the connection ends after it.
    """
    body = answer.body
    return b"%b%b%b\r\n%b" % (
        _head(answer.status, answer.fields),
        b"" if answer.status in _BODILESS else b"content-length: %d\r\n" % len(body),
        b"connection: close\r\n" if is_last else b"",
        b"" if is_bodiless else body,
    )


def render_head(stream: Stream) -> bytes:
    """The head of a response whose body is to come, and ends where the connection does."""
    return _head(stream.status, stream.fields) + b"connection: close\r\n\r\n"


_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


# Nearly all answers share a few heads, and putting one together costs as much as all the rest.
@lru_cache(maxsize=256)
def _head(status: int, fields: Fields) -> bytes:
    if any(_UNSAFE.search(value) for _, value in fields):
        raise ValueError(fields)
    lines = [b"%b: %b\r\n" % field for field in fields]
    return b"HTTP/1.1 %d %b\r\n%b" % (status, HTTPStatus(status).phrase.encode(), b"".join(lines))

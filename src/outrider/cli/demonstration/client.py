"""Calls of the API."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from outrider.domain.errors import Misconfigured

TIMEOUT_S = 10


class Client:
    """A connection to a server, with a token. Raises Misconfigured if there is none to be had."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Misconfigured(f"'{url}' is not the URL of a server", hint="write http://127.0.0.1:8080")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._url = url
        self._token = token
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._connection.close()

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, Any]:
        """Status and answer; None for one without a body."""
        said = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        try:
            self._connection.request(method, path, body, said)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as failure:
            self._connection.close()
            raise Misconfigured(
                f"the server at {self._url} does not answer: {failure}",
                hint="start one with `outrider dev`, or say where it is with --url",
            ) from None
        return answer.status, msgspec.json.decode(text) if text else None

    def demand(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Any:
        """The answer. Raises Misconfigured for one that is no success, with what it says."""
        status, answer = self.call(method, path, headers=headers, body=body)
        if status >= 300:
            raise Misconfigured(
                f"the server refuses {method} {path}: {answer['error']}",
                hint=answer.get("hint", "the token needs full access, and the server must deliver to loopback"),
            )
        return answer

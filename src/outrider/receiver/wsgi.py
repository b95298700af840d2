"""Verification in any WSGI application, as a middleware around it.

app = SignatureMiddleware(app, Receiver.from_env())
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from outrider.receiver.receiver import SIGNATURE_HEADER, Receiver
from outrider.signing import InvalidSignature

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_VARIABLE = "HTTP_" + SIGNATURE_HEADER.upper().replace("-", "_")


class SignatureMiddleware:
    """Lets through what is a delivery of ours; answers 401 to every other request."""

    def __init__(
        self,
        app: WSGIApplication,
        receiver: Receiver,
        *,
        url: str | None = None,
        clock_tolerance: int = 0,
        most_body_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        """Wrap an application.

        Args:
            app: gets the whole body, once it is verified.
            receiver: holds the keys.
            url: the public URL of the endpoint, as it is published to; unchecked if None.
            clock_tolerance: seconds that the clocks of both sides may be apart.
            most_body_bytes: larger bodies are answered with 413: they are held in memory, unverified.
        """
        self._app = app
        self._receiver = receiver
        self._url = url
        self._clock_tolerance = clock_tolerance
        self._most_body_bytes = most_body_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        length = _length(environ)
        if length > self._most_body_bytes:
            return _answer(
                start_response, "413 Content Too Large", f"the body is larger than {self._most_body_bytes} bytes"
            )
        body = environ["wsgi.input"].read(length) if length else b""
        try:
            self._receiver.verify(
                signature=environ.get(_VARIABLE), body=body, url=self._url, clock_tolerance=self._clock_tolerance
            )
        except InvalidSignature as refusal:
            return _answer(start_response, "401 Unauthorized", str(refusal))
        environ["wsgi.input"] = io.BytesIO(body)
        return self._app(environ, start_response)


def _length(environ: WSGIEnvironment) -> int:
    """The announced length; deliveries always announce theirs."""
    text: str = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else 0


def _answer(start_response: StartResponse, status: str, error: str) -> Iterable[bytes]:
    body = json.dumps({"error": error}).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

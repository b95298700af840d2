"""Verification in any ASGI application, as a middleware around it.

app = SignatureMiddleware(app, Receiver.from_env())
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from outrider.receiver.receiver import SIGNATURE_HEADER, Receiver
from outrider.signing import InvalidSignature

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class SignatureMiddleware:
    """Lets through what is a delivery of ours; answers 401 to every other HTTP request."""

    def __init__(
        self,
        app: Application,
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

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            return
        if len(body) > self._most_body_bytes:
            await _answer(send, 413, f"the body is larger than {self._most_body_bytes} bytes")
            return
        try:
            self._receiver.verify(
                signature=_signature(scope), body=bytes(body), url=self._url, clock_tolerance=self._clock_tolerance
            )
        except InvalidSignature as refusal:
            await _answer(send, 401, str(refusal))
            return
        await self._app(scope, _replay(bytes(body), receive), send)

    async def _read(self, receive: Receive) -> bytearray | None:
        """The body, at most a part more than the limit; None if the client went away before its end."""
        body = bytearray()
        while len(body) <= self._most_body_bytes:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        return body


def _signature(scope: MutableMapping[str, Any]) -> str | None:
    wanted = SIGNATURE_HEADER.lower().encode()
    return next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted), None)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever follows it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


async def _answer(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""Verification in FastAPI, as a dependency.

verified = require_signature(Receiver.from_env(), url="https://example.com/api/receive")

@app.post("/api/receive")
async def receive(claims: Annotated[Claims, Depends(verified)]) -> None: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse

from outrider.receiver.receiver import SIGNATURE_HEADER, Receiver
from outrider.signing import Claims, InvalidSignature


class Unverified(HTTPException):
    """The request is no delivery of ours: 401."""

    def __init__(self, reason: str) -> None:
        super().__init__(status_code=401, detail=reason)


def require_signature(
    receiver: Receiver, *, url: str | None = None, clock_tolerance: int = 0
) -> Callable[[Request], Awaitable[Claims]]:
    """A dependency that answers 401 to what is no delivery of ours, and gives the claims of what is.

    Args:
        receiver: holds the keys.
        url: the public URL of the endpoint, as it is published to; unchecked if None.
        clock_tolerance: seconds that the clocks of both sides may be apart.
    """

    async def verified(request: Request) -> Claims:
        try:
            return receiver.verify(
                signature=request.headers.get(SIGNATURE_HEADER),
                body=await request.body(),
                url=url,
                clock_tolerance=clock_tolerance,
            )
        except InvalidSignature as refusal:
            _shape_answer(request)
            raise Unverified(str(refusal)) from None

    return verified


def _shape_answer(request: Request) -> None:
    """See to it that the answer is `{"error": …}`: without this, FastAPI says `{"detail": …}`.

    A dependency cannot answer, only raise; the application's handlers are what it can reach.
    """
    handlers, _ = request.scope.get("starlette.exception_handlers", ({}, {}))
    handlers.setdefault(Unverified, _answer)


async def _answer(_request: Request, unverified: Unverified) -> JSONResponse:
    return JSONResponse({"error": unverified.detail}, status_code=unverified.status_code)

"""Verification in Flask, as a decorator.

@app.post("/receive")
@require_signature(Receiver.from_env(), url="https://example.com/receive")
def receive(): ...
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Response, current_app, jsonify, request

from outrider.receiver.receiver import SIGNATURE_HEADER, Receiver
from outrider.signing import InvalidSignature

P = ParamSpec("P")
R = TypeVar("R")


def require_signature(
    receiver: Receiver, *, url: str | None = None, clock_tolerance: int = 0
) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """A decorator of views that answers 401 to what is no delivery of ours.

    Args:
        receiver: holds the keys.
        url: the public URL of the view, as it is published to; unchecked if None.
        clock_tolerance: seconds that the clocks of both sides may be apart.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R | Response]:
        @wraps(view)
        def verified(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            try:
                receiver.verify(
                    signature=request.headers.get(SIGNATURE_HEADER),
                    body=request.get_data(),
                    url=url,
                    clock_tolerance=clock_tolerance,
                )
            except InvalidSignature as refusal:
                answer = jsonify({"error": str(refusal)})
                answer.status_code = 401
                return answer
            answer_of_view: R = current_app.ensure_sync(view)(*args, **kwargs)
            return answer_of_view

        return verified

    return decorate

"""Verification in Django, as a decorator of views, sync or async.

    @require_signature(Receiver.from_env(), url="https://example.com/receive/")
    def receive(request): ...

A verified view is exempt from the check against cross-site forgery: the signature is stronger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest, JsonResponse  # type: ignore[import-untyped]
from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]

from outrider.receiver.receiver import SIGNATURE_HEADER, Receiver
from outrider.signing import InvalidSignature

View = Callable[..., Any]


def require_signature(
    receiver: Receiver, *, url: str | None = None, clock_tolerance: int = 0
) -> Callable[[View], View]:
    """A decorator of views that answers 401 to what is no delivery of ours.

    Args:
        receiver: holds the keys.
        url: the public URL of the view, as it is published to; unchecked if None.
        clock_tolerance: seconds that the clocks of both sides may be apart.
    """

    def refuse(request: HttpRequest) -> JsonResponse | None:
        try:
            receiver.verify(
                signature=request.headers.get(SIGNATURE_HEADER),
                body=request.body,
                url=url,
                clock_tolerance=clock_tolerance,
            )
        except InvalidSignature as refusal:
            return JsonResponse({"error": str(refusal)}, status=401)
        return None

    def decorate(view: View) -> View:
        @wraps(view)
        def verified(request: HttpRequest, *args: object, **kwargs: object) -> Any:
            return refuse(request) or view(request, *args, **kwargs)

        @wraps(view)
        async def verified_async(request: HttpRequest, *args: object, **kwargs: object) -> Any:
            return refuse(request) or await view(request, *args, **kwargs)

        exempt: View = csrf_exempt(verified_async if iscoroutinefunction(view) else verified)
        return exempt

    return decorate

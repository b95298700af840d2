"""What the official SDKs offer, read off the SDKs themselves, and what of it cannot apply here."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

from qstash import AsyncQStash, QStash, Receiver
from qstash.message import BatchJsonRequest, BatchRequest
from tests.e2e.javascript import run_program

JAVASCRIPT = "JavaScript"
PYTHON = ("QStash", "AsyncQStash")

EXCEPTIONS: dict[str, str] = {
    "JavaScript http.requestStream": "reads streams of language models; their address is the provider's, not ours",
    "JavaScript http.requestWithBackoff": "an inner step of http.request",
    "JavaScript http.processRequest": "an inner step of http.request",
    "JavaScript http.checkResponse": "an inner step of http.request",
    "JavaScript http.getResponseError": "an inner step of http.request",
    "JavaScript Receiver.verifyWithKey": "an inner step of Receiver.verify",
    "JavaScript Receiver.verifyBodyAndUrl": "an inner step of Receiver.verify",
    "JavaScript chat": "calls a language model, deprecated",
    "JavaScript chat.create": "calls a language model, deprecated",
    "JavaScript chat.prompt": "calls a language model, deprecated",
    "JavaScript chat.createThirdParty": "calls a language model, deprecated",
    "JavaScript chat.getAuthorizationToken": "calls a language model, deprecated",
    "JavaScript workflow.cancel": "workflow runs belong to another product, deprecated",
}
"""By `SDK method`: why no test calls it."""

MISSING_OPTIONS = {
    "api": "calls a language model; without a provider's URL the answer is 400",
    "batch_json(retry_delay)": "the SDK takes it and does not send it",
}
"""Options, of every method or of one, that cannot be said, and why."""


def python_methods() -> Iterator[str]:
    """Every public method of both clients and of the receiver, as `QStash message.publish`."""
    for kind in (QStash, AsyncQStash):
        client = kind("token", base_url="http://127.0.0.1")
        for name, part in vars(client).items():
            yield from (f"{kind.__name__} {name}.{method}" for method in _methods_of(type(part)))
        yield from (f"{kind.__name__} {method}" for method in _methods_of(kind))
        _close(client)
    yield from (f"QStash Receiver.{method}" for method in _methods_of(Receiver))


def javascript_methods() -> Iterator[str]:
    """Every public method of the JavaScript client and what it gives out, as `JavaScript dlq.retry`."""
    for method in json.loads(run_program("surface.mjs")):
        yield f"{JAVASCRIPT} {method}"


def options_of(api: type, method: str) -> list[str]:
    """The options that a method of the Python SDK takes, those of its items for a batch."""
    items = {"batch": BatchRequest, "batch_json": BatchJsonRequest}
    names = items[method].__annotations__ if method in items else inspect.signature(getattr(api, method)).parameters
    return [name for name in names if name != "self" and not {name, f"{method}({name})"} & MISSING_OPTIONS.keys()]


def _methods_of(kind: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


def _close(client: QStash | AsyncQStash) -> None:
    """A client that was never used holds no connection; only the synchronous one complains."""
    if isinstance(client, QStash):
        client.http._client.close()

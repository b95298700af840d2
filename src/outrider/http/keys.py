"""The keys that sign deliveries."""

from __future__ import annotations

from outrider.domain.tenant import SigningKeys
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.routes import Needs, Route


async def show(call: Call) -> Answer:
    return _present(await call.engine.directory.keys(call.tenant))


async def rotate(call: Call) -> Answer:
    return _present(await call.engine.directory.rotate_keys(call.tenant))


def _present(pair: SigningKeys) -> Answer:
    return answers.json({"current": pair.current, "next": pair.next})


ROUTES = (
    Route("GET", "/v2/keys", show, Needs.READ),
    Route("POST", "/v2/keys/rotate", rotate, Needs.CHANGE),
    Route("POST", "/v2/rotate", rotate, Needs.CHANGE),
)

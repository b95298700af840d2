"""The keys that sign deliveries."""

from __future__ import annotations

from outrider.domain.tenant import SigningKeys
from outrider.engine.directory import KEYS_ROTATED
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.signing import webhook_secret
from outrider.wire.schema import integer, list_of, text, thing


async def show(call: Call) -> Answer:
    return await _present(call, await call.engine.directory.keys(call.tenant))


async def rotate(call: Call) -> Answer:
    return await _present(call, await call.engine.directory.rotate_keys(call.tenant, call.actor))


async def _present(call: Call, pair: SigningKeys) -> Answer:
    shown: dict[str, object] = {
        "current": pair.current,
        "next": pair.next,
        "standardWebhooksSecrets": [webhook_secret(pair.current), webhook_secret(pair.next)],
    }
    # The audit log has it from the rotation's own transaction: nothing else is kept of it.
    rotated_at = await call.engine.audit.last(call.tenant, KEYS_ROTATED)
    return answers.json(shown if rotated_at is None else {**shown, "rotatedAt": rotated_at})


KEYS = thing(
    "SigningKeys",
    {
        "current": text("What signs deliveries."),
        "next": text("What will, after a rotation."),
        "standardWebhooksSecrets": list_of(text(), "The same two keys as secrets of Standard Webhooks."),
    },
    {"rotatedAt": integer("When they were last rotated, Unix milliseconds, as far back as the audit log goes.")},
)
_ROTATE = Operation("Make the next key the current one, and a fresh one the next.", KEYS)

ROUTES = (
    Route("GET", "/v2/keys", show, Needs.READ, Operation("The keys that sign deliveries.", KEYS)),
    Route("POST", "/v2/keys/rotate", rotate, Needs.CHANGE, _ROTATE),
    Route("POST", "/v2/rotate", rotate, Needs.CHANGE, _ROTATE),
)

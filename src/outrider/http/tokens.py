"""The tokens of the caller's tenant."""

from __future__ import annotations

import re

from msgspec import DecodeError, Struct, ValidationError, json

from outrider.domain.errors import Malformed
from outrider.domain.tenant import Scope, Token
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.schema import TIME_MS, list_of, one_of, text, thing, truth

_LARGEST_BODY = 4 * 1024
_NAME = re.compile(r"[^\x00-\x1f\x7f]{0,100}")


class _Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    scope: Scope
    name: str = ""


async def list_all(call: Call) -> Answer:
    tokens = await call.engine.directory.list_tokens_of(call.tenant)
    return answers.json({"tokens": [_present(token, call) for token in tokens]})


async def create(call: Call) -> Answer:
    wanted = _read(await call.body(_LARGEST_BODY, "send a name and a scope, and nothing else"))
    token, secret = await call.engine.directory.create_token_of(call.tenant, wanted.scope, wanted.name, call.actor)
    return answers.json({**_present(token, call), "token": secret})


async def revoke(call: Call) -> Answer:
    await call.engine.directory.revoke_token_of(call.tenant, call.param("id"), call.actor)
    return answers.EMPTY


def _present(token: Token, call: Call) -> dict[str, object]:
    assert call.actor is not None
    shown: dict[str, object] = {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "hint": token.hint,
        "createdAt": token.created_at,
        "current": token.id == call.actor.id,
    }
    return shown if token.last_used_at is None else {**shown, "lastUsedAt": token.last_used_at}


def _read(body: bytes) -> _Wanted:
    """Raises Malformed."""
    try:
        wanted = json.decode(body, type=_Wanted)
    except (DecodeError, ValidationError, UnicodeDecodeError):
        wanted = None
    if wanted is None or not _NAME.fullmatch(wanted.name):
        raise Malformed(
            'the body is not {"name": "<up to 100 printable characters>", "scope": "full" or "read"}',
            hint='send {"name": "dashboard", "scope": "read"}',
        )
    return wanted


_FIELDS = {
    "id": text(),
    "name": text("What it is for."),
    "scope": one_of(("full", "read")),
    "hint": text("Its last four characters."),
    "createdAt": TIME_MS,
    "current": truth("Whether this call was made with it."),
}
_USED = {"lastUsedAt": TIME_MS | {"description": "To a minute or so; missing if nobody has used it."}}
TOKEN = thing("Token", _FIELDS, _USED)
TOKENS = thing("Tokens", {"tokens": list_of(TOKEN, "Oldest first.")})
NEW_TOKEN = thing("NewToken", {**_FIELDS, "token": text("The token itself, shown this once.")}, _USED)
WANTED = thing("WantedToken", {"scope": one_of(("full", "read"))}, {"name": text("What it is for.")})

ROUTES = (
    Route("GET", "/v2/tokens", list_all, Needs.READ, Operation("The tenant's tokens.", TOKENS)),
    Route("POST", "/v2/tokens", create, Needs.CHANGE, Operation("Make a token.", NEW_TOKEN, body=WANTED)),
    Route("DELETE", "/v2/tokens/{id}", revoke, Needs.CHANGE, Operation("Revoke a token, and sessions by it.")),
)

"""Who is calling, and whether they may."""

from __future__ import annotations

from outrider.domain.errors import Forbidden, Unauthenticated
from outrider.domain.tenant import Principal, Scope
from outrider.engine.directory import Directory
from outrider.engine.runtime import Engine
from outrider.http.console.door import Door, cookie_of
from outrider.http.requests import Request
from outrider.wire.query import split_query

_HOW_TO_SEND = "send it as the header 'Authorization: Bearer <token>' or as the query parameter qstash_token"


async def authenticate(directory: Directory, authorization: bytes | None, query: bytes) -> Principal:
    """Who holds the call's token. The query's token counts before the header's. Raises Unauthenticated."""
    token = token_of(authorization, query)
    principal = await directory.principal(token)
    if principal is None:
        raise Unauthenticated(
            "the token is not known here", code="token_unknown", hint="it may be revoked, or belong to another server"
        )
    return principal


async def by_session(engine: Engine, door: Door, request: Request, *, changes: bool) -> Principal | None:
    """Who is signed in to the console; None for a request without its cookie, or with a token besides.

    Raises Unauthenticated for a session that is over, and Forbidden for what its cookie does not allow.
    """
    cookie = cookie_of(request)
    if cookie is None or (request.query and split_query(request.query).token is not None):
        return None
    if changes:
        door.check_changing(request)
    else:
        door.check_reading(request)
    session = engine.sessions.open(cookie)
    principal = None if session is None else await engine.directory.principal_of(session.token_hash)
    if principal is None:
        raise Unauthenticated("the session is over", code="session_over", hint="sign in again")
    return principal


def demand_full(principal: Principal, method: str, path: str) -> None:
    """Raise Forbidden for a token that may only read."""
    if principal.scope is Scope.READ:
        raise Forbidden(
            f"this token may only read, and {method} {path} needs full access",
            code="token_read_only",
            hint="use a token with full access",
        )


def token_of(authorization: bytes | None, query: bytes = b"") -> str:
    """The token that a request carries. Raises Unauthenticated."""
    if query:
        token = split_query(query).token
        if token is not None:
            return token
    if authorization is None:
        raise Unauthenticated("no token was given", code="token_missing", hint=_HOW_TO_SEND)
    scheme, _, token_bytes = authorization.partition(b" ")
    token_bytes = token_bytes.strip()
    if scheme.lower() != b"bearer" or not token_bytes:
        raise Unauthenticated(
            "the Authorization header carries no bearer token", code="token_missing", hint=_HOW_TO_SEND
        )
    return token_bytes.decode("latin-1")

"""Signing in and out."""

from __future__ import annotations

from importlib.metadata import version

from msgspec import DecodeError, Struct, ValidationError, json

from outrider.domain.audit import Actor
from outrider.domain.errors import Malformed, Unauthenticated
from outrider.domain.instant import SECOND_MS
from outrider.domain.tenant import Token, hash_token
from outrider.engine.sessions import Session
from outrider.http import answers
from outrider.http.answers import Answer, Fields
from outrider.http.calls import Call
from outrider.http.console.attempts import FailedAttempts
from outrider.http.console.door import COOKIE, Door, cookie_of
from outrider.http.console.files import GUARDED
from outrider.wire.schema import TIME_MS, one_of, text, thing

_LARGEST_BODY = 16 * 1024


class _Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody signs in with: one of the two."""

    token: str | None = None
    link: str | None = None


class SignIn:
    """The routes of a session."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._failed = FailedAttempts()

    async def show(self, call: Call) -> Answer:
        """Who is signed in; the session goes on for longer."""
        self._door.check_reading(call.request)
        session = _session_of(call)
        token = None if session is None else await call.engine.directory.find_token(session.token_hash)
        if session is None or token is None:
            raise Unauthenticated("nobody is signed in", code="session_over", hint="sign in again")
        renewed = call.engine.sessions.renew(session)
        if renewed is None:
            return await _present(call, session, token, ())
        return await _present(call, renewed, token, (_set_cookie(call, renewed),))

    async def begin(self, call: Call) -> Answer:
        """The cookie for a token or a link. No other site's page may sign somebody in, to what is not theirs."""
        self._door.check_reading(call.request)
        address, clock = call.caller_ip or "", call.engine.clock
        self._failed.check(address, clock.now())
        said = _read(await call.body(_LARGEST_BODY, "send a token or the code of a link, and nothing else"))
        token = await _token_of(call, said)
        if token is None:
            self._failed.count(address, clock.now())
            what = "link is not known here, was used, or has expired" if said.link else "token is not known here"
            hint = "`outrider console link` makes another link" if said.link else "it may be revoked"
            raise Unauthenticated(f"the {what}", code="sign_in_refused", hint=hint)
        is_secure = call.request.fields.get(b"origin", b"").startswith(b"https:")
        session = call.engine.sessions.begin(token.hash, is_secure=is_secure)
        how = "by a link" if said.link else "by its token"
        await call.engine.audit.record(
            token.tenant, Actor(token.id, token.hint), "console.sign_in", f"from {address} {how}"
        )
        return await _present(call, session, token, (_set_cookie(call, session),))

    async def end(self, call: Call) -> Answer:
        """The browser forgets the cookie. A copy of it stays valid until its end, or until the token is revoked."""
        self._door.check_changing(call.request)
        session = _session_of(call)
        token = None if session is None else await call.engine.directory.find_token(session.token_hash)
        if token is not None:
            actor = Actor(token.id, token.hint)
            await call.engine.audit.record(token.tenant, actor, "console.sign_out", f"from {call.caller_ip or ''}")
        is_secure = session is not None and session.is_secure
        return Answer(204, fields=(*answers.NOT_KEPT, *GUARDED, _cookie("", 0, is_secure=is_secure)))


async def _present(call: Call, session: Session, token: Token, fields: Fields) -> Answer:
    tenant = await call.engine.directory.tenant(token.tenant)
    shown = {
        "tenant": tenant.name,
        "scope": token.scope.value,
        "token": token.name,
        "expiresAt": session.expires_at,
        "version": version("outrider"),
        "time": call.engine.clock.now(),
    }
    return answers.json(shown, fields=(*GUARDED, *fields))


def _session_of(call: Call) -> Session | None:
    cookie = cookie_of(call.request)
    return None if cookie is None else call.engine.sessions.open(cookie)


async def _token_of(call: Call, said: _Said) -> Token | None:
    if said.link is not None:
        token = await call.engine.sign_in_links.use(said.link)
        return None if token is None else await call.engine.directory.find_token(token.hash)
    return await call.engine.directory.find_token(hash_token(said.token or ""))


def _read(body: bytes) -> _Said:
    """Raises Malformed."""
    try:
        said = json.decode(body, type=_Said)
    except (DecodeError, ValidationError, UnicodeDecodeError):
        said = _Said()
    if (said.token is None) == (said.link is None):
        raise Malformed(
            'the body is neither {"token": "<token>"} nor {"link": "<code>"}', hint="send one of the two as JSON"
        )
    return said


def _set_cookie(call: Call, session: Session) -> tuple[bytes, bytes]:
    seconds = max(0, session.expires_at - call.engine.clock.now()) // SECOND_MS
    return _cookie(call.engine.sessions.seal(session), seconds, is_secure=session.is_secure)


def _cookie(value: str, seconds: int, *, is_secure: bool) -> tuple[bytes, bytes]:
    secure = "; Secure" if is_secure else ""
    said = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
    return b"set-cookie", said.encode()


SESSION = thing(
    "ConsoleSession",
    {
        "tenant": text("The name of the tenant."),
        "scope": one_of(("full", "read")),
        "token": text("The name of the token that the session stands on."),
        "expiresAt": TIME_MS,
        "version": text("Of the server."),
        "time": TIME_MS,
    },
)
SIGN_IN = thing("ConsoleSignIn", {}, {"token": text("A token."), "link": text("The code of a one-time link.")})

"""Sessions of the console: a sealed value that names a token, and is nothing without it.

No session is stored. Every node with the secret key opens the value, and asks for the token as it does for one in a
header, so that revoking the token ends its sessions.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from msgspec import DecodeError, Struct, json, structs

from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from outrider.ports import Clock
from outrider.sealing import SealBroken, SealedBox

IDLE_MS = 12 * HOUR_MS
"""A session ends when its person has not used the console for so long."""

LONGEST_MS = 7 * DAY_MS
"""And so long after it began, whatever its use."""

RENEW_AFTER_MS = 5 * MINUTE_MS
_PLACE = "console session"


class Session(Struct, frozen=True):
    """Who has signed in.

    Attributes:
        token_hash: of the token that was shown, or that a link stood for.
        is_secure: whether it began by https, and its cookie goes nowhere else.
    """

    token_hash: str
    began_at: Instant
    expires_at: Instant
    is_secure: bool


class Sessions:
    """Begins, renews, seals and opens sessions."""

    def __init__(self, box: SealedBox, clock: Clock) -> None:
        self._box = box
        self._clock = clock

    def begin(self, token_hash: str, *, is_secure: bool) -> Session:
        now = self._clock.now()
        return Session(token_hash, now, now + IDLE_MS, is_secure)

    def renew(self, session: Session) -> Session | None:
        """The session with its end moved on; None where that would change little or nothing."""
        expires_at = min(self._clock.now() + IDLE_MS, session.began_at + LONGEST_MS)
        if expires_at - session.expires_at < RENEW_AFTER_MS:
            return None
        return structs.replace(session, expires_at=expires_at)

    def seal(self, session: Session) -> str:
        """Letters, digits, '-' and '_'."""
        return urlsafe_b64encode(self._box.seal(json.encode(session), _PLACE)).decode().rstrip("=")

    def open(self, sealed: str) -> Session | None:
        """The session; None for one that is over, or that was not sealed by us."""
        try:
            plain = self._box.open(urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)), _PLACE)
            session = json.decode(plain, type=Session)
        except (SealBroken, DecodeError, binascii.Error, ValueError):
            return None
        return session if self._clock.now() < session.expires_at else None

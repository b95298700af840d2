"""Whose messages they are, who may speak for them, and what signs them."""

from __future__ import annotations

import hashlib
import secrets
import string
from enum import StrEnum

from msgspec import Struct, structs

from outrider.domain.audit import Actor
from outrider.domain.instant import Instant


class Scope(StrEnum):
    """What a token may do. READ sees everything and changes nothing."""

    FULL = "full"
    READ = "read"


class SigningKeys(Struct, frozen=True):
    """Deliveries are signed with `current`; receivers hold both, so a rotation leaves no gap.

    Attributes:
        standard_webhooks: whether deliveries of which nothing else is said are signed by Standard Webhooks too.
    """

    current: str
    next: str
    standard_webhooks: bool = False

    def rotated(self, fresh: str) -> SigningKeys:
        """`next` becomes `current`, `fresh` becomes `next`."""
        return structs.replace(self, current=self.next, next=fresh)


class Tenant(Struct, frozen=True):
    """An owner of messages, queues, schedules and everything else."""

    id: str
    name: str
    created_at: Instant


class Token(Struct, frozen=True, kw_only=True):
    """A bearer token as it is stored: its hash, never itself.

    Attributes:
        id: how it is named when it is listed or revoked.
        hint: its last four characters, so that a person can tell tokens apart.
        last_used_at: to a minute or so; None if nobody has used it yet.
    """

    id: str
    tenant: str
    scope: Scope
    hash: str
    hint: str
    name: str = ""
    created_at: Instant
    last_used_at: Instant | None = None


class Principal(Struct, frozen=True):
    """Who is calling, once the token is known."""

    tenant: str
    scope: Scope
    actor: Actor


def hash_token(token: str) -> str:
    """What is stored of a token: tokens of ours carry 256 random bits, so a plain SHA-256 suffices."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh token with 256 random bits."""
    return f"otr_{secrets.token_urlsafe(32)}"


def new_signing_key() -> str:
    """A fresh key in the form clients know: `sig_` and 28 letters and digits."""
    alphabet = string.ascii_letters + string.digits
    return "sig_" + "".join(secrets.choice(alphabet) for _ in range(28))

"""Administrative changes, as they are remembered: who, when, what, on what. Never with a secret."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.instant import Instant


class Actor(Struct, frozen=True):
    """Who changes something.

    Attributes:
        id: of a token, or who else it was.
        hint: the token's last four characters.
    """

    id: str
    hint: str = ""


COMMAND_LINE = Actor("command line")
SERVER = Actor("server")
"""At its start: the first tenant, the users of development."""


NO_TENANT = ""
"""Whose a change is that is of the whole database."""


class AuditEntry(Struct, frozen=True, kw_only=True):
    """A change that was made.

    Attributes:
        id: rises with every entry; given by the store.
        tenant: the id of whose it was; the tenant may be gone. NO_TENANT where it was everybody's.
        action: what was done, such as `queue.pause`.
        subject: on what: a name, an id, a count.
    """

    id: int = 0
    time: Instant
    tenant: str
    actor: str
    hint: str
    action: str
    subject: str

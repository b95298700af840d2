"""The four public users of development mode.

Their tokens and keys are published facts: the JavaScript SDK with `QSTASH_DEV=true` attaches
to whatever answers on the development port with exactly the first user's key pair. They are
served on loopback only, live in a database of their own, and `serve` never accepts them.
"""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.tenant import SigningKeys


class DevelopmentUser(Struct, frozen=True):
    """A tenant that everybody knows the secrets of."""

    name: str
    token: str
    keys: SigningKeys


DEVELOPMENT_USERS = (
    DevelopmentUser(
        "dev-1",
        "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=",
        SigningKeys(current="sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", next="sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"),
    ),
    DevelopmentUser(
        "dev-2",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        SigningKeys(current="sig_7GVPjvuwsfqF65iC8fSrs1dfYruM", next="sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua"),
    ),
    DevelopmentUser(
        "dev-3",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjIiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        SigningKeys(current="sig_6jWGaWRxHsw4vMSPJprXadyvrybF", next="sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx"),
    ),
    DevelopmentUser(
        "dev-4",
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjMiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        SigningKeys(current="sig_5T8FcSsynBjn9mMLBsXhpacRovJf", next="sig_7GFR4YaDshFcqsxWRZpRB161jguD"),
    ),
)

DEVELOPMENT_TOKENS = frozenset(user.token for user in DEVELOPMENT_USERS)

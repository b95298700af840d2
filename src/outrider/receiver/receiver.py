"""Verifies deliveries with the two signing keys of a tenant."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from outrider.signing import Claims, InvalidSignature, verify

SIGNATURE_HEADER = "Upstash-Signature"

CURRENT_KEY_VARIABLE = "QSTASH_CURRENT_SIGNING_KEY"
NEXT_KEY_VARIABLE = "QSTASH_NEXT_SIGNING_KEY"


class MissingSigningKey(ValueError):
    """A signing key is not set; says which."""


class Receiver:
    """Holds both keys, so that a rotation leaves no gap."""

    def __init__(
        self, current_signing_key: str, next_signing_key: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Make a receiver; `clock` tells Unix time in seconds. Raises MissingSigningKey for an empty key."""
        for name, key in (("current", current_signing_key), ("next", next_signing_key)):
            if not key:
                raise MissingSigningKey(f"the {name} signing key is empty; GET /v2/keys answers both")
        self._keys = (current_signing_key, next_signing_key)
        self._clock = clock

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, clock: Callable[[], float] = time.time) -> Receiver:
        """A receiver with the keys of the environment. Raises MissingSigningKey naming the variable."""
        environ = os.environ if environ is None else environ
        for variable in (CURRENT_KEY_VARIABLE, NEXT_KEY_VARIABLE):
            if not environ.get(variable):
                raise MissingSigningKey(
                    f"environment variable {variable} is not set; set it to the key that GET /v2/keys answers"
                )
        return cls(environ[CURRENT_KEY_VARIABLE], environ[NEXT_KEY_VARIABLE], clock=clock)

    def verify(
        self, *, signature: str | None, body: bytes | str, url: str | None = None, clock_tolerance: int = 0
    ) -> Claims:
        """What the signature says, if it is one of ours for this request.

        Args:
            signature: the value of `Upstash-Signature`; None if the header is missing.
            body: the raw body; text counts as UTF-8.
            url: the destination as it was published; None leaves it unchecked.
            clock_tolerance: seconds that the clocks of both sides may be apart.

        Raises:
            InvalidSignature: saying why.
        """
        if not signature:
            raise InvalidSignature(f"the header {SIGNATURE_HEADER} is missing: the request is no signed delivery")
        return verify(
            signature,
            keys=self._keys,
            body=body.encode() if isinstance(body, str) else body,
            url=url,
            now_s=int(self._clock()),
            tolerance_s=clock_tolerance,
        )

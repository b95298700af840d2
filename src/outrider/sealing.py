"""Secrets at rest: sealed with AES-256-GCM under one key, each bound to what it belongs to.

Pure, given a key and a source of nonces. A sealed value is a version byte, the nonce and the
ciphertext with its tag. What it belongs to is authenticated with it: moved to another place, it
does not open.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = b"\x01"


class SealBroken(Exception):
    """The value was sealed with another key or for another place, or was changed; which, nobody can tell."""


class SecretKey:
    """The key that everything is sealed with. It never shows itself."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        """Raises ValueError unless it is 32 bytes."""
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a secret key has {KEY_BYTES} bytes, not {len(raw)}")
        self.raw = raw

    @classmethod
    def fresh(cls) -> SecretKey:
        """A random one."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def __repr__(self) -> str:
        return "SecretKey([hidden])"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKey) and secrets.compare_digest(self.raw, other.raw)

    def __hash__(self) -> int:
        return hash(self.raw)


def _random_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


class SealedBox:
    """Seals and opens. `nonces` gives 12 bytes that never come again under the key."""

    def __init__(self, key: SecretKey, nonces: Callable[[], bytes] = _random_nonce) -> None:
        self._cipher = AESGCM(key.raw)
        self._nonces = nonces

    def seal(self, plain: bytes, *place: str) -> bytes:
        """The value encrypted for a place, such as a tenant and a host."""
        nonce = self._nonces()
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, _named(place))

    def open(self, sealed: bytes, *place: str) -> bytes:
        """What was sealed for that place. Raises SealBroken."""
        start = len(_VERSION) + NONCE_BYTES
        if not sealed.startswith(_VERSION) or len(sealed) < start:
            raise SealBroken("not a sealed value of a known version")
        try:
            return self._cipher.decrypt(sealed[len(_VERSION) : start], sealed[start:], _named(place))
        except InvalidTag:
            raise SealBroken("sealed with another key or for another place, or changed") from None


def _named(place: tuple[str, ...]) -> bytes:
    """The words of a place, each led by its length: no two places are written alike."""
    words = [word.encode() for word in place]
    return _VERSION + b"".join(b"%d:%b" % (len(word), word) for word in words)

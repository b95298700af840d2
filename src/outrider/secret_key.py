"""Where the secret key comes from: as text, or from a file that is made at first use."""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from outrider.domain.errors import Misconfigured
from outrider.sealing import KEY_BYTES, SecretKey

FILE = "secret.key"


def parse_secret_key(text: str) -> SecretKey:
    """A key of 32 bytes, as hex or base64 (either alphabet, padded or not). Raises ValueError, without the text."""
    text = text.strip()
    with contextlib.suppress(ValueError):
        return SecretKey(bytes.fromhex(text))
    with contextlib.suppress(ValueError):
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        standard = padded.replace("-", "+").replace("_", "/").encode("ascii")
        return SecretKey(binascii.a2b_base64(standard, strict_mode=True))
    raise ValueError(f"not {KEY_BYTES} bytes as base64 or hex")


def keep_secret_key(folder: Path) -> SecretKey:
    """The key in the folder's `secret.key`; made there, readable to its owner alone, if there is none.

    Raises Misconfigured if the file holds no key or cannot be read or written.
    """
    path = folder / FILE
    try:
        if not path.exists():
            _make(path)
    except OSError as failure:
        raise _unusable(path, failure) from None
    return _read(path)


def find_secret_key(folder: Path) -> SecretKey | None:
    """The key in the folder's `secret.key`, if there is one. Raises Misconfigured as `keep_secret_key` does."""
    path = folder / FILE
    return _read(path) if path.exists() else None


def _read(path: Path) -> SecretKey:
    try:
        return parse_secret_key(path.read_text("ascii"))
    except OSError as failure:
        raise _unusable(path, failure) from None
    except ValueError:
        raise Misconfigured(
            f"the secret key file '{path}' does not hold {KEY_BYTES} bytes as base64 or hex",
            hint="put the key back from a backup; without it, nothing that was stored sealed can be read",
        ) from None


def _unusable(path: Path, failure: OSError) -> Misconfigured:
    return Misconfigured(
        f"the secret key file '{path}' cannot be used: {failure.strerror}",
        hint="make its folder writable, or set OUTRIDER_SECRET_KEY",
    )


def fingerprint_of(key: SecretKey) -> str:
    """By which two keys are told apart. Nothing of the key can be told from it."""
    return hmac.digest(key.raw, b"outrider: fingerprint of the secret key", hashlib.sha256).hex()


def _make(path: Path) -> None:
    """Write a fresh key whole and durably before it has its name, so that nobody ever reads a part of one."""
    written = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(binascii.b2a_base64(SecretKey.fresh().raw))
            file.flush()
            os.fsync(file.fileno())
        # Another process may have been faster: then its key counts.
        with contextlib.suppress(FileExistsError):
            os.link(written, path)
    finally:
        written.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

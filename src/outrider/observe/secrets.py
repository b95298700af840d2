"""What must not reach a log line."""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_SECRET = re.compile(
    r"""
      otr_[A-Za-z0-9_-]{8,}               # our tokens
    | sig_[A-Za-z0-9]{8,}                 # signing keys
    | whsec_[A-Za-z0-9+/=]{8,}            # the same, for Standard Webhooks
    | eyJ[A-Za-z0-9_=.-]{16,}             # signatures, development tokens
    | (?<=://)[^/\s@]+(?=@)               # user info of a URL
    | (?<=qstash_token=)[^&\s]+
    | (?<=[Bb]earer\ )\S+
    """,
    re.VERBOSE,
)

_SECRET_NAME = re.compile(r"token|secret|password|authorization|cookie|key$|keys$", re.IGNORECASE)


def hide_secrets(text: str) -> str:
    """The text without tokens, keys, signatures and passwords."""
    return _SECRET.sub(HIDDEN, text)


def plain(name: str, value: object) -> object:
    """A fact as it may be written: no secret, no bytes, nothing but text, numbers, booleans and None."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    return hide_secrets(value if isinstance(value, str) else str(value))

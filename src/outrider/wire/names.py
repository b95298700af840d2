"""Names and values of header fields, and the names people give to queues, groups and schedules.

Header values are strings whose Latin-1 encoding is the bytes on the wire: so they came in, and
so they go out unchanged, whatever encoding their author had in mind. `readable` guesses that
encoding for people; `as_header_value` is the way back for text that came decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from outrider.domain.errors import Malformed
from outrider.domain.options import Headers

LONGEST_NAME = 256

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NAME = re.compile(rf"[A-Za-z0-9._\-]{{1,{LONGEST_NAME}}}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=4096)
def canonical_name(name: str) -> str:
    """The canonical spelling of a header's name: `x-my-header` is `X-My-Header`."""
    return "-".join(part.capitalize() for part in name.split("-"))


@lru_cache(maxsize=4096)
def is_header_name(name: str) -> bool:
    """Whether HTTP allows a header of this name."""
    return _TOKEN.fullmatch(name) is not None


def has_control_characters(value: str) -> bool:
    """Whether the value holds a control character other than a tab: CR, LF and NUL foremost."""
    return not value.isprintable() and _CONTROL.search(value) is not None


def is_name(text: str) -> bool:
    """Whether a queue, URL group or schedule may be called so."""
    return _NAME.fullmatch(text) is not None


def check_name(what: str, text: str) -> str:
    """The name of a queue, URL group or schedule. Raises Malformed; `what` says of which."""
    if not is_name(text):
        raise Malformed(
            f"{what} {quoted(text)} is not a name; write 1 to {LONGEST_NAME} letters, digits, '-', '_' and '.'",
            code="invalid_name",
        )
    return text


def quoted(value: str) -> str:
    """A value as an error shows it: in quotes, escaped, cut short."""
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"


_SHOWN = 80


def as_header_value(text: str) -> str:
    """Decoded text as a header value: its UTF-8 bytes, each as a character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")


def as_latin_1(value: str) -> str:
    """A header value that can be sent: as it is if it is Latin-1, else by its UTF-8 bytes."""
    if value.isascii():
        return value
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return as_header_value(value)
    return value


def readable(value: str) -> str:
    """A header value as text: its bytes as UTF-8 if they are that, else as Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        # A value that is no Latin-1 was decoded by somebody else; only what JSON cannot hold is replaced.
        return value.encode("utf-8", "replace").decode()


def by_name(headers: Headers | Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers as clients read them: canonical names, a list of values each, in order."""
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(canonical_name(name), []).append(readable(value))
    return grouped

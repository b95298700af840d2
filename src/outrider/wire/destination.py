"""Where a publish goes, read from the raw path and query.

The destination stands raw in the path, and what it is called with must be what was written:
nothing is decoded, collapsed or reordered, except three repairs that protocol section 2 names.
Our own query parameters (`upstash-…`, `qstash_token`) are taken out; all others belong to the
destination, byte for byte. A URL group has no query: what is left of one is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from outrider.domain.destination import Destination, GroupName, Url
from outrider.domain.errors import Malformed, NotFound, OutriderError
from outrider.wire.names import is_name, quoted
from outrider.wire.query import split_query

LONGEST_URL = 8192

INVALID_SCHEME = "invalid destination url: endpoint has invalid scheme, add http:// or https://"
"""Clients match this text."""


class Target(Struct, frozen=True):
    """What a publish's path and query say.

    Attributes:
        options: our parameters, decoded, names in lower case.
        token: the value of `qstash_token`.
    """

    destination: Destination
    options: list[tuple[str, str]]
    token: str | None


def parse_target(remainder: bytes, query: bytes) -> Target:
    """The target of a publish: `remainder` is the raw path behind `/v2/publish/`, `query` the raw query.

    Raises Malformed for what is neither a URL nor a name, and for a broken parameter of ours.
    """
    own = split_query(query)
    written = _repair(remainder)
    if own.left and _looks_like_url(written):
        written += (b"&" if b"?" in written else b"?") + own.left
    return Target(_destination(written), own.options, own.token)


def parse_destination(text: str) -> Destination:
    """A destination that came as text: of a batch item, say. Raises Malformed."""
    return _destination(_repair(text.strip().encode("utf-8", "replace")))


def check_url(text: str, what: str = "destination") -> str:
    """The URL, byte for byte. Raises Malformed, `what` saying of which URL, if it cannot be called."""
    match = _URL.fullmatch(text) if len(text) <= LONGEST_URL else None
    if match is None or not _authority_is_valid(match):
        raise _refused_url(text, what)
    return text


def unknown_group(name: str) -> OutriderError:
    """The refusal of a name that is no group: as a URL without its scheme where it looks like one."""
    if _HOST_LIKE.fullmatch(name):
        return Malformed(
            INVALID_SCHEME,
            code="invalid_destination",
            hint=f"no URL group is called {quoted(name)}; for the host write https://{name}",
        )
    return NotFound(
        f"URL group {quoted(name)} does not exist",
        code="url_group_not_found",
        hint="publish to a URL that starts with https:// or http://, or to an existing URL group",
    )


def no_llm_provider() -> Malformed:
    """The refusal of the deprecated destination that left the choice of a provider to the service."""
    return Malformed(
        "api/llm is no destination here: there is no built-in LLM provider",
        code="no_llm_provider",
        hint="give the provider's URL, such as https://api.openai.com/v1/chat/completions, and its key in "
        "Upstash-Forward-Authorization",
    )


_SCHEME = re.compile(rb"https?:", re.IGNORECASE)
_ENCODED = re.compile(rb"https?(?:%3a|:%2f)", re.IGNORECASE)
_COLLAPSED = re.compile(rb"(https?):/(?=[^/])", re.IGNORECASE)


def _repair(written: bytes) -> bytes:
    """Undo what proxies and careful clients do to a URL in a path: encoding it whole, collapsing its slashes."""
    if _ENCODED.match(written):
        written = unquote_to_bytes(written)
    return _COLLAPSED.sub(rb"\1://", written, count=1) if _COLLAPSED.match(written) else written


def _looks_like_url(written: bytes) -> bool:
    return _SCHEME.match(written) is not None


def _destination(written: bytes) -> Destination:
    return _known(written) if len(written) <= _LONGEST_KNOWN else _parse(_text_of(written))


_LONGEST_KNOWN = 512


# Most messages go where others went.
@lru_cache(maxsize=1024)
def _known(written: bytes) -> Destination:
    return _parse(_text_of(written))


def _text_of(written: bytes) -> str:
    # Bytes beyond ASCII become characters beyond ASCII, which `_parse` refuses with their remedy.
    return written.decode("ascii") if written.isascii() else written.decode("utf-8", "replace")


def _parse(text: str) -> Destination:
    if text[:8].lower().startswith(("http://", "https://")):
        return Url(check_url(text))
    if _LLM.match(text):
        raise no_llm_provider()
    name = unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text
    if is_name(name):
        return GroupName(name)
    if any(mark in name for mark in "/:."):
        raise Malformed(
            INVALID_SCHEME,
            code="invalid_destination",
            hint=f"the destination {quoted(name)} is neither a URL nor the name of a URL group",
        )
    raise Malformed(
        f"destination {quoted(name)} is neither a URL nor the name of a URL group",
        code="invalid_destination",
        hint="write a URL that starts with https:// or http://, or a group's name: letters, digits, '-', '_' and '.'",
    )


_LLM = re.compile(r"/?(?:api/llm|llm/v1/)", re.IGNORECASE)
_HOST_LIKE = re.compile(r"localhost|(?:[A-Za-z0-9_\-]+\.)+(?:[A-Za-z]{2,63}|[0-9]{1,3})", re.IGNORECASE)


_USER_INFO = r"[A-Za-z0-9\-._~!$&'()*+,;=:%]*"
_HOST = r"[A-Za-z0-9_\-]{1,63}(?:\.[A-Za-z0-9_\-]{1,63})*\.?"
_URL = re.compile(
    rf"(?i:https?)://(?:{_USER_INFO}@)?(?:(?P<host>{_HOST})|\[(?P<v6>[0-9A-Fa-f:.]{{2,45}})\])(?::(?P<port>[0-9]{{1,5}}))?"
    r"(?:[/?][\x21\x22\x24-\x5b\x5d-\x7e]*)?"
)
_LONGEST_HOST = 253
_HIGHEST_PORT = 65_535


def _authority_is_valid(match: re.Match[str]) -> bool:
    port, host = match["port"], match["host"]
    if port is not None and not 1 <= int(port) <= _HIGHEST_PORT:
        return False
    if host is not None:
        return len(host) <= _LONGEST_HOST
    try:
        IPv6Address(match["v6"])
    except ValueError:
        return False
    return True


def _refused_url(text: str, what: str) -> Malformed:
    """Find out what is wrong; only refused URLs pay for it."""
    if not text[:8].lower().startswith(("http://", "https://")):
        return Malformed(INVALID_SCHEME, code="invalid_destination", hint=f"the {what} is {quoted(text)}")
    reason, hint = next((reason, hint) for broken, reason, hint in _URL_RULES if broken(text))
    return Malformed(f"{what} {quoted(text)} {reason}", code="invalid_destination", hint=hint)


def _authority(text: str) -> str:
    return re.split(r"[/?#\\]", text.partition("://")[2], maxsplit=1)[0]


def _port(text: str) -> str | None:
    match = re.search(r":([^\]:]*)$", _authority(text).rpartition("@")[2])
    return None if match is None else match[1]


_URL_RULES: tuple[tuple[Callable[[str], bool], str, str], ...] = (
    (lambda text: len(text) > LONGEST_URL, f"is longer than {LONGEST_URL} characters", "send long values in the body"),
    (
        lambda text: not text.isascii(),
        "has characters beyond ASCII",
        "write the host in punycode (xn--…) and percent-encode the rest",
    ),
    (
        lambda text: re.search(r"[\x00-\x20\x7f]", text) is not None,
        "has a space or control character",
        "percent-encode it: a space is %20",
    ),
    (lambda text: "\\" in text, "has a backslash", "write '/' or percent-encode it as %5C"),
    (lambda text: "#" in text, "has a fragment, which is never sent", "leave out everything from '#'; a '#' is %23"),
    (
        lambda text: _authority(text).rpartition("@")[2][:1] in ("", ":"),
        "has no host",
        "write https://example.com/path",
    ),
    (
        lambda text: (_port(text) is not None) and not (_port(text) or "").isdecimal(),
        "has a port that is no number",
        f"write a port from 1 to {_HIGHEST_PORT}, or none",
    ),
    (
        lambda text: _port(text) is not None and not 1 <= int(_port(text) or "0") <= _HIGHEST_PORT,
        "has a port out of range",
        f"write a port from 1 to {_HIGHEST_PORT}",
    ),
    (
        lambda _: True,
        "has a host or user information that is not valid",
        "write a host name, an IPv4 address or an IPv6 address in brackets",
    ),
)

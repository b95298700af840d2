"""Raw queries: which parameters are ours, and what they say once decoded."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.wire.names import quoted

TOKEN_PARAMETER = "qstash_token"  # noqa: S105 - its name, not a token
OPTION_PREFIX = "upstash-"


class OwnParameters(Struct, frozen=True):
    """A raw query parted into what is ours, decoded, and what is left, raw and in order."""

    options: list[tuple[str, str]]
    token: str | None
    left: bytes


def split_query(query: bytes) -> OwnParameters:
    """Take our own parameters out of a raw query. In ours, `+` is a space. Raises Malformed."""
    if not query:
        return _NO_PARAMETERS
    options: list[tuple[str, str]] = []
    token = None
    left = []
    for pair in query.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        # An encoded name is decoded too: a token must not go on to the destination.
        name = unquote_to_bytes(raw_name) if b"%" in raw_name else raw_name
        if name == _TOKEN_PARAMETER_BYTES:
            token = _decoded(TOKEN_PARAMETER, raw_value)
        elif name[:8].lower() == _OPTION_PREFIX_BYTES:
            lower = _decoded("the name of a query parameter", raw_name).lower()
            options.append((lower, _decoded(lower, raw_value)))
        else:
            left.append(pair)
    return OwnParameters(options, token, b"&".join(left))


_NO_PARAMETERS = OwnParameters([], None, b"")
_TOKEN_PARAMETER_BYTES = TOKEN_PARAMETER.encode()
_OPTION_PREFIX_BYTES = OPTION_PREFIX.encode()


def decode_query(query: bytes) -> list[tuple[str, str]]:
    """Every parameter of a query that is all ours, decoded, names as written. Raises Malformed."""
    pairs = (pair.partition(b"=") for pair in query.split(b"&") if pair)
    return [
        (_decoded("the name of a query parameter", name), _decoded(name.decode("utf-8", "replace"), value))
        for name, _, value in pairs
    ]


def _decoded(name: str, raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(
            f"query parameter {quoted(name)} is not UTF-8",
            code="invalid_query",
            hint="percent-encode the UTF-8 bytes of its value; a plus sign is %2B",
        ) from None

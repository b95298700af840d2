"""Destination profiles as clients write and read them. Values go in and never come out."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.domain.options import Headers
from outrider.domain.profile import Profile
from outrider.wire.bodies import decode_body
from outrider.wire.names import as_header_value, canonical_name, has_control_characters, is_header_name, quoted
from outrider.wire.option_table import PREFIX
from outrider.wire.options import OF_A_CONNECTION
from outrider.wire.outgoing import OF_STANDARD_WEBHOOKS, OURS
from outrider.wire.redaction import redacted_value
from outrider.wire.schema import TIME_MS, map_of, text, thing

MOST_HEADERS = 32
LONGEST_VALUE = 4096

_EXAMPLE = '{"headers": {"X-Bypass-Secret": "value"}}'
_LONGEST_HOST = 253
_HIGHEST_PORT = 65_535
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?P<name>(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[(?P<v6>[0-9a-f:.]{{2,45}})\])(?::(?P<port>[1-9][0-9]{{0,4}}))?"
)


class _Body(Struct):
    headers: dict[str, str] | None = None


def parse_profile_host(written: str) -> str:
    """The host of a profile, in lower case. Raises Malformed."""
    host = written.lower()
    match = _HOST.fullmatch(host)
    if match is None or len(match["name"]) > _LONGEST_HOST or int(match["port"] or 1) > _HIGHEST_PORT:
        raise _refused_host(written)
    if match["v6"] is None:
        return host
    try:
        address = IPv6Address(match["v6"])
    except ValueError:
        raise _refused_host(written) from None
    return f"[{address}]" + (f":{match['port']}" if match["port"] else "")


def parse_profile(body: bytes) -> Headers:
    """The headers of `PUT /v2/profiles/{host}`, names in canonical spelling. Raises Malformed, never with a value."""
    said = decode_body(body, _Body, _EXAMPLE).headers
    if not said:
        raise Malformed(
            "the profile has no headers; give at least one",
            code="invalid_body",
            hint=f"write {_EXAMPLE}, or DELETE the profile",
        )
    if len(said) > MOST_HEADERS:
        raise Malformed(f"the profile has {len(said)} headers; at most {MOST_HEADERS} are allowed", code="invalid_body")
    headers = tuple((_checked_name(name), _checked_value(name, value)) for name, value in said.items())
    if len({name for name, _ in headers}) < len(headers):
        raise Malformed("the profile names a header twice; its case does not part it", code="invalid_body")
    return headers


def present_profile(profile: Profile) -> dict[str, object]:
    """The names of the headers, and of each value its hash."""
    return {
        "host": profile.host,
        "headers": {name: redacted_value(value) for name, value in profile.headers},
        "updatedAt": profile.updated_at,
    }


def _checked_name(name: str) -> str:
    lower = name.lower()
    if not is_header_name(name):
        raise Malformed(
            f"{quoted(name)} names no header",
            code="invalid_header",
            hint="a header's name is letters, digits and any of !#$%&'*+-.^_`|~",
        )
    if lower in OURS or lower in OF_STANDARD_WEBHOOKS or lower.startswith(PREFIX):
        raise Malformed(f"the header {name} is set by this server; a profile cannot set it", code="invalid_header")
    if lower in OF_A_CONNECTION:
        raise Malformed(f"the header {name} belongs to the connection; a profile cannot set it", code="invalid_header")
    return canonical_name(name)


def _checked_value(name: str, value: str) -> str:
    value = value.strip(" \t")
    if not value:
        raise Malformed(f"the header {name} has no value; write one or leave the header out", code="invalid_header")
    if len(value) > LONGEST_VALUE:
        raise Malformed(
            f"the value of the header {name} is longer than {LONGEST_VALUE} characters", code="invalid_header"
        )
    if has_control_characters(value):
        raise Malformed(
            f"the header {name} has a control character (CR, LF, NUL …) in its value",
            code="invalid_header",
            hint="leave it out or encode the value",
        )
    return as_header_value(value)


def _refused_host(written: str) -> Malformed:
    return Malformed(
        f"{quoted(written)} is not the host of a profile",
        code="invalid_host",
        hint="write preview.example.com, preview.example.com:8443 or *.preview.example.com, without https://",
    )


PROFILE = thing(
    "DestinationProfile",
    {
        "host": text("The host, host:port or *.suffix whose deliveries carry the headers."),
        "headers": map_of(text(), "`REDACTED:` and the SHA-256 of each value, by header name."),
        "updatedAt": TIME_MS,
    },
)
PROFILE_BODY = thing(
    "DestinationProfileRequest",
    {"headers": map_of(text(), "Values by header name. They are stored encrypted and never shown again.")},
)

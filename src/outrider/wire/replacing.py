"""`Outrider-Replace`: what of a request takes the place of what a dead letter would be sent with."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from outrider.domain.errors import Malformed

_HEADER = b"outrider-replace"


class Replaced(Struct, frozen=True):
    """Which parts are the request's own."""

    body: bool = False
    headers: bool = False


def parse_replaced(headers: Sequence[tuple[bytes, bytes]]) -> Replaced:
    """What a request's headers say, their names in lower case. Raises Malformed for a part that there is not."""
    said = [value.decode("latin-1") for name, value in headers if name == _HEADER]
    parts = {part.strip().lower() for value in said for part in value.split(",")}
    unknown = sorted(parts - {"body", "headers"})
    if unknown:
        raise Malformed(
            f"Outrider-Replace names '{unknown[0][:80]}', which is nothing that can be replaced",
            hint="write body, headers, or body,headers",
        )
    return Replaced(body="body" in parts, headers="headers" in parts)

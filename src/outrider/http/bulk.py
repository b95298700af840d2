"""Which things a bulk change means. A slip of the caller's must never turn "some" into "all"."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from outrider.domain.errors import Malformed
from outrider.domain.limits import MIB
from outrider.http.calls import Call
from outrider.wire.bodies import parse_ids

LONGEST_BODY = MIB


async def named_ids(call: Call, field: str, parameters: bytes) -> tuple[str, ...] | None:
    """The ids that the body names under `field`; None if it names none, which is not an empty list of them.

    `parameters` is what the query says of the choice. Raises Malformed for a body with neither ids
    nor filters beside it; for a body that says anything else, since filters stand in the query; and
    for a path that ends in a slash and names nothing, as one does whose id came out empty.
    """
    body = await call.body(LONGEST_BODY, "name fewer ids at once")
    if not body.strip():
        if call.trailing_slash and not parameters:
            raise Malformed(
                "the path ends with a slash and names nothing",
                code="nothing_named",
                hint="add the id, or leave the slash out to mean all",
            )
        return None
    ids = parse_ids(body, field)
    unknown = [name for name in msgspec.json.decode(body, type=dict[str, Raw]) if name != field]
    if unknown:
        raise Malformed(
            f"the body's field '{unknown[0][:80]}' is not known; the body takes {field} alone",
            code="unknown_field",
            hint="filters stand in the query, such as ?label=billing",
        )
    if ids is None and not parameters:
        raise Malformed(
            "the body names neither ids nor filters",
            code="nothing_named",
            hint=f'write {{"{field}": ["…"]}} or filters in the query; no body and no query means all',
        )
    return ids


def only_once(field: str, in_body: tuple[str, ...] | None, in_query: tuple[str, ...]) -> tuple[str, ...]:
    """The ids, wherever they stand. Raises Malformed if they stand in both places."""
    if in_body is None:
        return in_query
    if in_query:
        raise Malformed(f"{field} stands in the body and in the query; name the ids in one of them", code="named_twice")
    return in_body

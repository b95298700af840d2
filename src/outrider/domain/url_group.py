"""URL groups: a name to publish to, one message for each of its endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from outrider.domain.instant import Instant
from outrider.domain.options import Headers, OptionPatch


class Endpoint(Struct, frozen=True, omit_defaults=True):
    """A URL of a group. In one group no URL and no name comes twice."""

    url: str
    name: str | None = None


class EndpointMatch(Struct, frozen=True):
    """Which endpoint: the one with this URL or this name; where both are said, both must fit."""

    url: str | None = None
    name: str | None = None


class UrlGroup(Struct, frozen=True, kw_only=True):
    """A named set of endpoints, in the order they were added.

    Attributes:
        defaults: options laid beneath those of every publish to the group.
        default_headers: the headers that said so, as they were given: what is shown to people.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    defaults: OptionPatch = OptionPatch()
    default_headers: Headers = ()
    created_at: Instant
    updated_at: Instant


def with_endpoints(group: UrlGroup, endpoints: Sequence[Endpoint], now: Instant) -> UrlGroup:
    """The group with these endpoints added, one after the other.

    One whose name the group has gives it a new URL; one whose URL the group has gives it a new
    name, or leaves its name if it brings none.
    """
    kept = group.endpoints
    for endpoint in endpoints:
        kept = _upsert(kept, endpoint)
    return structs.replace(group, endpoints=kept, updated_at=now)


def without_endpoints(group: UrlGroup, wanted: Sequence[EndpointMatch], now: Instant) -> UrlGroup | None:
    """The group without the endpoints that fit; None when none are left, for then the group is no more.

    What fits nothing is no error.
    """
    kept = tuple(endpoint for endpoint in group.endpoints if not any(_fits(endpoint, match) for match in wanted))
    if not kept:
        return None
    return group if kept == group.endpoints else structs.replace(group, endpoints=kept, updated_at=now)


def _upsert(endpoints: tuple[Endpoint, ...], new: Endpoint) -> tuple[Endpoint, ...]:
    by_name = next((old for old in endpoints if new.name is not None and old.name == new.name), None)
    by_url = next((old for old in endpoints if old.url == new.url), None)
    replaced = by_name or by_url
    if replaced is None:
        return (*endpoints, new)
    if new.name is None:
        return endpoints
    # Where name and URL are those of two endpoints, the two become one.
    return tuple(new if old is replaced else old for old in endpoints if old is replaced or old is not by_url)


def _fits(endpoint: Endpoint, match: EndpointMatch) -> bool:
    if match.url is None and match.name is None:
        return False
    return match.url in (None, endpoint.url) and match.name in (None, endpoint.name)

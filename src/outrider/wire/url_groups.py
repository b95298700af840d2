"""URL groups as clients write and read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from outrider.domain.errors import Malformed
from outrider.domain.health import EndpointHealth
from outrider.domain.limits import Limits
from outrider.domain.options import Headers, OptionPatch, Redaction
from outrider.domain.url_group import Endpoint, EndpointMatch, UrlGroup
from outrider.wire.bodies import decode_body, header_pairs
from outrider.wire.destination import check_url
from outrider.wire.health import ENDPOINT_HEALTH, present_health
from outrider.wire.names import LONGEST_NAME, by_name, canonical_name, has_control_characters, quoted
from outrider.wire.option_table import PREFIX
from outrider.wire.options import parse_options
from outrider.wire.redaction import redacted_value
from outrider.wire.schema import HEADERS, TIME_MS, URL, Schema, either, list_of, map_of, text, thing

T = TypeVar("T")

_ENDPOINTS_EXAMPLE = '{"endpoints": [{"url": "https://example.com", "name": "first"}]}'
_HEADERS_EXAMPLE = '{"headers": {"Upstash-Retries": "5", "Upstash-Forward-X-Source": "outrider"}}'


class _Endpoint(Struct):
    url: str | None = None
    name: str | None = None


class _Endpoints(Struct):
    endpoints: list[_Endpoint] | None = None


class _Defaults(Struct):
    headers: dict[str, str | list[str] | None] | None = None


class GroupDefaults(Struct, frozen=True):
    """Default options, and the headers that said so, names in canonical spelling."""

    patch: OptionPatch
    headers: Headers


def parse_added_endpoints(body: bytes) -> list[Endpoint]:
    """The endpoints to add to a group, at least one. Raises Malformed naming the index."""
    endpoints = _each(body, _added)
    if not endpoints:
        raise Malformed("endpoints is empty", code="invalid_body", hint=f"write {_ENDPOINTS_EXAMPLE}")
    return endpoints


def parse_removed_endpoints(body: bytes) -> list[EndpointMatch]:
    """The endpoints to remove from a group. Raises Malformed naming the index."""
    return _each(body, _removed)


def parse_group_defaults(body: bytes, limits: Limits) -> GroupDefaults:
    """The options laid beneath every publish to a group. Raises Malformed naming header, value and rule."""
    said = decode_body(body, _Defaults, _HEADERS_EXAMPLE)
    if said.headers is None:
        raise Malformed("the body has no headers", code="invalid_body", hint=f"write {_HEADERS_EXAMPLE}")
    pairs = header_pairs(said.headers)
    for name, _ in pairs:
        _check_default(name)
    headers = tuple((canonical_name(name), value) for name, value in pairs)
    return GroupDefaults(parse_options(pairs, (), limits), headers)


def present_url_group(group: UrlGroup) -> dict[str, object]:
    """A group; what its own defaults redact is hidden in them, too."""
    shown: dict[str, object] = {
        "name": group.name,
        "createdAt": group.created_at,
        "updatedAt": group.updated_at,
        "endpoints": [_present_endpoint(endpoint) for endpoint in group.endpoints],
    }
    if group.default_headers:
        shown["headers"] = by_name(_shown(group))
    return shown


def present_group_health(group: UrlGroup, health: Sequence[EndpointHealth]) -> dict[str, object]:
    """A group whose endpoints say how they fare."""
    endpoints = [{**_present_endpoint(one.endpoint), "health": present_health(one)} for one in health]
    return {**present_url_group(group), "endpoints": endpoints}


def _each(body: bytes, read: Callable[[_Endpoint], T]) -> list[T]:
    said = decode_body(body, _Endpoints, _ENDPOINTS_EXAMPLE)
    if said.endpoints is None:
        raise Malformed("the body has no endpoints", code="invalid_body", hint=f"write {_ENDPOINTS_EXAMPLE}")
    parsed = []
    for index, endpoint in enumerate(said.endpoints):
        try:
            parsed.append(read(endpoint))
        except Malformed as refusal:
            raise Malformed(f"endpoint {index}: {refusal.sentence}", code=refusal.code, hint=refusal.hint) from None
    return parsed


def _added(said: _Endpoint) -> Endpoint:
    if said.url is None:
        raise Malformed("it has no url", code="invalid_body", hint=f"write {_ENDPOINTS_EXAMPLE}")
    return Endpoint(check_url(said.url, "url"), _check_endpoint_name(said.name))


def _removed(said: _Endpoint) -> EndpointMatch:
    if said.url is None and said.name is None:
        raise Malformed("it has neither url nor name", code="invalid_body", hint="name the endpoint by one of them")
    return EndpointMatch(said.url, said.name)


def _check_endpoint_name(name: str | None) -> str | None:
    """Free text, but it goes out in a header."""
    if name is not None and (not 1 <= len(name) <= LONGEST_NAME or name != name.strip()):
        raise Malformed(
            f"name {quoted(name)} is empty, longer than {LONGEST_NAME} characters or begins or ends with a space",
            code="invalid_name",
            hint="write another, or leave it out",
        )
    if name is not None and has_control_characters(name):
        raise Malformed(f"name {quoted(name)} has a control character; leave it out", code="invalid_name")
    return name


_NEVER_A_DEFAULT = frozenset(
    {
        "upstash-cron",
        "upstash-cron-jitter",
        "upstash-schedule-id",
        "upstash-queue-name",
        "upstash-header-forward",
        "upstash-deduplication-id",
        "upstash-deduplication-window",
        "upstash-content-based-deduplication",
    }
)
"""What one publish says for itself."""


def _check_default(name: str) -> None:
    lower = name.lower()
    if lower in _NEVER_A_DEFAULT:
        raise Malformed(
            f"{canonical_name(name)} cannot be a default of a URL group: it says what one request asks for",
            code="invalid_option",
            hint="send it with the publish or the schedule",
        )
    if not lower.startswith(PREFIX) and lower != "content-type":
        raise Malformed(
            f"header {quoted(name)} is no option",
            code="invalid_option",
            hint=f"to send it to every endpoint write Upstash-Forward-{canonical_name(name)[:64]}",
        )


def _shown(group: UrlGroup) -> Headers:
    source = group.defaults.redaction
    return tuple(
        (name, redacted_value(value) if _hidden(name, group.defaults, source) else value)
        for name, value in group.default_headers
    )


_CARRIERS = (
    ("upstash-failure-callback-forward-", "failure_callback"),
    ("upstash-failure-callback-", "failure_callback"),
    ("upstash-callback-forward-", "callback"),
    ("upstash-callback-", "callback"),
    ("upstash-forward-", None),
    ("", None),
)
"""What stands in front of the name of a header that is to be sent, and by which callback."""


def _hidden(name: str, defaults: OptionPatch, source: Redaction | UnsetType) -> bool:
    """Whether a header of the defaults carries a value that is redacted where a message shows it."""
    lower = name.lower()
    prefix, sender = next((prefix, sender) for prefix, sender in _CARRIERS if lower.startswith(prefix))
    carried = lower[len(prefix) :]
    sources: list[Redaction | UnsetType] = [source]
    if sender is not None:
        callback = getattr(defaults, sender)
        if callback is not UNSET and callback.options is not UNSET:
            sources.append(callback.options.redaction)
    return any(isinstance(one, Redaction) and one.hides_header(carried) for one in sources)


def _present_endpoint(endpoint: Endpoint) -> dict[str, object]:
    return {"url": endpoint.url} if endpoint.name is None else {"url": endpoint.url, "name": endpoint.name}


_ENDPOINT = thing("Endpoint", {"url": URL}, {"name": text()})
_SHOWN_ENDPOINT = thing("GroupEndpoint", {"url": URL}, {"name": text(), "health": ENDPOINT_HEALTH})

URL_GROUP = thing(
    "UrlGroup",
    {"name": text(), "createdAt": TIME_MS, "updatedAt": TIME_MS, "endpoints": list_of(_SHOWN_ENDPOINT)},
    {"headers": HEADERS},
)
ADDED_ENDPOINTS: Schema = thing("AddedEndpoints", {"endpoints": list_of(_ENDPOINT)})
REMOVED_ENDPOINTS: Schema = thing(
    "RemovedEndpoints", {"endpoints": list_of(thing("EndpointMatch", {}, {"url": text(), "name": text()}))}
)
GROUP_DEFAULTS: Schema = thing("GroupDefaults", {"headers": map_of(either(text(), list_of(text())))})

"""The one parser of options; what it knows stands in `option_table.py`.

Publish, enqueue, batch items, schedules, URL-group defaults, dead-letter retries, callbacks and
query parameters all say their options in these words. A header beats a query parameter of the
same name. What is in no row of the table and in none of the families is not for us: telemetry
and unknown `Upstash-*` are ignored.

Forwarded headers that belong to a connection and not to a message (`Host`, `Content-Length`,
`Transfer-Encoding`, `Connection` …) are dropped rather than refused: applications pass on all
headers of a request that they got, and such a header would break the delivery.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from msgspec import UNSET, structs

from outrider.domain.duration import format_duration
from outrider.domain.errors import Malformed
from outrider.domain.instant import Instant
from outrider.domain.limits import Limits
from outrider.domain.options import CallbackPatch, Deduplication, DeliveryOptions, Headers, OptionPatch
from outrider.wire.names import (
    as_header_value,
    as_latin_1,
    canonical_name,
    has_control_characters,
    is_header_name,
    quoted,
    readable,
)
from outrider.wire.option_table import BY_CALLBACK_SUFFIX, BY_NAME, PREFIX, Option

DEFAULT_RETRIES = 3

OF_A_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_FORWARDED_UNASKED = OF_A_CONNECTION | {"accept-encoding", "authorization", "content-type"}
"""What `Upstash-Header-Forward` leaves: also Accept-Encoding, which the caller's client negotiated for itself."""


def default_options(limits: Limits) -> DeliveryOptions:
    """How a message is delivered of which nothing was said."""
    return DeliveryOptions(retries=min(DEFAULT_RETRIES, limits.retries), timeout_ms=limits.default_timeout_ms)


def parse_options(headers: Sequence[tuple[str, str]], query: Sequence[tuple[str, str]], limits: Limits) -> OptionPatch:
    """Everything that a request says about its message.

    Args:
        headers: all of the request's, names in any case, values as Latin-1.
        query: the parameters of its URL that are ours, decoded, names in lower case.
        limits: what may be asked for.

    Raises:
        Malformed: naming header, value and rule.
    """
    said = _Said(BY_NAME)
    content_type = said.take(headers, limits)
    if query:
        beneath = _Said(BY_NAME)
        beneath.take(((name, as_header_value(value)) for name, value in query), limits)
        said.lay_over(beneath)
    if said.fields.pop("header_forward", False):
        said.forward_all(headers)
    return said.patch(content_type)


def parse_request_options(
    headers: Sequence[tuple[bytes, bytes]], query: Sequence[tuple[str, str]], limits: Limits
) -> OptionPatch:
    """The same of a request as it came: its headers raw, names in lower case."""
    patch = None
    if not query:
        patch = _options_of(tuple([header for header in headers if header[0].startswith(_OURS)]), limits)
    return parse_options(_texts(headers), query, limits) if patch is None else patch


_OURS = (PREFIX.encode(), b"content-type")
_FORWARD_ALL = b"upstash-header-forward"


# A producer says the same of most of its messages: what was read is read again for a fifth of the price. Heads
# are bounded, so this takes 16 MiB at worst.
@lru_cache(maxsize=128)
def _options_of(ours: tuple[tuple[bytes, bytes], ...], limits: Limits) -> OptionPatch | None:
    """What these headers say; None if the others, which are not ours, are to be forwarded."""
    return None if _FORWARD_ALL in dict(ours) else parse_options(_texts(ours), (), limits)


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers as text, byte for character."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def check_first_delivery(options: DeliveryOptions, limits: Limits, now: Instant, *, queued: bool) -> None:
    """The rules that one option alone cannot break. Raises Malformed.

    Not-Before is bounded by the longest delay, and a message that stands in a queue may have no
    delayed callbacks: its queue waits for them.
    """
    if options.not_before is not None and options.not_before - now > limits.delay_ms:
        raise Malformed(
            f"Upstash-Not-Before '{options.not_before // 1000}' is over the longest delay of "
            f"{format_duration(limits.delay_ms)} from now"
        )
    if not queued:
        return
    for what, callback in (("Callback", options.callback), ("Failure-Callback", options.failure_callback)):
        if callback is not None and (callback.options.delay_ms or callback.options.not_before is not None):
            raise Malformed(
                f"Upstash-{what}-Delay is not allowed on a queued message: its queue waits for the callback",
                hint=f"leave out Upstash-{what}-Delay, or publish without a queue",
            )


@dataclass(slots=True)
class _Said:
    """What one layer says, not yet put together.

    Attributes:
        table: the options known here, by lower-case name; in a callback, by what follows its prefix.
        prefix: what stands before the names, as errors spell it.
    """

    table: dict[str, Option]
    prefix: str = PREFIX.capitalize()
    fields: dict[str, Any] = field(default_factory=dict)
    forwarded: list[tuple[str, str]] = field(default_factory=list)
    callback: _Said | None = None
    failure_callback: _Said | None = None

    def take(self, pairs: Iterable[tuple[str, str]], limits: Limits) -> str:
        """Read a request's headers in one pass; the Content-Type among them is returned."""
        content_type = ""
        table = self.table
        for name, value in pairs:
            lower = name.lower()
            option = table.get(lower)
            if option is not None:
                self.set(option, value, limits)
            elif lower[:8] == PREFIX:
                self._take_of_a_family(lower[8:], value, limits)
            elif lower == "content-type":
                content_type = as_latin_1(_checked(name, value))
        return content_type

    def _take_of_a_family(self, suffix: str, value: str, limits: Limits) -> None:
        if suffix.startswith("forward-"):
            self.forward(suffix[8:], value)
        elif suffix.startswith("callback-"):
            if self.callback is None:
                self.callback = _Said(BY_CALLBACK_SUFFIX, "Upstash-Callback-")
            self.callback.take_of_callback(suffix[9:], value, limits)
        elif suffix.startswith("failure-callback-"):
            if self.failure_callback is None:
                self.failure_callback = _Said(BY_CALLBACK_SUFFIX, "Upstash-Failure-Callback-")
            self.failure_callback.take_of_callback(suffix[17:], value, limits)

    def take_of_callback(self, suffix: str, value: str, limits: Limits) -> None:
        """Read what stands behind a callback's prefix: an option, `Forward-X`, or a header as it stands."""
        option = self.table.get(suffix)
        if option is not None:
            self.set(option, value, limits)
        else:
            self.forward(suffix.removeprefix("forward-"), value)

    def set(self, option: Option, value: str, limits: Limits) -> None:
        if not value.isprintable() or not value.isascii():
            value = readable(_checked(self._name_of(option), value))
        value = value.strip()
        try:
            read = option.read(value, limits)
        except ValueError as error:
            raise Malformed(f"{self._name_of(option)} {quoted(value)} {error}", code="invalid_option") from None
        fields = self.fields
        if option.field in fields:
            read = self._repeated(option, fields[option.field], read)
        fields[option.field] = read

    def _repeated(self, option: Option, before: Any, now: Any) -> Any:
        if option.field == "labels":
            return before + now
        if option.field == "redaction":
            return structs.replace(
                before,
                body=before.body or now.body,
                all_headers=before.all_headers or now.all_headers,
                headers=before.headers + now.headers,
            )
        if before != now:
            raise Malformed(f"{self._name_of(option)} is given twice with different values; give it once")
        return now

    def _name_of(self, option: Option) -> str:
        return self.prefix + option.name[len(PREFIX) :]

    def forward(self, name: str, value: str) -> None:
        if not is_header_name(name):
            raise Malformed(
                f"{self.prefix}Forward-{name[:64]} names no header",
                code="invalid_option",
                hint="a header's name is letters, digits and any of !#$%&'*+-.^_`|~",
            )
        if name not in OF_A_CONNECTION:
            canonical = canonical_name(name)
            self.forwarded.append((canonical, as_latin_1(_checked(canonical, value))))

    def forward_all(self, headers: Iterable[tuple[str, str]]) -> None:
        """Forward what the request carried, except what is ours, a connection's, or was forwarded by name."""
        named = {name.lower() for name, _ in self.forwarded}
        for name, value in headers:
            lower = name.lower()
            if not lower.startswith(PREFIX) and lower not in _NOT_FORWARDED_UNASKED and lower not in named:
                self.forward(lower, value)

    def lay_over(self, beneath: _Said) -> None:
        """Fill in what only the layer beneath says."""
        self.fields = {**beneath.fields, **self.fields}
        named = {name for name, _ in self.forwarded}
        self.forwarded += [pair for pair in beneath.forwarded if pair[0] not in named]
        self.callback = _over(self.callback, beneath.callback)
        self.failure_callback = _over(self.failure_callback, beneath.failure_callback)

    def patch(self, content_type: str = "") -> OptionPatch:
        fields = self.fields
        headers = self._headers(content_type)
        if headers:
            fields["headers"] = headers
        for name, nested in (("callback", self.callback), ("failure_callback", self.failure_callback)):
            if name in fields or nested is not None:
                options = UNSET if nested is None else nested.patch()
                fields[name] = CallbackPatch(url=fields.get(name, UNSET), options=options)
        self._join_deduplication()
        self._join_flow_control()
        return OptionPatch(**fields)

    def _headers(self, content_type: str) -> Headers:
        if content_type and not any(name == "Content-Type" for name, _ in self.forwarded):
            return (("Content-Type", content_type), *self.forwarded)
        return tuple(self.forwarded)

    def _join_deduplication(self) -> None:
        parts = {name: self.fields.pop(field) for name, field in _DEDUPLICATION if field in self.fields}
        if parts:
            self.fields["deduplication"] = Deduplication(**parts)

    def _join_flow_control(self) -> None:
        key = self.fields.pop("flow_control.key", None)
        value = self.fields.pop("flow_control.value", None)
        if key is None and value is None:
            return
        name = f"{self.prefix}Flow-Control"
        if value is None:
            raise Malformed(
                f"{name}-Key {quoted(key)} comes without {name}-Value",
                code="invalid_option",
                hint=f"add {name}-Value with at least one of parallelism and rate, such as rate=5, period=1m",
            )
        if key is None:
            raise Malformed(f"{name}-Value comes without {name}-Key; add the key", code="invalid_option")
        self.fields["flow_control"] = structs.replace(value, key=key)


_DEDUPLICATION = tuple((name, f"deduplication.{name}") for name in ("id", "by_content", "window_ms"))


def _over(above: _Said | None, beneath: _Said | None) -> _Said | None:
    if above is None or beneath is None:
        return above or beneath
    above.lay_over(beneath)
    return above


def _checked(name: str, value: str) -> str:
    if has_control_characters(value):
        raise Malformed(
            f"{name} has a control character (CR, LF, NUL …) in its value",
            code="invalid_option",
            hint="leave it out or encode the value",
        )
    return value

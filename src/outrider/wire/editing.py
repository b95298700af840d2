"""An edit of a schedule: what it says takes the place of what was said, and whatever else is stored stays.

Silence cannot take anything away, so `Outrider-Unset` names what goes: options by their header, `body`, and headers by
`Upstash-Forward-…` or, of a callback, `Upstash-Callback-Forward-…`. `Upstash-Callback` goes with all of its options.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import UNSET, Struct, structs

from outrider.domain.destination import Destination
from outrider.domain.errors import Malformed
from outrider.domain.limits import Limits
from outrider.domain.options import Deduplication, OptionPatch
from outrider.wire.destination import parse_destination
from outrider.wire.names import is_header_name, quoted
from outrider.wire.option_table import BY_CALLBACK_SUFFIX, BY_NAME
from outrider.wire.options import parse_request_options
from outrider.wire.parameters import Parameter, read_parameters, table_of
from outrider.wire.query import decode_query, split_query

EDIT_PARAMETERS = table_of(
    Parameter(name="destination", field="destination", read=str, help="Where it publishes to from now on.")
)


Carrier = Literal["message", "callback", "failure_callback"]
"""What carries options: the message, or one of its callbacks."""


class Unset(Struct, frozen=True):
    """One thing that is taken away: a field of the table, or a header by its lower-case name."""

    of: Carrier
    field: str = ""
    header: str = ""


class Edit(Struct, frozen=True):
    """What is said anew of a schedule.

    Attributes:
        patch: its options.
        unset: what is taken away of those that are stored, before `patch` is laid over them.
        body: None leaves it as it is.
        destination: None leaves it as it is.
    """

    patch: OptionPatch
    unset: tuple[Unset, ...] = ()
    body: bytes | None = None
    destination: Destination | None = None

    def of(self, stored: OptionPatch) -> OptionPatch:
        """The stored options, edited."""
        return self.patch.over(without(stored, self.unset))


def parse_edit(headers: Sequence[tuple[bytes, bytes]], query: bytes, body: bytes, limits: Limits) -> Edit:
    """What a request says anew: its headers raw, their names in lower case, and its raw query.

    A body that is not empty takes the place of the stored one; without one, the request's Content-Type says nothing.
    Raises Malformed.
    """
    own = split_query(query)
    said = headers if body else [header for header in headers if header[0] != b"content-type"]
    destination = read_parameters(decode_query(own.left), EDIT_PARAMETERS).get("destination")
    names = [name for name in _unset_names(headers) if name]
    without_body = "body" in names
    if without_body and body:
        raise Malformed("Outrider-Unset names the body, and the request has one; leave out one of the two")
    return Edit(
        patch=parse_request_options(said, own.options, limits),
        unset=tuple(_unset(name) for name in names if name != "body"),
        body=body or (b"" if without_body else None),
        destination=None if destination is None else parse_destination(destination),
    )


def without(patch: OptionPatch, taken: Iterable[Unset]) -> OptionPatch:
    """The patch, as if these had not been said. What was not said is no error."""
    for one in taken:
        patch = _without(patch, one) if one.of == "message" else _without_of_callback(patch, one)
    return patch


_HEADER = b"outrider-unset"
_NEVER_UNSET = {
    "upstash-cron": "a schedule has one; write Upstash-Cron to give it another",
    "upstash-schedule-id": "a schedule keeps its id",
    "upstash-header-forward": "the headers themselves are kept; name each as Upstash-Forward-…",
}
_FORWARDED: tuple[tuple[str, Carrier], ...] = (
    ("upstash-forward-", "message"),
    ("upstash-callback-", "callback"),
    ("upstash-failure-callback-", "failure_callback"),
)


def _unset_names(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    said = [value.decode("latin-1") for name, value in headers if name == _HEADER]
    return [part.strip().lower() for value in said for part in value.split(",")]


def _unset(name: str) -> Unset:
    """The thing of this lower-case name."""
    if name in _NEVER_UNSET:
        raise Malformed(f"Outrider-Unset names {quoted(name)}, which cannot be taken away", hint=_NEVER_UNSET[name])
    if name in BY_NAME:
        return Unset("message", field=BY_NAME[name].field)
    if name == "content-type":
        return Unset("message", header=name)
    for prefix, of in _FORWARDED:
        if name.startswith(prefix):
            suffix = name[len(prefix) :]
            option = None if of == "message" else BY_CALLBACK_SUFFIX.get(suffix)
            if option is not None:
                return Unset(of, field=option.field)
            header = suffix if of == "message" else suffix.removeprefix("forward-")
            if is_header_name(header):
                return Unset(of, header=header)
    raise Malformed(
        f"Outrider-Unset names {quoted(name)}, which is no option of a message",
        hint="write body, or names such as Upstash-Delay and Upstash-Forward-X-Order, separated by commas",
    )


def _without_of_callback(patch: OptionPatch, taken: Unset) -> OptionPatch:
    callback = getattr(patch, taken.of)
    if callback is UNSET or callback.options is UNSET:
        return patch
    return structs.replace(patch, **{taken.of: structs.replace(callback, options=_without(callback.options, taken))})


def _without(patch: OptionPatch, taken: Unset) -> OptionPatch:
    if taken.header:
        if patch.headers is UNSET:
            return patch
        left = tuple(pair for pair in patch.headers if pair[0].lower() != taken.header)
        return structs.replace(patch, headers=left or UNSET)
    name, _, part = taken.field.partition(".")
    if name == "deduplication" and patch.deduplication is not UNSET:
        rest = structs.replace(patch.deduplication, **{part: None})
        return structs.replace(patch, deduplication=UNSET if rest == Deduplication() else rest)
    # A key of flow control and its limits are said together, and go together.
    return structs.replace(patch, **{name: UNSET})

"""JSON bodies that come in, and the one that goes out: the report of an attempt."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from outrider.domain.attempt import Attempt
from outrider.domain.destination import Destination
from outrider.domain.errors import Malformed, TooLarge
from outrider.domain.limits import Limits
from outrider.domain.message import Message
from outrider.domain.options import OptionPatch
from outrider.wire.destination import parse_destination
from outrider.wire.names import as_header_value, by_name, check_name
from outrider.wire.options import parse_options
from outrider.wire.schema import NAME, URL, Schema, either, list_of, map_of, text, thing

T = TypeVar("T")

MOST_HEADERS = 200
LONGEST_HEADERS = 65_536
"""What an item's headers may come to, names and values: as much as a request's."""


class BatchItem(Struct, frozen=True):
    """One message of a batch. `queue` is None for a publish."""

    destination: Destination
    patch: OptionPatch
    body: bytes
    queue: str | None


def parse_batch(body: bytes, limits: Limits) -> list[BatchItem]:
    """The items of a batch; a lone object is one.

    Raises Malformed naming the index of the item, TooLarge naming limit and size.
    """
    if len(body) > limits.batch_bytes:
        raise TooLarge(
            f"the batch has {len(body)} bytes, over the limit of {limits.batch_bytes}",
            hint="split it into several batches",
        )
    raw = _decode_items(body)
    if len(raw) > limits.batch_items:
        raise Malformed(
            f"the batch has {len(raw)} items, over the limit of {limits.batch_items}",
            code="batch_too_long",
            hint="split it into several batches",
        )
    known: dict[bytes, OptionPatch] = {}
    return [_parse_item(index, item, limits, known) for index, item in enumerate(raw)]


def parse_ids(body: bytes, field: str) -> tuple[str, ...] | None:
    """The ids of `{"messageIds": [...]}`, each once; None if the body or the field is absent or null.

    Raises Malformed for anything but a JSON object with a list of strings there.
    """
    if not body.strip():
        return None
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed(f'the body is not JSON; write {{"{field}": ["…"]}}', code="invalid_json") from None
    if not isinstance(value, dict):
        raise Malformed(f'the body is no JSON object; write {{"{field}": ["…"]}}', code="invalid_json")
    ids = value.get(field)
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise Malformed(f"{field} is not a list of strings", code="invalid_json")
    return tuple(dict.fromkeys(ids))


def ids_body(field: str) -> Schema:
    """The schema of what `parse_ids` reads."""
    return thing(f"{field[0].upper()}{field[1:]}", {}, {field: list_of(text())})


def decode_body(body: bytes, kind: type[T], example: str) -> T:
    """A JSON body as a struct of the kind. Raises Malformed with the place, the rule and the example."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body cannot be read: {error}", code="invalid_body", hint=f"write {example}") from None


def header_pairs(headers: dict[str, str | list[str] | None]) -> list[tuple[str, str]]:
    """Headers that stand in JSON, as pairs; nulls are absent. Raises Malformed if they are too many or too long."""
    pairs = []
    size = 0
    for name, said in headers.items():
        for value in () if said is None else (said,) if isinstance(said, str) else said:
            pairs.append((name, as_header_value(value)))
            size += len(name) + len(value)
    if len(pairs) > MOST_HEADERS or size > LONGEST_HEADERS:
        raise Malformed(
            f"its {len(pairs)} headers of {size} characters are over the limit of {MOST_HEADERS} or {LONGEST_HEADERS}",
            code="invalid_item",
            hint="send what is long in the body",
        )
    return pairs


def check_body_size(size: int, limits: Limits) -> None:
    """Raises TooLarge if a message's body of this many bytes is over the limit."""
    if size > limits.body_bytes:
        raise TooLarge(
            f"the body has {size} bytes, over the limit of {limits.body_bytes}",
            code="body_too_large",
            hint="store the data elsewhere and send a reference to it",
        )


def callback_body(message: Message, attempt: Attempt, dead_letter_id: str | None) -> bytes:
    """The JSON that reports an attempt to a callback; with `dead_letter_id`, to a failure callback.

    Real values throughout: redaction is for showing. Bodies are Base64. Without a response the
    status is 0 and `error` says why.
    """
    response = attempt.outcome.response
    options = message.options
    report: dict[str, object] = {
        "status": 0 if response is None else response.status,
        "header": {} if response is None else by_name(response.headers),
        # msgspec writes bytes as Base64.
        "body": b"" if response is None else response.body,
        "retried": attempt.retried,
        "maxRetries": options.retries,
        "sourceMessageId": message.id,
        "url": message.url,
        "method": options.method,
        "sourceHeader": by_name(options.headers),
        "sourceBody": message.body,
        "notBefore": message.not_before,
        "createdAt": message.created_at,
        "callerIP": message.caller_ip or "",
    }
    if response is None:
        report["error"] = attempt.outcome.error
    known = {
        "topicName": message.group,
        "endpointName": message.endpoint,
        "scheduleId": message.schedule_id,
        "queueName": message.queue,
        "label": options.labels[0] if options.labels else None,
        "dlqId": dead_letter_id,
    }
    report.update((name, value) for name, value in known.items() if value is not None)
    return msgspec.json.encode(report)


class _Item(Struct):
    destination: str | None = None
    headers: Raw = Raw(b"null")
    body: Raw = Raw(b"null")
    queue: str | None = None


class _Headers(Struct):
    headers: dict[str, str | list[str] | None] | None = None


_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_headers = msgspec.json.Decoder(_Headers).decode
_decode_text = msgspec.json.Decoder(str).decode


def _decode_items(body: bytes) -> list[Raw]:
    start = body.lstrip()[:1]
    if start == b"{":
        body = b"[%b]" % body
    elif start != b"[":
        raise Malformed("a batch is a JSON array of messages, or one message", code="invalid_json", hint=_ITEM_HINT)
    try:
        return _decode_list(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the batch is not JSON: {error}", code="invalid_json") from None


_ITEM_HINT = 'write [{"destination": "https://…", "headers": {"Upstash-Delay": "10s"}, "body": "…"}]'


def _parse_item(index: int, raw: Raw, limits: Limits, known: dict[bytes, OptionPatch]) -> BatchItem:
    """`known` has the options of items before, by the text of their headers: most items say the same."""
    try:
        item = _decode_item(raw)
        body = _body_of(item.body)
        said = bytes(item.headers)
        patch = known.get(said)
        headers = None if patch else _decode_headers(raw).headers
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"item {index} of the batch: {error}", code="invalid_item", hint=_ITEM_HINT) from None
    try:
        check_body_size(len(body), limits)
        destination = _destination_of(item)
        if patch is None:
            patch = known[said] = parse_options(header_pairs(headers or {}), (), limits)
        queue = None if item.queue is None else check_name("queue", item.queue)
    except (Malformed, TooLarge) as refusal:
        raise type(refusal)(
            f"item {index} of the batch: {refusal.sentence}", code=refusal.code, hint=refusal.hint
        ) from None
    return BatchItem(destination, patch, body, queue)


def _destination_of(item: _Item) -> Destination:
    if not item.destination:
        raise Malformed("it has no destination", code="invalid_item", hint=_ITEM_HINT)
    return parse_destination(item.destination)


def _body_of(raw: Raw) -> bytes:
    """A string is the body itself, null is none, anything else is sent as its JSON text."""
    text = bytes(raw).strip()
    if text == b"null":
        return b""
    return _decode_text(text).encode() if text.startswith(b'"') else text


_BATCH_ITEM = thing(
    "BatchItem",
    {"destination": either(URL, NAME)},
    {
        "headers": map_of(either(text(), list_of(text())), "Options, as the headers of a publish say them."),
        "body": {"description": "A string is sent as it stands, anything else as its JSON text."},
        "queue": NAME,
    },
)
BATCH = list_of(_BATCH_ITEM)

"""Query parameters that ask for some of what is stored.

Arrays come repeated or separated by commas. A flow-control key is free text and is never
parted; a URL or path is parted only where the next one begins. A parameter that is not known
is refused, and so is an empty value: neither may turn "some" into "all".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.domain.event import IN_PROGRESS, EventKind
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter
from outrider.wire.names import quoted
from outrider.wire.query import TOKEN_PARAMETER

MOST_ENTRIES = 1000
MOST_DEAD_LETTERS = 100
MOST_CANCELED = 500
DEFAULT_COUNT = 100

Parameters = Sequence[tuple[str, str]]


class LogRequest(Struct, frozen=True):
    """A question to `/v2/logs`."""

    query: LogQuery
    trim_body: bool = False


class DeadLetterRequest(Struct, frozen=True):
    """A question to `/v2/dlq`, or which dead letters to delete or retry.

    Attributes:
        filtered_by: the parameters that narrow the choice, `dlqIds` among them; none means all.
    """

    query: DeadLetterQuery
    filtered_by: tuple[str, ...] = ()


class CancelRequest(Struct, frozen=True):
    """Which messages to cancel.

    Attributes:
        count: at most so many; None is no limit.
        filtered_by: the parameters that narrow the choice, `messageIds` among them; none means all.
    """

    filter: MessageFilter
    count: int | None = None
    filtered_by: tuple[str, ...] = ()


def parse_log_query(parameters: Parameters) -> LogRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = _read(parameters, _LOG)
    return LogRequest(
        LogQuery(
            filter=_filter(said),
            kinds=said.get("kinds", ()),
            latest_first=said.get("latest_first", True),
            count=min(said.get("count", DEFAULT_COUNT), MOST_ENTRIES),
            cursor=said.get("cursor"),
        ),
        trim_body=said.get("trim_body", False),
    )


def parse_dead_letter_query(parameters: Parameters) -> DeadLetterRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = _read(parameters, _DEAD_LETTERS)
    query = DeadLetterQuery(
        filter=_filter(said),
        ids=said.get("dead_letter_ids", ()),
        response_statuses=said.get("response_statuses", ()),
        latest_first=said.get("latest_first", True),
        count=min(said.get("count", DEFAULT_COUNT), MOST_DEAD_LETTERS),
        cursor=said.get("cursor"),
    )
    return DeadLetterRequest(query, _filters_among(said, _DEAD_LETTERS))


def parse_cancel_query(parameters: Parameters) -> CancelRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = _read(parameters, _MESSAGES)
    count = said.get("count")
    return CancelRequest(
        _filter(said), None if count is None else min(count, MOST_CANCELED), _filters_among(said, _MESSAGES)
    )


def _text(value: str) -> tuple[str, ...]:
    return (value,)


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(","))


def _lower_list(value: str) -> tuple[str, ...]:
    return _list(value.lower())


def _urls(value: str) -> tuple[str, ...]:
    return tuple(re.split(r",(?=https?://)", value))


def _paths(value: str) -> tuple[str, ...]:
    return tuple(re.split(r",(?=/)", value))


def _statuses(value: str) -> tuple[int, ...]:
    parts = _list(value)
    if not all(re.fullmatch(r"[0-9]{1,3}", part) for part in parts):
        raise ValueError("is not an HTTP status; write 500, or 0 for no response")
    return tuple(int(part) for part in parts)


def _kinds(value: str) -> tuple[EventKind, ...]:
    kinds: list[EventKind] = []
    for part in _list(value.upper()):
        if part == "IN_PROGRESS":
            kinds += IN_PROGRESS
        elif part in EventKind.__members__:
            kinds.append(EventKind[part])
        else:
            raise ValueError(f"is not a state; the states are {', '.join((*EventKind, 'IN_PROGRESS'))}")
    return tuple(kinds)


def _instant(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError("is not a Unix time in milliseconds")
    return int(value)


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise ValueError("is not a count; write a whole number from 1")
    return int(value)


def _latest_first(value: str) -> bool:
    orders = {"latestfirst": True, "earliestfirst": False}
    if value.lower() not in orders:
        raise ValueError("is not an order; write latestFirst or earliestFirst")
    return orders[value.lower()]


def _boolean(value: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if value.lower() not in known:
        raise ValueError("is neither true nor false")
    return known[value.lower()]


def _ignored(_: str) -> None:
    return None


class _Parameter(Struct, frozen=True):
    """How a parameter is read. `field` is None for what is accepted and means nothing here."""

    name: str
    field: str | None
    read: Callable[[str], Any]


_PAGING = ("count", "cursor", "latest_first", "trim_body")

_COMMON = (
    _Parameter("messageIds", "ids", _list),
    _Parameter("messageId", "ids", _list),
    _Parameter("url", "urls", _urls),
    _Parameter("topicName", "groups", _list),
    _Parameter("queueName", "queues", _list),
    _Parameter("scheduleId", "schedule_ids", _list),
    _Parameter("label", "labels", _list),
    _Parameter("flowControlKey", "flow_control_keys", _text),
    _Parameter("callerIp", "caller_ips", _list),
    _Parameter("fromDate", "time_from", _instant),
    _Parameter("toDate", "time_to", _instant),
    _Parameter("count", "count", _count),
)
_PLACE = (_Parameter("host", "hosts", _lower_list), _Parameter("path", "paths", _paths))
_PAGE = (_Parameter("cursor", "cursor", str), _Parameter("order", "latest_first", _latest_first))


def _table(*parameters: _Parameter) -> dict[str, _Parameter]:
    return {parameter.name.lower(): parameter for parameter in parameters}


_LOG = _table(
    *_COMMON,
    *_PLACE,
    *_PAGE,
    _Parameter("state", "kinds", _kinds),
    _Parameter("trimBody", "trim_body", _boolean),
    _Parameter("api", None, _ignored),
)
_DEAD_LETTERS = _table(
    *_COMMON,
    *_PAGE,
    _Parameter("dlqIds", "dead_letter_ids", _list),
    _Parameter("responseStatus", "response_statuses", _statuses),
    _Parameter("source", None, _ignored),
    _Parameter("api", None, _ignored),
)
_MESSAGES = _table(*_COMMON, *_PLACE, _Parameter("cursor", None, _ignored))


def _read(parameters: Parameters, table: dict[str, _Parameter]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, value in parameters:
        if name == TOKEN_PARAMETER:
            continue
        parameter = table.get(name.lower())
        if parameter is None:
            raise Malformed(
                f"query parameter {quoted(name)} is not known here",
                code="unknown_parameter",
                hint=f"the parameters are {', '.join(known.name for known in table.values())}",
            )
        field = parameter.field
        if field is None:
            continue
        read = _value_of(parameter, value)
        before = said.get(field)
        if before is None:
            said[field] = read
        elif isinstance(read, tuple):
            said[field] = tuple(dict.fromkeys((*before, *read)))
        elif before != read:
            raise Malformed(f"query parameter {parameter.name} is given twice with different values; give it once")
    return said


def _value_of(parameter: _Parameter, value: str) -> Any:
    try:
        if not value:
            raise ValueError("is empty; write a value or leave the parameter out")  # noqa: TRY301 - one way out
        read = parameter.read(value)
        if isinstance(read, tuple) and "" in read:
            raise ValueError("has an empty part between its commas")  # noqa: TRY301 - as above
    except ValueError as error:
        raise Malformed(f"query parameter {parameter.name} {quoted(value)} {error}", code="invalid_parameter") from None
    return read


def _filter(said: dict[str, Any]) -> MessageFilter:
    return MessageFilter(**{name: said[name] for name in MessageFilter.__struct_fields__ if name in said})


def _filters_among(said: dict[str, Any], table: dict[str, _Parameter]) -> tuple[str, ...]:
    """The names of what narrows the choice; of two names for one thing, the first in the table."""
    names: dict[str, str] = {}
    for parameter in table.values():
        if parameter.field in said and parameter.field not in _PAGING:
            names.setdefault(parameter.field, parameter.name)
    return tuple(names.values())

"""Query parameters that ask for some of what is stored.

Arrays come repeated or separated by commas. A flow-control key is free text and is never
parted; a URL or path is parted only where the next one begins. A parameter that is not known
is refused, and so is an empty value: neither may turn "some" into "all".
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.domain.event import IN_PROGRESS, EventKind
from outrider.domain.message import Progress
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter, MessageQuery
from outrider.wire.parameters import Parameter, Parameters, Table, boolean, read_parameters, table_of

MOST_ENTRIES = 1000
MOST_DEAD_LETTERS = 100
MOST_CANCELED = 500
DEFAULT_COUNT = 100


class LogRequest(Struct, frozen=True):
    """A question to `/v2/logs`; `by_message` asks for messages in place of entries."""

    query: LogQuery
    trim_body: bool = False
    by_message: bool = False


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


def parse_event_query(parameters: Parameters) -> LogRequest:
    """A question to `/v2/events`. Raises Malformed naming the parameter, its value and the rule."""
    return _log_request(read_parameters(parameters, EVENT_PARAMETERS))


def parse_log_query(parameters: Parameters) -> LogRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, LOG_PARAMETERS)
    if said.get("by_message") and not said.get("latest_first", True):
        raise Malformed(
            "order earliestFirst does not go with groupBy: messages come by their latest entry",
            hint="leave out order, or groupBy",
        )
    return _log_request(said)


def _log_request(said: dict[str, Any]) -> LogRequest:
    return LogRequest(
        LogQuery(
            filter=_filter(said),
            kinds=said.get("kinds", ()),
            latest_first=said.get("latest_first", True),
            count=min(said.get("count", DEFAULT_COUNT), MOST_ENTRIES),
            cursor=said.get("cursor"),
        ),
        trim_body=said.get("trim_body", False),
        by_message=said.get("by_message", False),
    )


def parse_message_query(parameters: Parameters) -> MessageQuery:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, MESSAGE_PARAMETERS)
    return MessageQuery(
        filter=_filter(said),
        progress=said.get("progress", ()),
        count=min(said.get("count", DEFAULT_COUNT), MOST_ENTRIES),
        cursor=said.get("cursor"),
    )


def parse_dead_letter_query(parameters: Parameters) -> DeadLetterRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, DEAD_LETTER_PARAMETERS)
    query = DeadLetterQuery(
        filter=_filter(said),
        ids=said.get("dead_letter_ids", ()),
        response_statuses=said.get("response_statuses", ()),
        latest_first=said.get("latest_first", True),
        count=min(said.get("count", DEFAULT_COUNT), MOST_DEAD_LETTERS),
        cursor=said.get("cursor"),
    )
    return DeadLetterRequest(query, _filters_among(said, DEAD_LETTER_PARAMETERS))


def parse_cancel_query(parameters: Parameters) -> CancelRequest:
    """Raises Malformed naming the parameter, its value and the rule."""
    said = read_parameters(parameters, CANCEL_PARAMETERS)
    count = said.get("count")
    return CancelRequest(
        _filter(said), None if count is None else min(count, MOST_CANCELED), _filters_among(said, CANCEL_PARAMETERS)
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


def _progress(value: str) -> tuple[Progress, ...]:
    parts = _list(value.lower())
    if not all(part in list(Progress) for part in parts):
        raise ValueError(f"is not a state of an unfinished message; those are {', '.join(Progress)}")
    return tuple(Progress(part) for part in parts)


def _by_message(value: str) -> bool:
    if value.lower() != "message":
        raise ValueError("is nothing to group by; write message")
    return True


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


def _ignored(_: str) -> None:
    return None


_PAGING = ("count", "cursor", "latest_first", "trim_body", "by_message")

_COMMON = (
    Parameter("messageIds", "ids", _list, "The ids of messages."),
    Parameter("messageId", "ids", _list, "The id of a message."),
    Parameter("url", "urls", _urls, "The destination, byte for byte."),
    Parameter("topicName", "groups", _list, "The URL group that was published to."),
    Parameter("queueName", "queues", _list, "The queue."),
    Parameter("scheduleId", "schedule_ids", _list, "The schedule that published."),
    Parameter("label", "labels", _list, "One of the labels."),
    Parameter(
        "flowControlKey", "flow_control_keys", _text, "The flow-control key, whole: it is never parted at commas."
    ),
    Parameter("callerIp", "caller_ips", _list, "The address that published."),
    Parameter("fromDate", "time_from", _instant, "From this moment on, Unix milliseconds."),
    Parameter("toDate", "time_to", _instant, "Up to and with this moment, Unix milliseconds."),
    Parameter("count", "count", _count, "At most so many."),
)
_PLACE = (
    Parameter("host", "hosts", _lower_list, "The destination's host, with its port if it has one."),
    Parameter("path", "paths", _paths, "The destination's path."),
)
_CURSOR = Parameter("cursor", "cursor", str, "Where the page before ended: its `cursor`.")
_PAGE = (
    _CURSOR,
    Parameter("order", "latest_first", _latest_first, "latestFirst (the default) or earliestFirst."),
)


EVENT_PARAMETERS = table_of(
    *_COMMON,
    *_PLACE,
    *_PAGE,
    Parameter("state", "kinds", _kinds, "The state of the entry; IN_PROGRESS stands for ACTIVE, RETRY and ERROR."),
    Parameter("trimBody", "trim_body", boolean, "Leave out the bodies."),
    Parameter("api", None, _ignored, "Accepted and ignored."),
)
LOG_PARAMETERS = table_of(
    *EVENT_PARAMETERS.values(),
    Parameter(
        "groupBy", "by_message", _by_message, "message: one row a message, that with the latest matching entry first."
    ),
)
MESSAGE_PARAMETERS = table_of(
    *_COMMON,
    *_PLACE,
    _CURSOR,
    Parameter("state", "progress", _progress, "active, retrying, delayed or waiting."),
)
DEAD_LETTER_PARAMETERS = table_of(
    *_COMMON,
    # QStash refuses `host` and `path` here, so what a cluster of one host is asked for by has names of its own.
    Parameter("destinationHost", "hosts", _lower_list, "The destination's host, with its port if it has one."),
    Parameter("destinationPath", "paths", _paths, "The destination's path."),
    *_PAGE,
    Parameter("dlqIds", "dead_letter_ids", _list, "The ids of dead letters."),
    Parameter(
        "responseStatus", "response_statuses", _statuses, "The last status of the destination; 0 for no response."
    ),
    Parameter("source", None, _ignored, "Accepted and ignored."),
    Parameter("api", None, _ignored, "Accepted and ignored."),
)
CANCEL_PARAMETERS = table_of(*_COMMON, *_PLACE, Parameter("cursor", None, _ignored, "Accepted and ignored."))


def _filter(said: dict[str, Any]) -> MessageFilter:
    return MessageFilter(**{name: said[name] for name in MessageFilter.__struct_fields__ if name in said})


def _filters_among(said: dict[str, Any], table: Table) -> tuple[str, ...]:
    """The names of what narrows the choice; of two names for one thing, the first in the table."""
    names: dict[str, str] = {}
    for parameter in table.values():
        if parameter.field in said and parameter.field not in _PAGING:
            names.setdefault(parameter.field, parameter.name)
    return tuple(names.values())

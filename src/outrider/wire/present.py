"""What clients are shown: plain dicts, in the field names of protocol sections 6 to 8.

Everything goes through the message's redaction (`redaction.py`); what is delivered never does.
"""

from __future__ import annotations

from outrider.domain.attempt import Response
from outrider.domain.event import EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message, MessageState, Progress, progress_of
from outrider.domain.options import DeliveryOptions
from outrider.domain.query import Count, DeadLetterCluster
from outrider.ports import LogEntry, MessageSummary
from outrider.wire.names import by_name
from outrider.wire.redaction import shown_base64, shown_body, shown_callback_headers, shown_headers, text_or_base64
from outrider.wire.schema import (
    FLOW_CONTROL,
    HEADERS,
    LABELS,
    SECONDS,
    TIME_MS,
    integer,
    list_of,
    one_of,
    text,
    thing,
    truth,
)

Presented = dict[str, object]


def present_message(message: Message) -> Presented:
    """A message as `GET /v2/messages/{id}` shows it."""
    return without_none(
        {
            "messageId": message.id,
            "url": message.url,
            "method": message.options.method,
            "maxRetries": message.options.retries,
            "notBefore": message.not_before,
            "createdAt": message.created_at,
            "state": state_of(message),
            **_origin(message),
            "callbackHeader": shown_callback_headers(message.options.callback, message.options),
            "failureCallbackHeader": shown_callback_headers(message.options.failure_callback, message.options),
            "header": shown_headers(message.options.headers, message.options),
            **shown_body(message.body, message.options),
            "callerIP": message.caller_ip,
            "callerIp": message.caller_ip,
            "retryDelayExpression": message.options.retry_delay,
            "timeout": seconds(message.options.timeout_ms),
            **labels_of(message.options),
            **flow_control_of(message.options),
        }
    )


def present_entry(entry: LogEntry, *, trim_body: bool = False) -> Presented:
    """An entry of `/v2/logs` and `/v2/events`; trimmed, it leaves out both bodies."""
    event, message = entry.event, entry.message
    options = message.options
    response = event.response
    response_header = None if response is None else by_name(response.headers)
    response_body = {} if response is None or trim_body else text_or_base64("responseBody", response.body)
    return without_none(
        {
            "time": event.time,
            "messageId": message.id,
            "state": event.kind.value,
            "url": message.url,
            "error": event.error,
            "nextDeliveryTime": event.next_delivery_at,
            **_origin(message),
            "header": shown_headers(options.headers, options),
            "body": None if trim_body else shown_base64(message.body, options),
            "method": options.method,
            "timeout": options.timeout_ms,
            "maxRetries": options.retries,
            "callbackHeaders": shown_callback_headers(options.callback, options),
            "failureCallbackHeaders": shown_callback_headers(options.failure_callback, options),
            "retryDelayExpr": options.retry_delay,
            "retryDelayExpression": options.retry_delay,
            "responseStatus": None if response is None else response.status,
            "responseHeader": response_header,
            "responseHeaders": response_header,
            **response_body,
            "callerIP": message.caller_ip,
            "callerIp": message.caller_ip,
            **labels_of(options),
            **flow_control_of(options),
        }
    )


def present_dead_letter(letter: DeadLetter) -> Presented:
    """A message that was given up, with the last thing its destination said."""
    return {
        **present_message(letter.message),
        "state": "FAILED",
        "dlqId": letter.id,
        "error": letter.error,
        **_shown_response(letter.response),
    }


def present_unfinished(summary: MessageSummary, now: Instant) -> Presented:
    """A message of `GET /v2/messages`."""
    message = summary.message
    progress = progress_of(message.state, message.retried, is_due=message.due_at <= now)
    return without_none(
        {
            **_line_of(summary),
            "state": None if progress is None else progress.value,
            "nextDeliveryTime": message.due_at if message.state is MessageState.DUE else None,
        }
    )


def present_logged(summary: MessageSummary) -> Presented:
    """A message of `GET /v2/logs?groupBy=message`."""
    message = summary.message
    return without_none(
        {
            **_line_of(summary),
            "state": state_of(message),
            "nextDeliveryTime": message.due_at if message.state is MessageState.DUE else None,
            "entries": summary.entries,
            "firstTime": summary.first_at,
            "lastTime": summary.last_at,
        }
    )


def present_cluster(cluster: DeadLetterCluster) -> Presented:
    return {
        "responseStatus": cluster.response_status,
        "host": cluster.host,
        "error": cluster.error,
        "count": cluster.count,
        "newestTime": cluster.newest_at,
    }


def present_count(count: Count, name: str = "count") -> Presented:
    """With `capped` only where it is so."""
    return {name: count.number, "capped": True} if count.capped else {name: count.number}


def state_of(message: Message) -> str:
    """Where a message stands, in the words of log entries: the last thing that happened to it."""
    match message.state:
        case MessageState.DELIVERED | MessageState.FAILED | MessageState.CANCELED:
            return message.state.name
        case _ if message.cancel_requested:
            return "CANCEL_REQUESTED"
        case MessageState.LEASED:
            return "ACTIVE"
        case _:
            return "RETRY" if message.retried else "CREATED"


def labels_of(options: DeliveryOptions) -> Presented:
    """`label` is the first of `labels`."""
    return {"label": options.labels[0], "labels": list(options.labels)} if options.labels else {}


def flow_control_of(options: DeliveryOptions) -> Presented:
    """The flow-control key and what the message asks of it; the period is seconds."""
    control = options.flow_control
    if control is None:
        return {}
    return {
        "flowControlKey": control.key,
        "parallelism": control.parallelism,
        "rate": control.rate,
        "period": seconds(control.period_ms),
    }


def seconds(ms: int) -> int | float:
    """Milliseconds as seconds, whole where they are."""
    whole, rest = divmod(ms, 1000)
    return ms / 1000 if rest else whole


def without_none(fields: Presented) -> Presented:
    """The fields without those that are not there."""
    return {name: value for name, value in fields.items() if value is not None}


def _origin(message: Message) -> Presented:
    """Where the message comes from and whom it reports to; None where it does not."""
    options = message.options
    return {
        "topicName": message.group,
        "endpointName": message.endpoint,
        "queueName": message.queue,
        "scheduleId": message.schedule_id,
        "sourceMessageId": message.callback_of,
        "callback": None if options.callback is None else options.callback.url,
        "failureCallback": None if options.failure_callback is None else options.failure_callback.url,
    }


def _line_of(summary: MessageSummary) -> Presented:
    """What a list shows of a message, without its headers and body."""
    message = summary.message
    options = message.options
    return {
        "messageId": message.id,
        "url": message.url,
        "method": options.method,
        "createdAt": message.created_at,
        "attempts": summary.attempts,
        "maxRetries": options.retries,
        "topicName": message.group,
        "urlGroup": message.group,
        "endpointName": message.endpoint,
        "queueName": message.queue,
        "scheduleId": message.schedule_id,
        "sourceMessageId": message.callback_of,
        **labels_of(options),
        "flowControlKey": None if options.flow_control is None else options.flow_control.key,
        "lastError": summary.error,
        "responseStatus": summary.response_status,
    }


def _shown_response(response: Response | None) -> Presented:
    if response is None:
        return {"responseStatus": 0}
    return {
        "responseStatus": response.status,
        "responseHeader": by_name(response.headers),
        **text_or_base64("responseBody", response.body),
    }


_STATES = tuple(kind.value for kind in EventKind)
_ORIGIN = {
    "topicName": text("The URL group it was published to."),
    "endpointName": text("The name of its endpoint there."),
    "queueName": text(),
    "scheduleId": text(),
    "sourceMessageId": text("The message whose attempt this one, a callback, reports."),
    "callback": text(),
    "failureCallback": text(),
    "callerIP": text(),
    "callerIp": text(),
    **LABELS,
    **FLOW_CONTROL,
}
_RESPONSE = {
    "responseStatus": integer("What the destination answered; 0 for no response."),
    "responseHeader": HEADERS,
    "responseBody": text(),
    "responseBodyBase64": text("The body if it is not UTF-8."),
}
_MESSAGE_FIELDS = {
    "messageId": text(),
    "url": text("Where it goes."),
    "method": text(),
    "maxRetries": integer(),
    "notBefore": TIME_MS,
    "createdAt": TIME_MS,
    "state": one_of(_STATES, "The last thing that happened to it."),
}
_MESSAGE_MORE = {
    **_ORIGIN,
    "callbackHeader": HEADERS,
    "failureCallbackHeader": HEADERS,
    "header": HEADERS,
    "body": text(),
    "bodyBase64": text("The body if it is not UTF-8."),
    "retryDelayExpression": text(),
    "timeout": SECONDS,
}
_CURSOR = {"cursor": text("There is more: asks for the next page.")}

MESSAGE = thing("Message", _MESSAGE_FIELDS, _MESSAGE_MORE)
DEAD_LETTER = thing(
    "DeadLetter",
    {**_MESSAGE_FIELDS, "dlqId": text(), "responseStatus": _RESPONSE["responseStatus"]},
    {**_MESSAGE_MORE, **_RESPONSE, "error": text("Why it was given up.")},
)
ENTRY = thing(
    "LogEntry",
    {"time": TIME_MS, "messageId": text(), "state": one_of(_STATES), "url": text()},
    {
        "error": text(),
        "nextDeliveryTime": TIME_MS,
        **_ORIGIN,
        "header": HEADERS,
        "body": text("Base64."),
        "method": text(),
        "timeout": integer("Milliseconds."),
        "maxRetries": integer(),
        "callbackHeaders": HEADERS,
        "failureCallbackHeaders": HEADERS,
        "retryDelayExpr": text(),
        "retryDelayExpression": text(),
        **_RESPONSE,
        "responseHeaders": HEADERS,
    },
)
_LINE_FIELDS = {
    "messageId": text(),
    "url": text("Where it goes."),
    "method": text(),
    "createdAt": TIME_MS,
    "attempts": integer("How many have ended."),
    "maxRetries": integer(),
}
_LINE_MORE = {
    "nextDeliveryTime": TIME_MS,
    "topicName": _ORIGIN["topicName"],
    "urlGroup": _ORIGIN["topicName"],
    "endpointName": _ORIGIN["endpointName"],
    "queueName": text(),
    "scheduleId": text(),
    "sourceMessageId": _ORIGIN["sourceMessageId"],
    "flowControlKey": text(),
    **LABELS,
    "lastError": text("Why its last attempt failed."),
    "responseStatus": integer("What the destination answered last."),
}
UNFINISHED = thing(
    "UnfinishedMessage",
    {**_LINE_FIELDS, "state": one_of(tuple(Progress), "Being attempted, or what it waits for.")},
    _LINE_MORE,
)
LOGGED = thing(
    "LoggedMessage",
    {
        **_LINE_FIELDS,
        "state": _MESSAGE_FIELDS["state"],
        "entries": integer("How many the log has of it."),
        "firstTime": TIME_MS,
        "lastTime": TIME_MS,
    },
    _LINE_MORE,
)
_CAPPED = {"capped": truth("There are more: not all were looked at.")}
COUNT = thing("Count", {"count": integer("How many there are.")}, _CAPPED)
CLUSTERS = thing(
    "DeadLetterClusters",
    {
        "clusters": list_of(
            thing(
                "DeadLetterCluster",
                {
                    "responseStatus": _RESPONSE["responseStatus"],
                    "host": text(),
                    "error": text("Why the newest was given up."),
                    "count": integer(),
                    "newestTime": TIME_MS,
                },
            )
        ),
        "total": integer("How many dead letters were looked at."),
    },
    _CAPPED,
)
MESSAGE_PAGE = thing("MessagePage", {"messages": list_of(UNFINISHED)}, _CURSOR)
LOGGED_PAGE = thing("LoggedPage", {"messages": list_of(LOGGED)}, _CURSOR)
CANCELED = thing("Cancelled", {"cancelled": integer("How many were.")})
DELETED = thing("Deleted", {"deleted": integer("How many were.")}, _CURSOR)
DEAD_LETTER_PAGE = thing("DeadLetterPage", {"messages": list_of(DEAD_LETTER)}, _CURSOR)
EVENT_PAGE = thing("EventPage", {"events": list_of(ENTRY)}, _CURSOR)
LOG_PAGE = thing("LogPage", {"logs": list_of(ENTRY), "events": list_of(ENTRY)}, _CURSOR)

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qstash.dlq import prepare_list_dlq_messages_params
from qstash.log import LogState, prepare_list_logs_request_params

from outrider.domain.errors import Malformed
from outrider.domain.event import EventKind
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter
from outrider.wire.filters import (
    CancelRequest,
    DeadLetterRequest,
    LogRequest,
    parse_cancel_query,
    parse_dead_letter_query,
    parse_log_query,
)

COMMON = [
    ("messageId", "a", {"ids": ("a",)}),
    ("messageIds", "a,b", {"ids": ("a", "b")}),
    ("url", "https://a.com/x,y", {"urls": ("https://a.com/x,y",)}),
    ("url", "https://a.com,https://b.com", {"urls": ("https://a.com", "https://b.com")}),
    ("topicName", "g", {"groups": ("g",)}),
    ("queueName", "q1, q2", {"queues": ("q1", "q2")}),
    ("scheduleId", "s", {"schedule_ids": ("s",)}),
    ("label", "a,b", {"labels": ("a", "b")}),
    ("flowControlKey", "a,b/c", {"flow_control_keys": ("a,b/c",)}),
    ("callerIp", "1.2.3.4", {"caller_ips": ("1.2.3.4",)}),
    ("callerIP", "1.2.3.4", {"caller_ips": ("1.2.3.4",)}),
    ("fromDate", "1000", {"time_from": 1000}),
    ("toDate", "2000", {"time_to": 2000}),
]
PLACES = [
    ("host", "A.com:80,b.com", {"hosts": ("a.com:80", "b.com")}),
    ("path", "/a,b,/c", {"paths": ("/a,b", "/c")}),
]


@pytest.mark.parametrize(("name", "value", "said"), COMMON + PLACES)
def test_filter_narrows_logs_and_cancellations(name, value, said):
    assert parse_log_query([(name, value)]) == LogRequest(LogQuery(filter=MessageFilter(**said)))
    request = parse_cancel_query([(name, value)])
    assert request.filter == MessageFilter(**said)
    assert [given.lower().rstrip("s") for given in request.filtered_by] == [name.lower().rstrip("s")]


@pytest.mark.parametrize(("name", "value", "said"), COMMON)
def test_filter_narrows_dead_letters(name, value, said):
    request = parse_dead_letter_query([(name, value)])
    assert request.query == DeadLetterQuery(filter=MessageFilter(**said))
    assert request.filtered_by


def test_repeated_values_are_ored_and_counted_once():
    parameters = [("label", "a"), ("label", "b,a"), ("queueName", "q")]
    assert parse_log_query(parameters).query.filter == MessageFilter(labels=("a", "b"), queues=("q",))


def test_nothing_asked_is_everything_and_told_so():
    assert parse_log_query([]) == LogRequest(LogQuery())
    assert parse_dead_letter_query([]) == DeadLetterRequest(DeadLetterQuery())
    assert parse_cancel_query([]) == CancelRequest(MessageFilter(), None, ())


def test_paging_is_no_filter():
    request = parse_dead_letter_query([("count", "5"), ("cursor", "c"), ("order", "earliestFirst")])
    assert request == DeadLetterRequest(DeadLetterQuery(count=5, cursor="c", latest_first=False), ())
    assert parse_cancel_query([("count", "5"), ("cursor", "c")]) == CancelRequest(MessageFilter(), 5, ())


def test_dead_letter_ids_are_a_filter():
    request = parse_dead_letter_query([("dlqIds", "1-0"), ("dlqIds", "2-0")])
    assert request == DeadLetterRequest(DeadLetterQuery(ids=("1-0", "2-0")), ("dlqIds",))


def test_token_in_the_query_is_no_filter():
    assert parse_cancel_query([("qstash_token", "t")]).filtered_by == ()


@pytest.mark.parametrize(("parse", "most"), [(parse_log_query, 1000), (parse_dead_letter_query, 100)])
def test_count_is_clamped(parse, most):
    assert parse([("count", "7")]).query.count == 7
    assert parse([("count", str(most))]).query.count == most
    assert parse([("count", str(most + 1))]).query.count == most
    assert parse([]).query.count == 100
    assert parse_cancel_query([("count", "501")]).count == 500


@pytest.mark.parametrize("parse", [parse_log_query, parse_dead_letter_query, parse_cancel_query])
@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "٣"])
def test_bad_count_is_refused(parse, value):
    with pytest.raises(Malformed, match="count"):
        parse([("count", value)])


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("DELIVERED", (EventKind.DELIVERED,)),
        ("delivered", (EventKind.DELIVERED,)),
        ("IN_PROGRESS", (EventKind.ACTIVE, EventKind.RETRY, EventKind.ERROR)),
        ("CREATED,FAILED", (EventKind.CREATED, EventKind.FAILED)),
    ],
)
def test_states_are_those_of_the_log(value, kinds):
    assert parse_log_query([("state", value)]).query.kinds == kinds


def test_order_and_trimming_of_logs():
    request = parse_log_query([("order", "latestFirst"), ("trimBody", "true"), ("cursor", "1725")])
    assert request == LogRequest(LogQuery(latest_first=True, cursor="1725"), trim_body=True)
    assert parse_log_query([("order", "earliestFirst")]).query.latest_first is False
    assert parse_log_query([("trimBody", "false")]).trim_body is False


def test_response_statuses_are_numbers():
    assert parse_dead_letter_query([("responseStatus", "500,0")]).query.response_statuses == (500, 0)


def test_dead_letters_are_narrowed_by_place_as_messages_are():
    asked = parse_dead_letter_query([("destinationHost", "A.example:8443"), ("destinationPath", "/a,/b")])
    assert (asked.query.filter.hosts, asked.query.filter.paths) == (("a.example:8443",), ("/a", "/b"))
    assert asked.filtered_by == ("destinationHost", "destinationPath")


@pytest.mark.parametrize("name", ["source", "api"])
def test_dead_letters_ignore_what_only_the_hosted_service_has(name):
    assert parse_dead_letter_query([(name, "x")]) == DeadLetterRequest(DeadLetterQuery(), ())


@pytest.mark.parametrize(
    ("parse", "name", "value"),
    [
        (parse_dead_letter_query, "host", "x"),
        (parse_dead_letter_query, "path", "/x"),
        (parse_log_query, "lable", "x"),
        (parse_log_query, "dlqIds", "x"),
        (parse_log_query, "responseStatus", "500"),
        (parse_dead_letter_query, "state", "FAILED"),
        (parse_cancel_query, "state", "ACTIVE"),
        (parse_cancel_query, "dlqIds", "x"),
        (parse_cancel_query, "order", "latestFirst"),
    ],
)
def test_unknown_name_is_refused_with_the_known_ones(parse, name, value):
    with pytest.raises(Malformed, match=f"'{name}' is not known") as refusal:
        parse([(name, value)])
    assert "label" in refusal.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "CANCELLED"),
        ("state", "x"),
        ("fromDate", "yesterday"),
        ("toDate", "-1"),
        ("order", "up"),
        ("trimBody", "maybe"),
        ("label", ""),
        ("label", "a,,b"),
        ("messageIds", ","),
        ("url", ""),
        ("cursor", ""),
        ("flowControlKey", ""),
    ],
)
def test_bad_value_is_refused_with_its_parameter(name, value):
    with pytest.raises(Malformed, match=f"query parameter {name} "):
        parse_log_query([(name, value)])


def test_contradiction_is_refused():
    assert parse_log_query([("fromDate", "1"), ("fromDate", "1")]).query.filter.time_from == 1
    with pytest.raises(Malformed, match="fromDate is given twice"):
        parse_log_query([("fromDate", "1"), ("fromDate", "2")])
    with pytest.raises(Malformed, match="order is given twice"):
        parse_log_query([("order", "latestFirst"), ("order", "earliestFirst")])


def test_what_the_official_sdk_asks_is_understood():
    asked = {
        "message_id": "m",
        "message_ids": ["n", "o"],
        "state": LogState.IN_PROGRESS,
        "url": "https://a.com",
        "url_group": "g",
        "queue": "q",
        "schedule_id": "s",
        "from_time": 1,
        "to_time": 2,
        "label": "l",
    }
    sent = prepare_list_logs_request_params(cursor="c", count=3, filter=asked)
    pairs = [(name, v) for name, value in sent.items() for v in (value if isinstance(value, list) else [value])]
    assert parse_log_query(pairs).query == LogQuery(
        filter=MessageFilter(
            ids=("m", "n", "o"),
            urls=("https://a.com",),
            groups=("g",),
            queues=("q",),
            schedule_ids=("s",),
            labels=("l",),
            time_from=1,
            time_to=2,
        ),
        kinds=(EventKind.ACTIVE, EventKind.RETRY, EventKind.ERROR),
        count=3,
        cursor="c",
    )
    asked = {"message_id": "m", "url_group": "g", "response_status": 500, "caller_ip": "::1"}
    sent = prepare_list_dlq_messages_params(cursor=None, count=None, filter=asked)
    assert parse_dead_letter_query(list(sent.items())) == DeadLetterRequest(
        DeadLetterQuery(filter=MessageFilter(ids=("m",), groups=("g",), caller_ips=("::1",)), response_statuses=(500,)),
        ("messageIds", "topicName", "callerIp", "responseStatus"),
    )


_NAMES = st.sampled_from(["label", "messageIds", "state", "count", "fromDate", "url", "dlqIds", "order", "x"])


@given(st.lists(st.tuples(_NAMES, st.text(max_size=8) | st.sampled_from(["1", "ACTIVE", "a,b"])), max_size=5))
def test_no_query_widens_a_choice(parameters):
    for parse in (parse_log_query, parse_dead_letter_query, parse_cancel_query):
        try:
            request = parse(parameters)
        except Malformed:
            continue
        which = request.filter if isinstance(request, CancelRequest) else request.query.filter
        narrowing = {name for name, _ in parameters} & {"label", "messageIds", "fromDate", "url"}
        assert (which != MessageFilter()) == bool(narrowing)

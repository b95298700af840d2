import pytest
from msgspec import UNSET

from outrider.domain.errors import Malformed
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from outrider.domain.limits import Limits, limits_of
from outrider.domain.options import CallbackPatch, Deduplication, DeliveryOptions, FlowControl, OptionPatch, Redaction
from outrider.wire.option_table import FAMILIES, OPTIONS
from outrider.wire.options import check_first_delivery, default_options, parse_options, parse_request_options

LIMITS = Limits()
NOW = 1_767_225_600_000


def parse(*headers, query=(), limits=LIMITS):
    """What headers say, in text and as a request has them: it is the same, the first time and the second."""
    patch = parse_options(headers, query, limits)
    if all(text.isascii() for header in headers for text in header):
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        assert [parse_request_options(raw, query, limits) for _ in range(2)] == [patch, patch]
    return patch


SAID = [
    ("Upstash-Method", "PUT", {"method": "PUT"}),
    ("Upstash-Method", "patch", {"method": "PATCH"}),
    ("Upstash-Delay", "1d10h30m", {"delay_ms": DAY_MS + 10 * HOUR_MS + 30 * MINUTE_MS}),
    ("Upstash-Delay", "90", {"delay_ms": 90_000}),
    ("Upstash-Not-Before", "1767225600", {"not_before": NOW}),
    ("Upstash-Retries", "0", {"retries": 0}),
    ("Upstash-Retries", "100", {"retries": 100}),
    ("Upstash-Retry-Delay", "pow(2, retried) * 1000", {"retry_delay": "pow(2, retried) * 1000"}),
    ("Upstash-Timeout", "15m", {"timeout_ms": 15 * MINUTE_MS}),
    ("Upstash-Callback", "https://a.com/cb", {"callback": CallbackPatch(url="https://a.com/cb")}),
    ("Upstash-Failure-Callback", "https://a.com/f", {"failure_callback": CallbackPatch(url="https://a.com/f")}),
    ("Upstash-Deduplication-Id", "abc", {"deduplication": Deduplication(id="abc")}),
    ("Upstash-Content-Based-Deduplication", "True", {"deduplication": Deduplication(by_content=True)}),
    ("Upstash-Content-Based-Deduplication", "false", {"deduplication": Deduplication(by_content=False)}),
    ("Upstash-Deduplication-Window", "5m", {"deduplication": Deduplication(window_ms=5 * MINUTE_MS)}),
    ("Upstash-Label", "a, b,,c ", {"labels": ("a", "b", "c")}),
    ("Upstash-Redact-Fields", "body", {"redaction": Redaction(body=True)}),
    ("Upstash-Redact-Fields", "header", {"redaction": Redaction(all_headers=True)}),
    ("Upstash-Redact-Fields", "headers", {"redaction": Redaction(all_headers=True)}),
    (
        "Upstash-Redact-Fields",
        "body, header[Authorization],headers[X-Key]",
        {"redaction": Redaction(body=True, headers=("authorization", "x-key"))},
    ),
    ("Upstash-Standard-Webhooks", "true", {"standard_webhooks": True}),
    ("Upstash-Standard-Webhooks", "False", {"standard_webhooks": False}),
    ("Upstash-Queue-Name", "q1", {"queue": "q1"}),
    ("Upstash-Cron", " */5 * * * * ", {"cron": "*/5 * * * *"}),
    ("Upstash-Cron-Jitter", "30s", {"cron_jitter_ms": 30_000}),
    ("Upstash-Schedule-Id", "daily", {"schedule_id": "daily"}),
    ("Content-Type", "text/plain", {"headers": (("Content-Type", "text/plain"),)}),
    ("Upstash-Forward-X-MY-header", "1", {"headers": (("X-My-Header", "1"),)}),
    ("Upstash-Forward-Authorization", "Bearer t", {"headers": (("Authorization", "Bearer t"),)}),
    ("Upstash-Telemetry-Sdk", "py", {}),
    ("Upstash-Workflow-RunId", "r", {}),
    ("Upstash-Nonsense", "1", {}),
    ("X-Other", "1", {}),
    ("Authorization", "Bearer secret", {}),
]


@pytest.mark.parametrize(("name", "value", "said"), SAID)
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_header_lands_in_its_field_in_any_case(name, value, said, spelling):
    assert parse((spelling(name), value)) == OptionPatch(**said)


@pytest.mark.parametrize(("name", "value", "said"), [row for row in SAID if row[0].startswith("Upstash-")])
def test_query_parameter_says_the_same_as_its_header(name, value, said):
    assert parse(query=[(name.lower(), value)]) == OptionPatch(**said)


def test_nothing_said_is_an_empty_patch():
    assert parse() == OptionPatch()


def test_every_row_of_the_table_has_a_case_here():
    assert {option.name for option in OPTIONS} - {name for name, _, _ in SAID} == {
        "Upstash-Flow-Control-Key",
        "Upstash-Flow-Control-Value",
        "Upstash-Header-Forward",
    }


def test_table_can_be_shown():
    assert all(option.help.endswith(".") for option in OPTIONS)
    assert all(help_.endswith(".") for _, help_ in FAMILIES)
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    assert len({option.field for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("Upstash-Method", "HEAD", "GET, POST, PUT, PATCH, DELETE"),
        ("Upstash-Method", "", "GET, POST"),
        ("Upstash-Delay", "5x", "Upstash-Delay '5x' is not a duration; write 10s, 5m or 1h30m"),
        ("Upstash-Delay", "", "is not a duration"),
        ("Upstash-Delay", "366d", "longest delay of 365d"),
        ("Upstash-Not-Before", "tomorrow", "Unix time in seconds"),
        ("Upstash-Not-Before", "-1", "Unix time in seconds"),
        ("Upstash-Not-Before", "1767225600000", "not milliseconds"),
        ("Upstash-Retries", "-1", "whole number"),
        ("Upstash-Retries", "1.5", "whole number"),
        ("Upstash-Retries", "", "whole number"),
        ("Upstash-Retries", "٣", "whole number"),
        ("Upstash-Retries", "101", "limit of 100"),
        ("Upstash-Retries", "9" * 5000, "whole number"),
        ("Upstash-Retry-Delay", "sin(1)", "'sin'"),
        ("Upstash-Timeout", "0", "leaves no time"),
        ("Upstash-Timeout", "901s", "longest timeout of 15m"),
        ("Upstash-Callback", "example.com", "invalid scheme"),
        ("Upstash-Callback", "https://", "callback 'https://' has no host"),
        ("Upstash-Failure-Callback", "ftp://a.com", "invalid scheme"),
        ("Upstash-Deduplication-Id", "a:b", "^DeduplicationId cannot contain ':'$"),
        ("Upstash-Deduplication-Id", "", "empty"),
        ("Upstash-Deduplication-Id", "x" * 257, "256"),
        ("Upstash-Content-Based-Deduplication", "maybe", "true nor false"),
        ("Upstash-Deduplication-Window", "0s", "no window"),
        ("Upstash-Redact-Fields", "url", "body, header and header"),
        ("Upstash-Redact-Fields", "header[]", "body, header and header"),
        ("Upstash-Redact-Fields", "header[a b]", "body, header and header"),
        ("Upstash-Header-Forward", "yes", "true nor false"),
        ("Upstash-Queue-Name", "a/b", "letters, digits"),
        ("Upstash-Schedule-Id", "a b", "letters, digits"),
        ("Upstash-Cron", "", "five fields"),
        ("Upstash-Cron-Jitter", "x", "not a duration"),
        ("Upstash-Flow-Control-Key", "", "empty"),
        ("Upstash-Flow-Control-Key", "k" * 1025, "1024"),
        ("Upstash-Flow-Control-Key", "k", "without Upstash-Flow-Control-Value"),
        ("Upstash-Flow-Control-Value", "rate=1", "without Upstash-Flow-Control-Key"),
        ("Upstash-Forward-", "1", "names no header"),
        ("Upstash-Forward-a b", "1", "names no header"),
        ("Upstash-Forward-é", "1", "names no header"),
        ("Upstash-Callback-Retries", "x", "^Upstash-Callback-Retries 'x' is not a number"),
        ("Upstash-Failure-Callback-Delay", "x", "^Upstash-Failure-Callback-Delay 'x'"),
        ("Upstash-Callback-Flow-Control-Key", "k", "without Upstash-Callback-Flow-Control-Value"),
    ],
)
def test_bad_value_is_refused_with_name_value_and_rule(name, value, rule):
    with pytest.raises(Malformed, match=rule) as refusal:
        parse((name, value))
    assert len(str(refusal.value)) < 300
    with pytest.raises(Malformed):
        parse(query=[(name.lower(), value)])


def test_limits_are_those_of_the_plan():
    free = limits_of("free")
    with pytest.raises(Malformed, match="limit of 5 retries"):
        parse(("Upstash-Retries", "6"), limits=free)
    with pytest.raises(Malformed, match="longest delay of 7d"):
        parse(("Upstash-Delay", "8d"), limits=free)
    assert parse(("Upstash-Timeout", "2h"), limits=limits_of("hosted")).timeout_ms == 2 * HOUR_MS


@pytest.mark.parametrize(
    ("value", "control"),
    [
        ("parallelism=3, rate=5, period=1m", FlowControl("k", 3, 5, MINUTE_MS)),
        ("period=1d,rate=5", FlowControl("k", None, 5, DAY_MS)),
        (" rate = 5 ", FlowControl("k", None, 5, SECOND_MS)),
        ("parallelism=1", FlowControl("k", 1, None, SECOND_MS)),
        ("rate=1,period=30", FlowControl("k", None, 1, 30_000)),
        ("rate=1,period=7d", FlowControl("k", None, 1, 7 * DAY_MS)),
    ],
)
def test_flow_control_is_joined_with_its_key(value, control):
    said = parse(("Upstash-Flow-Control-Value", value), ("Upstash-Flow-Control-Key", "k"))
    assert said == OptionPatch(flow_control=control)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "period=1m",
        "rate=0",
        "rate=-1",
        "rate=x",
        "rate",
        "rate=1,rate=2",
        "speed=1",
        "rate=1,period=0s",
        "rate=1,period=8d",
        "parallelism=1.5",
        "rate=1,",
        "rate=99999999999",
    ],
)
def test_bad_flow_control_is_refused(value):
    with pytest.raises(Malformed, match=r"^Upstash-Flow-Control-Value"):
        parse(("Upstash-Flow-Control-Key", "k"), ("Upstash-Flow-Control-Value", value))


def test_header_beats_query_parameter():
    patch = parse(("Upstash-Retries", "1"), query=[("upstash-retries", "2"), ("upstash-delay", "5s")])
    assert patch == OptionPatch(retries=1, delay_ms=5000)


def test_forwarded_header_beats_the_query_by_name_and_the_rest_is_added():
    patch = parse(
        ("Upstash-Forward-A", "1"),
        ("Upstash-Callback-Retries", "1"),
        ("Upstash-Callback-X", "h"),
        query=[
            ("upstash-forward-a", "2"),
            ("upstash-forward-b", "3"),
            ("upstash-callback-retries", "2"),
            ("upstash-callback-delay", "2s"),
            ("upstash-callback-x", "q"),
            ("upstash-callback", "https://a.com"),
        ],
    )
    assert patch.headers == (("A", "1"), ("B", "3"))
    assert patch.callback == CallbackPatch(
        url="https://a.com", options=OptionPatch(retries=1, delay_ms=2000, headers=(("X", "h"),))
    )


def test_parts_of_one_option_may_come_by_both_ways():
    patch = parse(("Upstash-Deduplication-Id", "a"), query=[("upstash-deduplication-window", "9s")])
    assert patch.deduplication == Deduplication(id="a", window_ms=9000)


def test_content_type_comes_first_and_a_forwarded_one_replaces_it():
    assert parse(("Upstash-Forward-A", "1"), ("Content-Type", "text/x")).headers == (
        ("Content-Type", "text/x"),
        ("A", "1"),
    )
    assert parse(("Content-Type", "text/x"), ("Upstash-Forward-Content-Type", "a/b")).headers == (
        ("Content-Type", "a/b"),
    )


def test_repeated_forwarded_headers_stay_repeated_in_order():
    patch = parse(("Upstash-Forward-A", "1"), ("upstash-forward-b", "2"), ("UPSTASH-FORWARD-A", "3"))
    assert patch.headers == (("A", "1"), ("B", "2"), ("A", "3"))


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Trailer",
        "Expect",
        "Proxy-Connection",
    ],
)
def test_headers_of_a_connection_are_never_forwarded(name):
    patch = parse(
        (f"Upstash-Forward-{name}", "x"),
        (f"Upstash-Callback-{name}", "x"),
        (f"Upstash-Callback-Forward-{name}", "x"),
        (name, "y"),
        ("Upstash-Header-Forward", "true"),
    )
    assert patch.headers is UNSET
    assert patch.callback.options.headers is UNSET


def test_what_is_remembered_of_headers_is_not_what_other_limits_allow():
    headers = [(b"upstash-retries", b"5"), (b"x-mine", b"1")]
    assert parse_request_options(headers, (), LIMITS) == OptionPatch(retries=5)
    with pytest.raises(Malformed, match="over the limit of 4"):
        parse_request_options(headers, (), Limits(retries=4))


def test_header_forward_in_a_request_passes_on_what_this_request_carried():
    headers = [(b"upstash-header-forward", b"true"), (b"x-mine", b"1")]
    for value in (b"1", b"2"):
        patch = parse_request_options([*headers, (b"x-mine", value)], (), LIMITS)
        assert patch == OptionPatch(headers=(("X-Mine", "1"), ("X-Mine", value.decode())))
    asked = [("upstash-header-forward", "true")]
    assert parse_request_options(headers[1:], asked, LIMITS) == OptionPatch(headers=(("X-Mine", "1"),))


def test_header_forward_passes_on_what_is_not_ours():
    patch = parse(
        ("host", "a"),
        ("authorization", "Bearer secret"),
        ("accept-encoding", "gzip"),
        ("content-length", "3"),
        ("content-type", "text/x"),
        ("x-github-event", "push"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("x-named", "inbound"),
        ("Upstash-Forward-X-Named", "forwarded"),
        ("upstash-telemetry-sdk", "x"),
        ("upstash-header-forward", "True"),
    )
    assert patch.headers == (
        ("Content-Type", "text/x"),
        ("X-Named", "forwarded"),
        ("X-Github-Event", "push"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
    )


def test_header_forward_may_come_by_query_and_be_off():
    assert parse(("x-a", "1"), query=[("upstash-header-forward", "true")]).headers == (("X-A", "1"),)
    assert parse(("x-a", "1"), ("upstash-header-forward", "false")).headers is UNSET
    assert (
        parse(("x-a", "1"), ("upstash-header-forward", "false"), query=[("upstash-header-forward", "true")]).headers
        is UNSET
    )


@pytest.mark.parametrize(
    ("prefix", "field"), [("Upstash-Callback", "callback"), ("Upstash-Failure-Callback", "failure_callback")]
)
def test_callback_takes_the_same_options_and_headers_as_they_stand(prefix, field):
    patch = parse(
        (prefix, "https://a.com/cb"),
        (f"{prefix}-Method", "PUT"),
        (f"{prefix}-Timeout", "5s"),
        (f"{prefix}-Retries", "7"),
        (f"{prefix}-Retry-Delay", "10"),
        (f"{prefix}-Delay", "3s"),
        (f"{prefix}-Forward-X-A", "1"),
        (f"{prefix}-x-cb", "2"),
        (f"{prefix}-Content-Type", "text/x"),
        (f"{prefix}-Label", "l"),
        (f"{prefix}-Flow-Control-Key", "k"),
        (f"{prefix}-Flow-Control-Value", "rate=1"),
    )
    options = OptionPatch(
        method="PUT",
        timeout_ms=5000,
        retries=7,
        retry_delay="10",
        delay_ms=3000,
        headers=(("X-A", "1"), ("X-Cb", "2"), ("Content-Type", "text/x")),
        labels=("l",),
        flow_control=FlowControl("k", rate=1),
    )
    assert patch == OptionPatch(**{field: CallbackPatch(url="https://a.com/cb", options=options)})


def test_callbacks_are_told_apart():
    patch = parse(
        ("Upstash-Callback-Retries", "1"), ("Upstash-Failure-Callback-Retries", "2"), ("Upstash-Retries", "3")
    )
    assert patch.retries == 3
    assert patch.callback.options.retries == 1
    assert patch.failure_callback.options.retries == 2


def test_lists_add_up_and_other_options_must_not_contradict_themselves():
    assert parse(("Upstash-Label", "a"), ("Upstash-Label", "b")).labels == ("a", "b")
    assert parse(("Upstash-Redact-Fields", "body"), ("Upstash-Redact-Fields", "header[A]")).redaction == Redaction(
        body=True, headers=("a",)
    )
    assert parse(("Upstash-Retries", "2"), ("upstash-retries", "2")).retries == 2
    with pytest.raises(Malformed, match="Upstash-Retries is given twice"):
        parse(("Upstash-Retries", "2"), ("upstash-retries", "3"))


def test_text_beyond_ascii_is_read_from_the_bytes_of_a_header():
    wire = "naïve".encode().decode("latin-1")
    assert parse(("Upstash-Label", wire)).labels == ("naïve",)
    assert parse(query=[("upstash-label", "naïve")]).labels == ("naïve",)
    assert parse(("Upstash-Forward-X", wire)).headers == (("X", wire),)
    assert parse(("Upstash-Forward-X", "na\xefve")).headers == (("X", "na\xefve"),)
    assert parse(query=[("upstash-forward-x", "naïve")]).headers == (("X", wire),)


def test_defaults_hold_within_small_limits():
    assert default_options(Limits()).timeout_ms == 30_000
    assert default_options(Limits()).retries == 3
    assert default_options(Limits(retries=1)).retries == 1
    assert default_options(limits_of("hosted")).timeout_ms == 2 * HOUR_MS


def test_not_before_is_bounded_by_the_longest_delay():
    options = parse(("Upstash-Not-Before", str(NOW // 1000 + 8 * 86_400))).resolve(default_options(LIMITS))
    check_first_delivery(options, LIMITS, NOW, queued=False)
    with pytest.raises(Malformed, match="longest delay of 7d"):
        check_first_delivery(options, limits_of("free"), NOW, queued=False)


@pytest.mark.parametrize("name", ["Callback", "Failure-Callback"])
def test_queued_message_may_have_no_delayed_callback(name):
    options = parse((f"Upstash-{name}", "https://a.com"), (f"Upstash-{name}-Delay", "1s")).resolve(
        default_options(LIMITS)
    )
    check_first_delivery(options, LIMITS, NOW, queued=False)
    with pytest.raises(Malformed, match=f"Upstash-{name}-Delay"):
        check_first_delivery(options, LIMITS, NOW, queued=True)


def test_standard_webhooks_of_a_callback_are_its_own():
    patch = parse(
        ("Upstash-Standard-Webhooks", "true"),
        ("Upstash-Callback", "https://a.example/cb"),
        ("Upstash-Failure-Callback", "https://a.example/failed"),
        ("Upstash-Callback-Standard-Webhooks", "false"),
    )
    options = patch.resolve(DeliveryOptions())
    assert options.standard_webhooks is True
    assert options.callback.options.standard_webhooks is False
    assert options.failure_callback.options.standard_webhooks is None

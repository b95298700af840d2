"""The log: which lines are written, what they say, and what they never say."""

import asyncio
import io
import json
import logging
import select
import socket
import subprocess
import sys

import pytest

from outrider.domain.attempt import Response
from outrider.domain.event import Event, EventKind
from outrider.observe import LogObserver

NOON = 1_767_268_800_000


class Terminal(io.BytesIO):
    def isatty(self):
        return True


class Counted(io.BytesIO):
    flushes = 0

    def flush(self):
        self.flushes += 1


def event(kind, **facts):
    return Event(tenant="ten_1", message_id="msg_1", kind=kind, time=NOON, **facts)


def json_lines(level="debug", **methods):
    stream = io.BytesIO()
    observer = LogObserver(level, "json", stream)
    for name, argument in methods.items():
        getattr(observer, name)(argument)
    return observer, stream


def lines_of(stream):
    return [json.loads(line) for line in stream.getvalue().decode().splitlines()]


def test_a_delivery_is_one_line_with_its_facts():
    _, stream = json_lines(events=[event(EventKind.DELIVERED, response=Response(201), duration_ms=17)])
    assert lines_of(stream) == [
        {
            "timestamp": "2026-01-01T12:00:00.000+00:00",
            "level": "info",
            "event": "delivered",
            "message_id": "msg_1",
            "tenant": "ten_1",
            "status": 201,
            "duration_ms": 17,
        }
    ]


def test_a_failure_says_why_and_a_retry_says_when():
    _, stream = json_lines(
        events=[
            event(EventKind.ERROR, error="connection refused", duration_ms=3),
            event(EventKind.RETRY, next_delivery_at=NOON + 12_000),
        ]
    )
    error, retry = lines_of(stream)
    assert (error["level"], error["event"], error["error"]) == ("warning", "error", "connection refused")
    assert (retry["event"], retry["next_delivery_at"]) == ("retry", "2026-01-01T12:00:12.000+00:00")


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", {kind.value.lower() for kind in EventKind}),
        ("info", {"delivered", "error", "retry", "failed", "canceled"}),
        ("warning", {"error", "failed"}),
        ("error", {"failed"}),
    ],
)
def test_each_level_writes_what_is_severe_enough(level, written):
    _, stream = json_lines(level, events=[event(kind) for kind in EventKind])
    assert {line["event"] for line in lines_of(stream)} == written


def test_notes_are_as_severe_as_their_last_word():
    observer, stream = json_lines("info")
    observer.note("engine_started", recovered=3)
    observer.note("store_failed", error="disk full")
    observer.note("lease_lost", message_id="msg_1")
    started, failed, lost = lines_of(stream)
    assert (started["level"], started["event"], started["recovered"]) == ("info", "engine_started", 3)
    assert (failed["level"], failed["error"]) == ("error", "disk full")
    assert lost["level"] == "warning"


def test_a_note_below_the_level_is_not_written():
    observer, stream = json_lines("error")
    observer.note("engine_started")
    observer.note("store_failed", error="disk full")
    assert [line["event"] for line in lines_of(stream)] == ["store_failed"]


def test_a_note_may_use_any_name_for_a_fact():
    observer, stream = json_lines()
    observer.note("listening", time="now", level=3, timestamp="t", event="e", severity=1, facts=2, at=4)
    (line,) = lines_of(stream)
    assert (line["event"], line["level"], line["time"], line["facts"], line["at"]) == ("listening", "info", "now", 2, 4)


SECRETS = (
    "otr_abcdefghijklmnopqrstuvwxyz0123456789",
    "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJVcHN0YXNoIn0.c2lnbmF0dXJl",
    "hunter2hunter2",
)


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_never_reach_a_line(form):
    stream = io.BytesIO()
    observer = LogObserver("debug", form, stream)
    token, key, signature, password = SECRETS
    text = (
        f"GET https://user:{password}@example.com/?qstash_token={password}&a=1 with Bearer {password} "
        f"{token} {key} {signature} failed"
    )
    observer.events([event(EventKind.FAILED, error=text, response=Response(500, (("X-Key", key),), token.encode()))])
    observer.note("store_failed", error=text, body=token.encode(), cause=ValueError(text), parts=[token, {"a": key}])
    observer.note("node_started", token=password, signing_key=password, Authorization=password, keys=(password,))
    written = stream.getvalue().decode()
    assert "example.com" in written
    assert "[hidden]" in written
    assert [secret for secret in SECRETS if secret in written] == []


def test_a_message_id_is_not_taken_for_a_secret():
    observer, stream = json_lines()
    observer.note("attempt_faulted", message_id="msg_01KDVEYJ0000SIG0OTR0EYJ0AA", error="KeyError('x')")
    assert lines_of(stream)[0]["message_id"] == "msg_01KDVEYJ0000SIG0OTR0EYJ0AA"
    assert lines_of(stream)[0]["error"] == "KeyError('x')"


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("error", ["a\r\n2026 [info] delivered", "\x1b[2J", "\u202etxet", "\u2028", "\x85"])
def test_an_error_cannot_write_lines_or_control_a_terminal(form, error):
    stream = io.BytesIO()
    observer = LogObserver("info", form, stream)
    observer.events([event(EventKind.FAILED, error=error)])
    written = stream.getvalue().decode()
    assert written.count("\n") == 1
    assert written.removesuffix("\n").isprintable() or form == "json"
    assert "\x1b" not in written
    assert "\r" not in written


def test_text_is_for_people():
    stream = io.BytesIO()
    LogObserver("info", "text", stream).events([event(EventKind.DELIVERED, response=Response(200), duration_ms=5)])
    (line,) = stream.getvalue().decode().splitlines()
    assert line.startswith("2026-01-01T12:00:00.000+00:00 [info     ] delivered")
    assert line.endswith("message_id=msg_1 tenant=ten_1 status=200 duration_ms=5")


def test_auto_is_json_in_a_file_and_text_on_a_terminal():
    for stream, is_json in ((io.BytesIO(), True), (Terminal(), False)):
        LogObserver("info", "auto", stream).note("engine_started")
        assert stream.getvalue().decode().startswith("{") == is_json


def test_a_batch_is_flushed_once_and_nothing_written_is_not_flushed():
    stream = Counted()
    observer = LogObserver("info", "json", stream)
    observer.events([event(EventKind.DELIVERED) for _ in range(10)])
    assert stream.flushes == 1
    observer.events([event(EventKind.CREATED)])
    assert stream.flushes == 1


async def test_what_one_turn_of_the_loop_brings_is_flushed_once_at_its_end():
    stream = Counted()
    observer = LogObserver("info", "json", stream)
    for expected in (1, 2):
        for _ in range(3):
            observer.events([event(EventKind.DELIVERED)])
        assert stream.flushes == expected - 1
        await asyncio.sleep(0)
        assert stream.flushes == expected


ENDS_BY_A_FAULT = """
import asyncio
from outrider.domain.event import Event, EventKind
from outrider.observe import LogObserver

async def deliver():
    observer = LogObserver("info", "json")
    delivered = Event(tenant="ten_1", message_id="msg_1", kind=EventKind.DELIVERED, time=0)
    observer.events([delivered] * 100)
    raise SystemExit(3)

asyncio.run(deliver())
"""


def test_standard_error_gets_whole_lines_many_at_once_and_the_last_at_exit():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ended = subprocess.run([sys.executable, "-c", ENDS_BY_A_FAULT], stderr=theirs, check=False)
        ours.setblocking(False)
        writes = []
        while select.select([ours], [], [], 0)[0]:
            writes.append(ours.recv(1_000_000))
    assert ended.returncode == 3
    assert b"".join(writes).count(b"\n") == 100
    assert len(writes) < 10
    for write in writes:
        assert write.startswith(b"{")
        assert write.endswith(b"}\n")
        assert len(write) <= select.PIPE_BUF


@pytest.fixture
def standard_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("standard_logging")
def test_a_trace_in_text_keeps_its_lines():
    stream = io.BytesIO()
    LogObserver("info", "text", stream).adopt_standard_logging()
    try:
        int("\x1b[2J")
    except ValueError:
        logging.getLogger("somelibrary").exception("it broke")
    assert "\nTraceback (most recent call last):\n" in stream.getvalue().decode()
    assert "\x1b" not in stream.getvalue().decode()


@pytest.mark.usefixtures("standard_logging")
def test_what_libraries_log_becomes_lines_too():
    observer, stream = json_lines()
    observer.adopt_standard_logging()
    logger = logging.getLogger("somelibrary")
    logger.info("chatter")
    logger.warning("slow with %s", SECRETS[0])
    try:
        int("broken")
    except ValueError:
        logger.exception("it broke")
    warning, error = lines_of(stream)
    assert (warning["level"], warning["event"], warning["logger"]) == ("warning", "library_log", "somelibrary")
    assert warning["text"] == "slow with [hidden]"
    assert error["level"] == "error"
    assert "ValueError: invalid literal" in error["exception"]

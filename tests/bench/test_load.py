from __future__ import annotations

import json
import re
import socket
import subprocess
import time

import pytest
from bench.harness import BenchmarkError, Receiver, send
from tests.bench.peer import Peer, byte_by_byte
from tests.free_port import free_port

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 201 Created\r\ntransfer-encoding: Chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nok, until I hang up"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH
BODILESS = b"HTTP/1.1 204 No Content\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def run(programs, *arguments):
    done = subprocess.run(
        [programs.load, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    return json.loads(done.stdout), done


def test_as_many_requests_are_sent_as_were_asked_for(receiver, programs):
    sent = send([f"{receiver.url}/hook"], count=1000, connections=7, programs=programs)
    assert (sent.requests, sent.errors, sent.unanswered, sent.statuses) == (1000, 0, 0, {"2xx": 1000})
    came = receiver.wait_for(1000)
    assert came.latency_us.count == sent.latency_us.count == 1000
    assert sent.first_us <= came.first_us <= came.last_us <= sent.last_us
    assert sent.rate == pytest.approx(1000 / sent.seconds, rel=0.01)


def test_duration_ends_the_load(receiver, programs):
    sent = send([f"{receiver.url}/hook"], seconds=0.3, connections=2, programs=programs)
    assert 0.25 <= sent.seconds < 2
    assert receiver.came().requests == sent.requests > 0


@pytest.mark.parametrize(
    ("answer", "closes"),
    [(LENGTH, False), (CHUNKED, False), (INTERIM, False), (BODILESS, False), (ENDLESS, True), (CLOSING, True)],
    ids=["length", "chunks", "interim", "bodiless", "endless", "closing"],
)
def test_answer_is_understood_whole_and_byte_by_byte(programs, answer, closes):
    for pieces in ((answer,), byte_by_byte(answer)):
        with Peer(pieces, closes=closes) as peer:
            result, done = run(programs, "--connections", 2, "--count", 6, f"{peer.url}/")
        assert (result["requests"], result["statuses"], result["errors"]) == (6, {"2xx": 6}, 0)
        assert done.returncode == 0


def test_placeholders_are_filled(programs):
    with Peer((LENGTH,)) as peer:
        before = time.time_ns() // 1000
        arguments = ("--header", "Id: id-{n}", "--header", "Plain: {x}", "--body", '{"n":{n},"us":{us}}')
        run(programs, "--connections", 1, "--count", 11, *arguments, f"{peer.url}/hook/{{n}}?at={{us}}")
    for number, request in enumerate(peer.requests):
        found = re.fullmatch(
            rb"POST /hook/(\d+)\?at=(\d+) HTTP/1.1\r\nHost: 127.0.0.1:\d+\r\nId: id-(\d+)\r\nPlain: {x}\r\n"
            rb'Content-Length: \d+\r\n\r\n{"n":(\d+),"us":(\d+)}',
            request,
        )
        assert found is not None, request
        assert found[1] == found[3] == found[4] == b"%d" % number
        assert found[2] == found[5]
        assert before <= int(found[2]) <= time.time_ns() // 1000


def test_numbers_go_round(programs):
    with Peer((LENGTH,)) as peer:
        arguments = ("--header", "Key: key-{n%3}", "--body", "{n%2}{n%")
        run(programs, "--connections", 1, "--count", 7, *arguments, f"{peer.url}/queue-{{n%4}}/x")
    found = [
        re.search(rb"/queue-(\d)/x .*Key: key-(\d)\r.*\r\n\r\n(\d)", request, re.DOTALL) for request in peer.requests
    ]
    assert [one.groups() for one in found] == [(b"%d" % (n % 4), b"%d" % (n % 3), b"%d" % (n % 2)) for n in range(7)]


@pytest.mark.parametrize("size", [0, 10, 33, 200, 5000])
def test_body_has_the_size_that_was_asked_for(programs, size):
    with Peer((LENGTH,)) as peer:
        run(programs, "--connections", 1, "--count", 1, "--body-bytes", size, f"{peer.url}/")
    body = peer.requests[0].partition(b"\r\n\r\n")[2]
    assert len(body) == size
    if size >= 33:
        assert json.loads(body)["us"] > 1_700_000_000_000_000


def test_body_of_a_file_is_sent(programs, tmp_path):
    (tmp_path / "body").write_bytes(b"\0 bytes")
    with Peer((LENGTH,)) as peer:
        run(programs, "--connections", 1, "--count", 1, "--body-file", tmp_path / "body", f"{peer.url}/")
    assert peer.requests[0].endswith(b"\r\nContent-Length: 7\r\n\r\n\0 bytes")


def test_targets_are_taken_in_turn(programs):
    with Peer((LENGTH,)) as one, Peer((LENGTH,)) as other:
        run(programs, "--connections", 4, "--rate", 400, "--count", 40, f"{one.url}/", f"{other.url}/")
    assert len(one.requests) + len(other.requests) == 40
    assert min(len(one.requests), len(other.requests)) >= 10


def test_refusals_are_counted_and_the_first_is_shown(programs):
    refusal = b"HTTP/1.1 429 Too Many\r\nContent-Length: 8\r\n\r\nslowly, "
    with Peer((LENGTH,), (refusal,), (LENGTH,)) as peer:
        result, done = run(programs, "--connections", 1, "--count", 4, f"{peer.url}/")
    assert result["statuses"] == {"2xx": 3, "4xx": 1}
    assert "answered 429: slowly, " in done.stderr
    assert done.returncode == 1


def test_requests_without_an_answer_are_errors(programs):
    with Peer((CLOSING,), (b"HTTP/1.1 200 OK\r\nContent-",), (CLOSING,), closes=True) as peer:
        result, done = run(programs, "--connections", 1, "--count", 3, f"{peer.url}/")
    assert result["requests"] == 2
    assert result["unanswered"] == 1
    assert done.returncode == 1


def test_load_gives_up_where_no_answer_comes(programs):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        result, done = run(programs, "--connections", 2, "--count", 5, "--patience", 0.2, url)
    assert (result["requests"], result["unanswered"], done.returncode) == (0, 2, 1)


def test_load_that_is_not_taken_gives_no_figure(programs):
    refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 8\r\n\r\nno token"
    with Peer((refusal,)) as peer, pytest.raises(BenchmarkError, match="answered 401: no token"):
        send([f"{peer.url}/"], count=1, programs=programs)


def test_nobody_listening_is_said(programs):
    url = f"http://127.0.0.1:{free_port()}/"
    done = subprocess.run([programs.load, url], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://localhost/", "http://127.0.0.1"])
def test_target_that_cannot_be_taken_is_refused(programs, url):
    done = subprocess.run([programs.load, url], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "a target" in done.stderr


def test_rate_is_kept(receiver, programs):
    sent = send([f"{receiver.url}/hook"], rate=500, seconds=0.5, programs=programs)
    assert sent.requests == 250
    assert 0.45 <= sent.seconds < 2


def test_latency_at_a_rate_counts_from_when_the_request_was_due(programs, tmp_path):
    # One connection takes 100 ms for each of ten that are due every 10 ms: the last waits for all before it.
    with Receiver(tmp_path, delay_ms=100, programs=programs) as receiver:
        sent = send([f"{receiver.url}/hook"], rate=100, count=10, connections=1, programs=programs)
        came = receiver.came()
    assert sent.latency_us.max >= 10 * 100_000 - 9 * 10_000
    assert sent.latency_us.p50 >= 5 * 100_000 - 5 * 10_000
    assert came.latency_us.max >= 9 * 100_000 - 9 * 10_000

from __future__ import annotations

import socket
import time

import pytest
from bench.harness import BenchmarkError, Receiver
from tests.bench.peer import byte_by_byte, send_in_pieces

POST = b"POST /hook HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /hook HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'6;name=value\r\n{"us":\r\na\r\n0000000001\r\n1\r\n}\r\n0\r\nTrailer: value\r\n\r\n'
)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def connection(receiver):
    with connect(receiver) as connection:
        yield connection


def connect(receiver) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(receiver.url.rpartition(":")[2])), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read(connection, length) -> bytes:
    got = b""
    while len(got) < length and (piece := connection.recv(length - len(got))):
        got += piece
    return got


def read_to_end(connection) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_requests_on_one_connection_are_answered_and_counted(receiver, connection):
    for _ in range(3):
        connection.sendall(POST)
        assert read(connection, len(OK)) == OK
    came = receiver.came()
    assert came.requests == 3
    assert came.first_us <= came.last_us <= time.time_ns() // 1000
    assert sum(came.requests_per_second) == 3


@pytest.mark.parametrize("request_", [POST, CHUNKED], ids=["length", "chunks"])
def test_request_that_comes_byte_by_byte_is_understood(receiver, connection, request_):
    send_in_pieces(connection, byte_by_byte(request_))
    assert read(connection, len(OK)) == OK
    assert receiver.came().requests == 1


def test_requests_that_come_in_one_piece_are_answered_in_turn(receiver, connection):
    connection.sendall(POST + CHUNKED + POST + POST[:30])
    assert read(connection, 3 * len(OK)) == 3 * OK
    connection.sendall(POST[30:])
    assert read(connection, len(OK)) == OK
    assert receiver.came().requests == 4


def test_large_body_is_taken(receiver, connection):
    body = b"x" * 3_000_000
    connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert read(connection, len(OK)) == OK


@pytest.mark.parametrize(
    "broken",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_not_counted(receiver, connection, broken):
    connection.sendall(broken)
    assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")
    came = receiver.came()
    assert (came.requests, came.broken) == (0, 1)


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: keep-nothing, Close\r\n\r\n"]
)
def test_connection_is_closed_where_the_request_says_so(connection, request_):
    connection.sendall(request_)
    assert b"\r\nConnection: close\r\n" in read_to_end(connection)


def test_time_from_the_mark_in_a_body_is_a_latency(receiver, connection):
    body = b'{"order":1,"us":%d}' % (time.time_ns() // 1000 - 5_000_000)
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    read(connection, len(OK))
    latency = receiver.came().latency_us
    assert latency.count == 1
    assert 5_000_000 <= latency.max < 15_000_000
    ((upper, count),) = receiver.came().latency_buckets
    assert count == 1
    assert latency.max <= upper <= latency.max * 1.008


def test_mark_is_found_in_a_body_of_chunks(receiver, connection):
    connection.sendall(CHUNKED)
    read(connection, len(OK))
    assert receiver.came().latency_us.count == 1


def test_reset_counts_from_zero(receiver, connection):
    connection.sendall(POST)
    read(connection, len(OK))
    receiver.reset()
    came = receiver.came()
    assert (came.requests, came.first_us, came.last_us, came.requests_per_second) == (0, 0, 0, ())


def test_delayed_answers_run_side_by_side(programs, tmp_path):
    with Receiver(tmp_path, delay_ms=1000, status=503, programs=programs) as receiver:
        began = time.monotonic()
        connections = [connect(receiver) for _ in range(5)]
        for connection in connections:
            connection.sendall(POST)
        for connection in connections:
            assert read(connection, 12) == b"HTTP/1.1 503"
            connection.close()
        assert 1 <= time.monotonic() - began < 5
        assert max(receiver.came().most_at_once_per_second) == 5


def test_receiver_outlives_those_who_hang_up_while_their_answer_waits(programs, tmp_path):
    with Receiver(tmp_path, delay_ms=50, programs=programs) as receiver:
        for _ in range(20):
            with connect(receiver) as connection:
                connection.sendall(POST)
        with connect(receiver) as connection:
            connection.sendall(POST)
            assert read(connection, len(OK)) == OK
        assert receiver.came().requests == 21


def test_more_requests_than_expected_give_no_figure(receiver, connection):
    connection.sendall(POST + POST)
    read(connection, 2 * len(OK))
    with pytest.raises(BenchmarkError, match="2 requests came, and 1 were to come"):
        receiver.wait_for(1)

"""`outrider receive`, as a real process, given real requests."""

import base64
import hashlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import jwt
import pytest

from outrider.cli.receiver import Behaviour, judge_signature, shown_body
from outrider.development import DEVELOPMENT_USERS
from outrider.domain.tenant import SigningKeys

KEYS = SigningKeys(current="sig_current0000000000000000000000", next="sig_next000000000000000000000000")


def signature(url, body, key=KEYS.current, **changed):
    now = int(time.time())
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": "Upstash", "sub": url, "iat": now, "exp": now + 300, "nbf": 0, "jti": "jwt_1", "body": digest}
    return jwt.encode(claims | changed, key, algorithm="HS256")


class Receiving:
    def __init__(self, process):
        self.process = process
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def send(self, path, body=b"", method="POST", **headers):
        """The status of the answer, and the line that was printed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        status = connection.getresponse().status
        connection.close()
        return status, self.process.stdout.readline()


@contextmanager
def receiving(*arguments, keys=KEYS):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("QSTASH_", "OUTRIDER_"))}
    if keys is not None:
        environ |= {"QSTASH_CURRENT_SIGNING_KEY": keys.current, "QSTASH_NEXT_SIGNING_KEY": keys.next}
    process = subprocess.Popen(
        [sys.executable, "-m", "outrider.cli.main", "receive", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    try:
        yield Receiving(process)
    finally:
        process.kill()
        process.communicate()


def test_a_signed_delivery_is_printed_and_verified():
    with receiving() as receiver:
        body = b'{"hello": "world"}\n\x1b[2J'
        url = f"{receiver.url}/hook?x=1"
        status, line = receiver.send(
            "/hook?x=1",
            body,
            Upstash_Signature=signature(url, body),
            Upstash_Message_Id="msg_1\x1b[2J",
            Upstash_Retried="2",
        )
        assert status == 200
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d\.\d{3}  POST /hook\?x=1  msg_1\\x1b\[2J  retried 2  signature verified  answered 200\n",
            line,
        )
        assert receiver.process.stdout.readline() == '    {"hello": "world"}\n'
        assert receiver.process.stdout.readline() == "    \\x1b[2J\n"
        _, line = receiver.send("/", b"", "GET", Upstash_Signature=signature(receiver.url, b"", KEYS.next))
        assert "GET /  no message id  retried -  signature verified" in line
        _, line = receiver.send("/", b"", "GET", Upstash_Signature=signature(receiver.url, b"", "another key" * 4))
        assert "NOT VERIFIED: signature matches none of the signing keys" in line
        _, line = receiver.send("/")
        assert "  no signature  " in line


def test_without_keys_it_verifies_with_the_first_development_users():
    with receiving(keys=None) as receiver:
        signed = signature(f"{receiver.url}/a", b"x", DEVELOPMENT_USERS[0].keys.current)
        assert "signature verified" in receiver.send("/a", b"x", Upstash_Signature=signed)[1]


def test_first_attempts_fail_as_told():
    with receiving("--fail-first", "2", "--status", "201") as receiver:
        statuses = [receiver.send("/", Upstash_Retried=str(retried))[0] for retried in range(4)]
        assert statuses == [500, 500, 201, 201]
        assert receiver.send("/")[0] == 500


def test_an_answer_can_be_delayed():
    with receiving("--delay", "0.2s", "--status", "503") as receiver:
        before = time.monotonic()
        assert receiver.send("/")[0] == 503
        assert time.monotonic() - before >= 0.2


def test_a_body_of_unknown_length_is_refused():
    with receiving() as receiver, socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as connection:
        connection.sendall(b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert connection.makefile("rb").readline() == b"HTTP/1.1 411 Length Required\r\n"
        assert "POST /chunked  refused with 411" in receiver.process.stdout.readline()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_without_a_traceback(stop):
    with receiving() as receiver:
        receiver.send("/")
        receiver.process.send_signal(stop)
        _, err = receiver.process.communicate(timeout=10)
        assert receiver.process.returncode == 0
        assert err == ""


def refusal(*arguments, **environ):
    ended = subprocess.run(
        [sys.executable, "-m", "outrider.cli.main", "receive", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environ,
        check=False,
        timeout=20,
    )
    return ended.returncode, ended.stderr


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, err = refusal("--port", str(port))
    assert code == 2
    assert err.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use\nhint: ")


def test_bad_options_are_told():
    assert "'soon' is not a duration; write 2s, 1m or 1h30m" in refusal("--delay", "soon")[1]
    assert refusal("--status", "99")[0] == 2
    code, err = refusal("--port", "0", QSTASH_CURRENT_SIGNING_KEY="sig_x", QSTASH_NEXT_SIGNING_KEY="")
    assert code == 2
    assert err == "error: QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY must both be set, or neither\n"


@pytest.mark.parametrize(
    ("published", "arrived"),
    [
        ("http://h:1", "http://h:1/"),
        ("http://h:1?a=/b", "http://h:1/?a=/b"),
        ("http://h:1/a#part", "http://h:1/a"),
        ("https://h:1/a?b=c", "http://h:1/a?b=c"),
    ],
)
def test_a_signature_counts_for_the_url_as_it_arrives(published, arrived):
    assert judge_signature(signature(published, b""), arrived, b"", KEYS) == "signature verified"


@pytest.mark.parametrize("arrived", ["http://h:1/b", "http://h:2/a", "http://h:1/a?x", "http://h:1/a/"])
def test_a_signature_for_another_url_is_told(arrived):
    told = judge_signature(signature("http://h:1/a", b""), arrived, b"", KEYS)
    assert told == f"NOT VERIFIED: signature is for the URL 'http://h:1/a', but the request came to '{arrived}'"


def test_a_signature_for_another_body_is_told():
    assert "another body" in judge_signature(signature("http://h/", b"a"), "http://h/", b"b", KEYS)


@pytest.mark.parametrize("retried", [None, "", "x", "-1", "²"])
def test_a_request_that_tells_no_attempt_counts_as_a_first(retried):
    assert Behaviour(keys=KEYS, fail_first=1).status_for(retried) == 500
    assert Behaviour(keys=KEYS).status_for(retried) == 200


def test_a_long_body_is_cut_and_bytes_are_escaped():
    assert shown_body(b"") == []
    assert shown_body(b"\xff\x00a") == ["    \\xff\\x00a"]
    lines = shown_body(b"a" * 5000)
    assert lines == ["    " + "a" * 4000, "    … 5000 bytes in all"]

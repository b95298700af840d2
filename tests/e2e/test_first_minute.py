"""What a newcomer does first: start, receive, publish with curl."""

from __future__ import annotations

import shutil
import signal
import subprocess
import urllib.request

import pytest
from tests.e2e.server_process import Output, outrider


@pytest.fixture
def receiver():
    """`outrider receive`: where it listens, and what it prints."""
    process = outrider("receive", "--port", "0")
    printed = Output(process.stdout)
    origin = printed.wait_for(lambda line: "Receiving on" in line, 20).split()[2]
    yield origin, printed
    process.send_signal(signal.SIGINT)
    process.wait(10)
    process.stderr.close()


def publish(variables, destination, body):
    """The README's curl line; Python's client where there is no curl."""
    url, token = f"{variables['QSTASH_URL']}/v2/publish/{destination}", f"Bearer {variables['QSTASH_TOKEN']}"
    if shutil.which("curl"):
        command = ["curl", "-sS", "--fail", "-X", "POST", url, "-H", f"Authorization: {token}", "-d", body]
        return subprocess.run(command, check=True, capture_output=True, timeout=20).stdout.decode()
    request = urllib.request.Request(url, data=body.encode(), headers={"Authorization": token})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def test_development_server_receiver_and_curl_make_a_verified_delivery(start_server, receiver):
    origin, printed = receiver
    server = start_server("dev")
    assert "messageId" in publish(server.variables, f"{origin}/hello?x=1", "hello, outrider")
    line = printed.wait_for(lambda text: "POST /hello?x=1" in text, 20)
    assert "signature verified" in line
    assert "retried 0" in line
    printed.wait_for(lambda text: text.strip() == "hello, outrider", 20)


def test_receiver_tells_a_delivery_that_is_not_ours(receiver):
    origin, printed = receiver
    with urllib.request.urlopen(urllib.request.Request(f"{origin}/forged", data=b"x"), timeout=20) as answer:
        assert answer.status == 200
    line = printed.wait_for(lambda text: "POST /forged" in text, 20)
    assert "signature verified" not in line


def test_development_server_gives_its_public_keys_again_at_each_start(start_server, connect):
    server = start_server("dev")
    first = dict(server.variables)
    rotated = connect(server.url, first["QSTASH_TOKEN"]).signing_key.rotate()
    assert rotated.current == first["QSTASH_NEXT_SIGNING_KEY"]
    assert server.terminate() == 0
    server.start()
    assert server.variables | {"QSTASH_URL": ""} == first | {"QSTASH_URL": ""}

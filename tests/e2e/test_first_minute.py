"""What a newcomer does first: start, receive, publish with curl."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest
from tests.e2e.server_process import Output, outrider

README = Path(__file__).parents[2] / "README.md"
README_BASE = "http://127.0.0.1:8080"
README_DESTINATION = "http://127.0.0.1:3000"


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


def readme_publish(base, destination):
    """What the README's curl line sends, aimed at these servers; its answer.

    Python's client does it where there is no curl.
    """
    (line,) = re.findall(r"```sh\n(curl .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert README_BASE in line
    assert README_DESTINATION in line
    line = line.replace(README_BASE, base).replace(README_DESTINATION, destination)
    if shutil.which("curl"):
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=True)
        return json.loads(done.stdout)
    words = shlex.split(line.replace("\\\n", " "))
    headers = dict(value.split(": ", 1) for flag, value in pairwise(words) if flag == "-H")
    (body,) = [value for flag, value in pairwise(words) if flag == "-d"]
    (url,) = [word for word in words if word.startswith(base)]
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=20) as answer:
        return json.load(answer)


def test_readme_makes_a_verified_delivery(start_server, receiver):
    origin, printed = receiver
    server = start_server("dev")
    answer = readme_publish(server.url, origin)
    line = printed.wait_for(lambda text: "POST /hello" in text, 20)
    assert answer["messageId"] in line
    assert "signature verified" in line
    assert "retried 0" in line
    printed.wait_for(lambda text: text.strip() == '{"hello": "world"}', 20)


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

"""`make audit` says when it cannot audit: advisories are not to be had on every network."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.free_port import free_port

SCRIPT = Path(__file__).parents[1] / ".ci" / "advisories.py"


@pytest.fixture
def index():
    """Serves one answer: `index(status, body)` is its URL."""
    servers = []

    def serve(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/json"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def look(url):
    return subprocess.run([sys.executable, SCRIPT, url], capture_output=True, text=True, check=False)


def test_advisories_that_are_there_are_enough(index):
    found = look(index(200, json.dumps({"vulnerabilities": [{"id": "PYSEC-1"}]}).encode()))
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (404, b"", "it answers 404"),
        (200, b"<html>", "not JSON"),
        (200, b"[]", "no vulnerability"),
        (200, b'{"vulnerabilities": []}', "no vulnerability"),
    ],
)
def test_an_index_without_advisories_is_named(index, status, body, why):
    url = index(status, body)
    found = look(url)
    assert found.returncode == 1
    assert f"nothing was audited: there are no advisories at {url}" in found.stderr
    assert why in found.stderr
    assert "run `make audit` on a network that reaches pypi.org" in found.stderr


def test_an_index_out_of_reach_is_named():
    found = look(f"http://127.0.0.1:{free_port()}/json")
    assert found.returncode == 1
    assert "it cannot be reached: [Errno 111] Connection refused" in found.stderr

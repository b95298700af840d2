"""The destination of a demonstration: it answers each message as the message itself says."""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct

ANSWER_HEADER = "Demo-Answer"

_IDLE_S = 30
_WRITTEN = re.compile(r"([1-9][0-9]{2}) after ([0-9]{1,5}) ms, failing ([0-9]{1,2})")


class AnswerPlan(Struct, frozen=True, kw_only=True):
    """How a message is answered: with a status, after so many failed attempts, each after a while."""

    status: int = 200
    fail_first: int = 0
    delay_ms: int = 5

    def written(self) -> str:
        """As a header's value."""
        return f"{self.status} after {self.delay_ms} ms, failing {self.fail_first}"

    @classmethod
    def read(cls, written: str) -> AnswerPlan:
        """What was written; a message without it is answered 200."""
        match = _WRITTEN.fullmatch(written)
        if match is None:
            return cls()
        return cls(status=int(match[1]), delay_ms=int(match[2]), fail_first=int(match[3]))

    def status_of(self, retried: str) -> int:
        """For an attempt, by its `Upstash-Retried`."""
        return 503 if (int(retried) if retried.isdecimal() else 0) < self.fail_first else self.status


@contextmanager
def receiving() -> Iterator[str]:
    """A receiver on a free port of loopback, as its URL."""
    with _Receiver(("127.0.0.1", 0), _Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, name="demo receiver", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{receiver.server_address[1]}"
        finally:
            receiver.shutdown()
            thread.join()


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for the host's full name, which may take seconds.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: who did not wait for a slow answer is part of the show."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        plan = AnswerPlan.read(self.headers.get(ANSWER_HEADER, ""))
        time.sleep(plan.delay_ms / 1000)
        status = 503 if self.path.endswith("/broken") else plan.status_of(self.headers.get("Upstash-Retried", "0"))
        body = _BODIES.get(status, b"{}")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Nothing: the server's log and figures tell what was delivered."""


_BODIES = {
    200: b'{"ok": true}',
    404: b'{"error": "no such contact"}',
    500: b'{"error": "internal error"}',
    503: b'{"error": "try again later"}',
}

"""The server behind `outrider receive`."""

from __future__ import annotations

import socketserver
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TextIO

from msgspec import Struct

from outrider.domain.tenant import SigningKeys
from outrider.printable import printable
from outrider.signing import InvalidSignature, verify

SHOWN_BYTES = 4000
"""How much of a body is printed."""

MOST_BYTES = 100_000_000
"""A longer body is refused unread."""

IDLE_S = 60


class Behaviour(Struct, frozen=True, kw_only=True):
    """How the receiver answers.

    Attributes:
        status: of an answer.
        fail_first: this many attempts of a message are answered 500 first.
        delay_ms: how long an answer takes.
    """

    keys: SigningKeys
    status: int = 200
    fail_first: int = 0
    delay_ms: int = 0

    def status_for(self, retried: str | None) -> int:
        """The status for an attempt; a request without `Upstash-Retried` counts as a first attempt."""
        attempt = int(retried) if retried is not None and retried.isascii() and retried.isdigit() else 0
        return 500 if attempt < self.fail_first else self.status


class Receiver(ThreadingHTTPServer):
    """Prints what it receives and answers as told."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], behaviour: Behaviour, output: TextIO) -> None:
        self.behaviour = behaviour
        self._output = output
        self._writing = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for the host's full name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self.server_name}:{self.server_port}"

    def show(self, text: str) -> None:
        """Print whole lines, those of one request together."""
        with self._writing:
            self._output.write(text + "\n")
            self._output.flush()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S

    def do_POST(self) -> None:
        body = self._read_body()
        if body is None:
            return
        behaviour = self.server.behaviour
        status = behaviour.status_for(self.headers.get("Upstash-Retried"))
        signature = judge_signature(self.headers.get("Upstash-Signature"), self._url(), body, behaviour.keys)
        self.server.show(self._describe(signature, status, body))
        if behaviour.delay_ms:
            time.sleep(behaviour.delay_ms / 1000)
        self._answer(status)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the names are prescribed

    def _read_body(self) -> bytes | None:
        """The body; None if it was refused."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._refuse(411)
        elif int(length) > MOST_BYTES:
            self._refuse(413)
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: int) -> None:
        self.close_connection = True
        self.server.show(f"{_now()}  {self.command} {printable(self.path)}  refused with {status}")
        self._answer(status)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _url(self) -> str:
        return f"http://{self.headers.get('Host', '')}{self.path}"

    def _describe(self, signature: str, status: int, body: bytes) -> str:
        facts = (
            _now(),
            f"{self.command} {self.path}",
            self.headers.get("Upstash-Message-Id", "no message id"),
            f"retried {self.headers.get('Upstash-Retried', '-')}",
            signature,
            f"answered {status}",
        )
        return "\n".join(("  ".join(printable(fact) for fact in facts), *shown_body(body)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Nothing: what was received has its own lines."""


def shown_body(body: bytes) -> list[str]:
    """The body as indented lines, safe for a terminal, cut when long."""
    if not body:
        return []
    text = body[:SHOWN_BYTES].decode(errors="backslashreplace")
    lines = [f"    {line}" for line in printable(text, keep="\n\t").split("\n")]
    if len(body) > SHOWN_BYTES:
        lines.append(f"    … {len(body)} bytes in all")
    return lines


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]


def judge_signature(signature: str | None, url: str, body: bytes, keys: SigningKeys) -> str:
    """Whether a signature is right, in words.

    The scheme of the URL is left aside: behind a tunnel that ends TLS only its owner knows it.
    """
    if signature is None:
        return "no signature"
    try:
        claims = verify(signature, keys=(keys.current, keys.next), body=body, url=None, now_s=int(time.time()))
    except InvalidSignature as failure:
        return f"NOT VERIFIED: {failure}"
    if _without_scheme(claims.subject) != _without_scheme(url):
        return f"NOT VERIFIED: signature is for the URL {claims.subject!r}, but the request came to {url!r}"
    return "signature verified"


def _without_scheme(url: str) -> str:
    """A URL as it arrives in a request: no scheme, no fragment, a bare origin with its `/`."""
    rest = url.partition("://")[2].partition("#")[0]
    end = next((place for place, character in enumerate(rest) if character in "/?"), len(rest))
    authority, target = rest[:end], rest[end:]
    return authority + (target if target.startswith("/") else f"/{target}")

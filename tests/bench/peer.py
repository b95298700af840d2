"""A server whose answers are given byte by byte."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

Pieces = Iterable[bytes]


def byte_by_byte(whole: bytes) -> list[bytes]:
    return [whole[index : index + 1] for index in range(len(whole))]


def send_in_pieces(connection: socket.socket, pieces: Pieces) -> None:
    """Send each piece when the other side has read the one before, so that it surely reads them apart."""
    for piece in pieces:
        connection.sendall(piece)
        while _unread(connection) > 0:
            pass


def _unread(connection: socket.socket) -> int:
    """How many bytes the other side has not taken from its socket yet."""
    ours, theirs = (f":{name[1]:04X}" for name in (connection.getsockname(), connection.getpeername()))
    for line in Path("/proc/net/tcp").read_text().splitlines():
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(theirs) and remote.endswith(ours):
            return int(queues.partition(":")[2], 16)
    return 0


class Peer:
    """Answers each request with the next of `answers`, each in pieces; the last one again and again.

    `requests` are what came, whole. With `closes` the connection is closed after each answer.
    """

    def __init__(self, *answers: Pieces, closes: bool = False) -> None:
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._closes = closes
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as file:
            while (request := _read_request(file)) is not None:
                with self._lock:
                    self.requests.append(request)
                    pieces = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
                send_in_pieces(connection, pieces)
                if self._closes:
                    return


def _read_request(file) -> bytes | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return None
        head += line
    return head + file.read(int(re.search(rb"Content-Length: (\d+)", head)[1]))

"""A machine to which every address leads, a server in it, and somebody who wants in by every way there is.

    unshare --net --mount python -m tests.e2e.guarded_world FOLDER ALLOWED_NETWORKS

In a network namespace all addresses, public and denied, are routed to this machine itself, where one listener
counts who connects to which; and a DNS server of our own is the system's. The server is the real one, with the
system's resolver. What came of it is printed as JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, unquote

from tests.e2e.calls import call
from tests.e2e.denied_addresses import ADDRESSES, SPELLINGS, UNCALLABLE
from tests.e2e.server_process import ServerProcess
from tests.e2e.settable_clock import SettableClock

PUBLIC = "93.184.215.14"
"""Where nobody is denied; it redirects, fails or answers 200, as its path says."""

EVERYTHING = "0.0.0.0/0,::/0"

PATIENCE_S = 100.0
"""How long messages may take to end; a retry comes after the DNS is asked anew."""

A, AAAA = 1, 28


class Listener:
    """Counts connections by the address that was called and the path that was asked for."""

    def __init__(self, *addresses: str, port: int = 80) -> None:
        self.reached: Counter[tuple[str, str]] = Counter()
        self._sockets = [self._listen(address, port) for address in addresses]
        self.port = self._sockets[0].getsockname()[1]

    def _listen(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.create_server((address, port), family=family, backlog=1024, dualstack_ipv6=address == "::")
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return listening

    def _accept(self, listening: socket.socket) -> None:
        while True:
            connected, _ = listening.accept()
            threading.Thread(target=self._answer, args=(connected,), daemon=True).start()

    def _answer(self, connected: socket.socket) -> None:
        address = ip_address(connected.getsockname()[0])
        called = str(getattr(address, "ipv4_mapped", None) or address)
        with connected, contextlib.suppress(OSError):
            connected.settimeout(60)
            request = connected.recv(65536)
            path = request.split(b" ")[1].decode() if request.count(b" ") > 1 else ""
            self.reached[called, path] += 1
            status, headers = "200 OK", ""
            if path.startswith("/fail"):
                status = "500 Failed"
            elif path.startswith("/redirect/"):
                status, headers = "302 Found", f"Location: {unquote(path.removeprefix('/redirect/'))}\r\n"
            connected.sendall(f"HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())


class Names:
    """A DNS server. `aN.test` is the Nth address; `rN.test` is a public one when it is first asked for, then the Nth;
    `mN.test` is both at once.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._asked: Counter[str] = Counter()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(query), sender)

    def _answer(self, query: bytes) -> bytes:
        labels, place = [], 12
        while query[place]:
            labels.append(query[place + 1 : place + 1 + query[place]].decode().lower())
            place += 1 + query[place]
        (kind,) = struct.unpack("!H", query[place + 1 : place + 3])
        found = [packed for packed in self._find(labels, kind) if len(packed) == (4 if kind == A else 16)]
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed for packed in found)
        return query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0) + query[12 : place + 5] + records

    def _find(self, labels: Sequence[str], kind: int) -> list[bytes]:
        if len(labels) != 2 or labels[1] != "test" or kind not in {A, AAAA}:
            return []
        way, number = labels[0][0], labels[0][1:]
        denied, public = ip_address(ADDRESSES[int(number)]).packed, ip_address(PUBLIC).packed
        self._asked[labels[0]] += kind == A
        if way == "m":
            return [denied, public]
        return [public] if way == "r" and self._asked[labels[0]] == 1 else [denied]


class Intruder:
    """Sends to a URL by every way; counts what was accepted and what was refused."""

    def __init__(self, server: ServerProcess, public: str) -> None:
        self._server = server
        self._public = public
        self.answers: Counter[str] = Counter()
        self.accepted: list[str] = []

    def try_all(self, number: int, host: str, kind: str) -> None:
        for way in (self.publish, self.batch, self.enqueue, self.callback, self.failure_callback, self.group):
            way(number, f"http://{host}/{kind}-{way.__name__}")
        self.schedule(number, f"http://{host}/{kind}-schedule")
        self.redirect(number, f"http://{host}/{kind}-redirect")

    def publish(self, number: int, url: str, **headers: str) -> None:
        self._post(f"/v2/publish/{_in_path(url)}", url, **headers)

    def batch(self, number: int, url: str) -> None:
        message = {"destination": url, "headers": {"Upstash-Retries": "0"}}
        self._post("/v2/batch", url, json.dumps([message], ensure_ascii=False).encode())

    def enqueue(self, number: int, url: str) -> None:
        self._post(f"/v2/enqueue/queue-{number}/{_in_path(url)}", url)

    def callback(self, number: int, url: str) -> None:
        self._post(f"/v2/publish/{self._public}/ok", url, Upstash_Callback=_in_path(url))

    def failure_callback(self, number: int, url: str) -> None:
        self._post(f"/v2/publish/{self._public}/fail", url, Upstash_Failure_Callback=_in_path(url))

    def group(self, number: int, url: str) -> None:
        name = f"group-{len(self.answers)}-{sum(self.answers.values())}"
        endpoints = json.dumps({"endpoints": [{"url": url}]}, ensure_ascii=False).encode()
        if self._post(f"/v2/topics/{name}/endpoints", url, endpoints):
            self._post(f"/v2/publish/{name}", url)

    def schedule(self, number: int, url: str) -> None:
        self._post(f"/v2/schedules/{_in_path(url)}", url, Upstash_Cron="* * * * *")

    def redirect(self, number: int, url: str) -> None:
        self._post(f"/v2/publish/{self._public}/redirect/{quote(url, safe='')}", url)

    def _post(self, path: str, url: str, body: bytes = b"body", **headers: str) -> bool:
        named = {"Upstash-Retries": "0"} | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            answered = json.loads(call(self._server, "POST", path, body, named.items()) or "null")
        except urllib.error.HTTPError as refusal:
            with refusal:
                refused = True
                self.answers[str(refusal.code)] += 1
        else:
            # A batch is answered for each of its messages.
            refused = isinstance(answered, list) and any("error" in one for one in answered)
            self.answers["refused in a batch" if refused else "accepted"] += 1
        if not refused:
            self.accepted.append(f"{path.split('/')[2]} {url}")
        return not refused


def _in_path(url: str) -> str:
    return quote(url, safe="/:@[]%?&=")


def isolate(folder: Path) -> None:
    """All addresses lead to this machine, and names are looked up at 127.0.0.1."""
    names = folder / "resolv.conf"
    names.write_text("nameserver 127.0.0.1\noptions timeout:20\n")
    for command in (
        "ip link set lo up",
        # The resolver asks for no addresses of a family of which the machine has none but loopback.
        "ip address add 198.18.99.1/32 dev lo",
        "ip address add 2001:db8:99::1/128 dev lo nodad",
        "ip route add local default dev lo",
        "ip -6 route add local ::/0 dev lo",
        f"mount --bind {names} /etc/resolv.conf",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)


def wait_for_end(database: Path) -> list[str]:
    """Return when every message is finished; why those failed that did."""
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.closing(sqlite3.connect(database)) as reading:
        while True:
            (left,) = reading.execute("SELECT count(*) FROM messages WHERE finished_at IS NULL").fetchone()
            if not left:
                return [error for (error,) in reading.execute("SELECT error FROM dead_letters")]
            assert time.monotonic() < deadline, f"{left} messages are left"
            time.sleep(0.1)


def wait_for_schedules(database: Path, count: int) -> None:
    """Return when so many have fired."""
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.closing(sqlite3.connect(database)) as reading:
        while True:
            (fired,) = reading.execute("SELECT count(DISTINCT schedule_id) FROM messages").fetchone()
            if fired >= count:
                return
            assert time.monotonic() < deadline, f"{fired} of {count} schedules have fired"
            time.sleep(0.1)


def in_server(
    folder: Path, allowed: str, attempt: Callable[[ServerProcess], dict[str, object]], prefix: tuple[str, ...] = ()
) -> dict[str, object]:
    """What came of an attempt at a server that ends with it."""
    server = ServerProcess(folder / "data", "serve", allow_networks=allowed, prefix=prefix)
    try:
        return attempt(server.start())
    finally:
        server.stop()


def try_everything(server: ServerProcess, allowed: str, clock: SettableClock) -> dict[str, object]:
    """In a namespace: every address by every way, as text and by DNS."""
    listener = Listener("::")
    intruder = Intruder(server, f"http://{PUBLIC}")
    is_control = allowed == EVERYTHING
    numbers = [n for n, address in enumerate(ADDRESSES) if not (is_control and address in UNCALLABLE)]
    for number in numbers:
        intruder.publish(
            number, f"http://r{number}.test/fail-rebinding", Upstash_Retries="1", Upstash_Retry_Delay="11000"
        )
    for number in numbers:
        intruder.try_all(number, f"a{number}.test", "name")
        intruder.publish(number, f"http://m{number}.test/name-mixed")
    by_name = len(intruder.accepted)
    spellings = [f"[{a}]" if ":" in a else a for n, a in enumerate(ADDRESSES) if n in numbers]
    for number, spelling in enumerate(spellings if is_control else SPELLINGS):
        intruder.try_all(1000 + number, spelling, "literal")
    schedules = sum(accepted.startswith("schedules ") for accepted in intruder.accepted)
    # What is rebound is asked for anew by the steady clock, so the other is set when that is over.
    wait_for_end(server.database)
    clock.skip_to_next_minute()
    wait_for_schedules(server.database, schedules)
    errors = wait_for_end(server.database)
    return {
        "reached": [[*place, count] for place, count in listener.reached.items()],
        "answers": intruder.answers,
        "accepted_literals": intruder.accepted[by_name:],
        "blocked": sum("is refused" in error for error in errors),
        "other_errors": sorted({error for error in errors if "is refused" not in error})[:10],
        "numbers": len(numbers),
    }


def try_literals(server: ServerProcess, spellings: Iterable[str] = SPELLINGS) -> dict[str, object]:
    """Without a namespace: every spelling by every way, with a listener on this machine's own addresses."""
    listener = Listener("127.0.0.1", port=0)
    intruder = Intruder(server, "http://public.example")
    for number, spelling in enumerate(spellings):
        for way in (intruder.publish, intruder.batch, intruder.enqueue, intruder.group):
            way(number, f"http://{spelling}:{listener.port}/{way.__name__}")
        intruder.callback(number, f"http://{spelling}:{listener.port}/callback")
        intruder.failure_callback(number, f"http://{spelling}:{listener.port}/failure-callback")
    wait_for_end(server.database)
    return {
        "reached": [[*place, count] for place, count in listener.reached.items()],
        "answers": intruder.answers,
        "accepted_literals": intruder.accepted,
    }


if __name__ == "__main__":
    folder, allowed = Path(sys.argv[1]), sys.argv[2]
    isolate(folder)
    names = Names()
    clock = SettableClock(folder / "clock")
    said = in_server(folder, allowed, lambda server: try_everything(server, allowed, clock), clock.prefix)
    json.dump(said, sys.stdout)

"""What a benchmark runs: Outrider as a real process, the receiver, the load; and what each of them uses."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import msgspec
from bench.programs import CannotBuildError, Programs, build

START_S = 30.0
STOP_S = 40.0
POLL_S = 0.02

REACH_LOOPBACK = ("--allow-http", "--allow-networks", "127.0.0.0/8")
TICKS = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """What was measured did not do what was asked of it, so there is no figure."""


class Latency(msgspec.Struct, frozen=True):
    """Quantiles in µs."""

    count: int
    p50: int
    p90: int
    p99: int
    p99_9: int = msgspec.field(name="p99.9")
    max: int = 0


class Sent(msgspec.Struct, frozen=True):
    """What `load` did. Instants in µs since 1970."""

    requests: int
    seconds: float
    rate: float
    statuses: dict[str, int]
    errors: int
    unanswered: int
    first_us: int
    last_us: int
    cpu_seconds: float
    latency_us: Latency


class Came(msgspec.Struct, frozen=True):
    """What `receiver` counted since it was reset. The latency is that from the body's {us} to the arrival."""

    requests: int
    broken: int
    first_us: int
    last_us: int
    cpu_seconds: float
    requests_per_second: tuple[int, ...]
    most_at_once_per_second: tuple[int, ...]
    latency_us: Latency
    latency_buckets: tuple[tuple[int, int], ...]


class Usage(msgspec.Struct, frozen=True):
    """What processes used since they began: CPU time of all, resident memory now and at its highest."""

    cpu_s: float
    rss_bytes: int
    peak_bytes: int

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.rss_bytes + other.rss_bytes, self.peak_bytes + other.peak_bytes)


def usage(pid: int) -> Usage:
    """What one process uses, all its threads and the children that it waited for included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    sizes = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ticks = sum(int(fields[index]) for index in range(11, 15))
    return Usage(ticks / TICKS, _bytes(sizes.get("VmRSS")), _bytes(sizes.get("VmHWM")))


def usage_of_family(pid: int) -> Usage:
    """What a process and all its descendants use; pages that they share are counted for each."""
    total = Usage(0.0, 0, 0)
    for member in _family(pid):
        with contextlib.suppress(OSError):  # one that ended in between is in its parent's account
            total += usage(member)
    return total


def memory_of_family(pid: int) -> int:
    """Bytes that a process and all its descendants hold; pages that several share are divided among those."""
    total = 0
    for member in _family(pid):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            total += sum(_bytes(line.partition(":")[2]) for line in lines if line.startswith("Pss:"))
    return total


def machine_cpu_s() -> float:
    """CPU time that everything on this machine used since it was started."""
    user, nice, system, _, _, *interrupts_and_stolen = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts_and_stolen))) / TICKS


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))


def _bytes(kilobytes: str | None) -> int:
    return int(kilobytes.split()[0]) * 1024 if kilobytes else 0


class Process:
    """A program that runs beside the benchmark, its output in files of a folder. Ended by leaving the `with`."""

    def __init__(self, command: Sequence[str], output: Path, environ: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._environ = environ
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def stdout(self) -> str:
        return self._output.with_suffix(".out").read_text()

    @property
    def stderr(self) -> str:
        return self._output.with_suffix(".err").read_text()

    def usage(self) -> Usage:
        return usage(self.pid)

    def __enter__(self) -> Self:
        with self._open(".out") as out, self._open(".err") as err:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._environ
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def wait_until(self, is_so: Callable[[], bool], wanted: str, within_s: float = START_S) -> None:
        """Raises BenchmarkError if it is not so in time, or the program ends before."""
        until = time.monotonic() + within_s
        while not is_so():
            self._pass_time(until, wanted)

    def wait_for_port(self, port: int) -> None:
        """Return when somebody listens on a port of 127.0.0.1."""
        self.wait_until(lambda: _listens(port), f"an answer at port {port}")

    def _wait_until_ready(self) -> None:
        """Return when it can be used."""

    def _wait_for_line(self, of: str, start: str) -> str:
        """The first whole line of `stdout` or `stderr` that begins so."""
        until = time.monotonic() + START_S
        while True:
            for line in getattr(self, of).splitlines(keepends=True):
                if line.startswith(start) and line.endswith("\n"):
                    return str(line.rstrip("\n"))
            self._pass_time(until, f"a line '{start}…'")

    def _pass_time(self, until: float, wanted: str) -> None:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(POLL_S)
            raise BenchmarkError(f"{self._command[0]} exited with {code} before {wanted}:\n{self.stderr}")
        if time.monotonic() > until:
            raise BenchmarkError(f"{self._command[0]} did not give {wanted} in time:\n{self.stderr}")

    def _open(self, suffix: str) -> IO[bytes]:
        return self._output.with_suffix(suffix).open("wb")

    def _end(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Server(Process):
    """`outrider serve` on a free port. It may call loopback; everything else is as by default, logs go to a file.

    Args:
        folder: for its data and its output; made if missing.
        flags: more flags of `serve`, `--database` for one.
        environ: more environment.
        token: of an application; None where this server makes the first tenant and prints it.
    """

    def __init__(
        self, folder: Path, *flags: str, environ: Mapping[str, str] | None = None, token: str | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "QSTASH_"))}
        command = (sys.executable, "-m", "outrider.cli.main", "serve", "--port", "0", "--data", str(folder / "data"))
        super().__init__((*command, *REACH_LOOPBACK, *flags), folder / "server", clean | dict(environ or {}))
        self.url = ""
        self.token = token or ""

    def usage(self) -> Usage:
        """That of its workers too, if it has any; pages that they share are counted for each."""
        return usage_of_family(self.pid)

    def publish_url(self, destination: str) -> str:
        return f"{self.url}/v2/publish/{destination}"

    def get(self, path: str) -> bytes:
        """The answer to a GET with the token."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            return bytes(answer.read())

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_S
        while not self.url:
            notes = (json.loads(line) for line in self.stderr.splitlines(keepends=True) if line.endswith("}\n"))
            self.url = next((note["url"] for note in notes if note.get("event") == "listening"), "")
            if not self.url:
                self._pass_time(until, "the address that it listens on")
        if not self.token:
            self.token = self._wait_for_line("stdout", "QSTASH_TOKEN=").partition("=")[2]
        while not self._is_ready():
            self._pass_time(until, "200 at /readyz")

    def _is_ready(self) -> bool:
        try:
            self.get("/readyz")
        except OSError:
            return False
        return True


class Receiver(Process):
    """The destination: answers everything at once, or after a delay."""

    def __init__(
        self,
        folder: Path,
        *,
        delay_ms: float = 0,
        status: int = 200,
        at_every_address: bool = False,
        programs: Programs | None = None,
    ) -> None:
        command = [str((programs or build()).receiver), "--delay-ms", str(delay_ms), "--status", str(status)]
        super().__init__([*command, *(["--any"] if at_every_address else [])], folder / "receiver")
        self.url = ""

    def reset(self) -> None:
        self._get("/reset")

    def came(self) -> Came:
        return msgspec.json.decode(self._get("/stats"), type=Came)

    def wait_for(self, count: int, within_s: float = 120.0) -> Came:
        """What came, once it is `count`. Raises BenchmarkError if fewer came within the time, or more."""
        until = time.monotonic() + within_s
        while (came := self.came()).requests < count:
            self._pass_time(until, f"{count} requests, of which {came.requests} came")
        if came.requests > count:
            raise BenchmarkError(f"{came.requests} requests came, and {count} were to come")
        return came

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=START_S) as answer:
            return bytes(answer.read())

    def _wait_until_ready(self) -> None:
        port = json.loads(self._wait_for_line("stdout", '{"port"'))["port"]
        self.url = f"http://127.0.0.1:{port}"


def send(
    urls: Sequence[str],
    *,
    connections: int = 64,
    count: int | None = None,
    seconds: float | None = None,
    rate: float | None = None,
    headers: Iterable[str] = (),
    body: str | None = None,
    body_bytes: int = 200,
    programs: Programs | None = None,
) -> Sent:
    """Run `load` to its end. Raises BenchmarkError unless every request was answered with 2xx."""
    command = [str((programs or build()).load), "--connections", str(connections)]
    for flag, value in (("--count", count), ("--duration", seconds), ("--rate", rate)):
        command += [flag, str(value)] if value is not None else []
    for header in headers:
        command += ["--header", header]
    command += ["--body", body] if body is not None else ["--body-bytes", str(body_bytes)]
    done = subprocess.run([*command, *urls], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"the load was not taken; load exited with {done.returncode}:\n{done.stderr}{done.stdout}")
    return msgspec.json.decode(done.stdout, type=Sent)


def publish(servers: Sequence[Server], destination: str, *headers: str, **how: float | None) -> Sent:
    """Publish 200-byte JSON messages to all servers in turn; `how` as for `send`."""
    own = (f"Authorization: Bearer {servers[0].token}", "Content-Type: application/json")
    return send([server.publish_url(destination) for server in servers], headers=(*own, *headers), **how)  # type: ignore[arg-type]


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; one that has no figure to give ends with what was wrong."""
    try:
        main()
    except (BenchmarkError, CannotBuildError) as failure:
        raise SystemExit(str(failure)) from None

"""The real server as a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

START_S = 60.0
STOP_S = 40.0
POLL_S = 0.02


class Output:
    """Lines of a process, read as they come."""

    def __init__(self, stream) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._ended = False
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, wanted: Callable[[str], bool], timeout_s: float) -> str:
        """The first line that is wanted. Fails when the stream ends or the time is over."""

        def found() -> str | None:
            return next((line for line in self.lines if wanted(line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, timeout_s)
            line = found()
        if line is None:
            raise AssertionError(f"the line did not come; there were:\n{self.text}")
        return line

    def join(self) -> None:
        """Return when everything was read."""
        self._reader.join(STOP_S)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def outrider(*arguments: str, environ: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> subprocess.Popen:
    """Start the command line in a process of its own, its environment free of this one's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "QSTASH_"))}
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "outrider.cli.main", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=clean | {"PYTHONUNBUFFERED": "1"} | (environ or {}),
    )


def run_outrider(*arguments: str, environ: dict[str, str] | None = None) -> str:
    """Run a command to its end; what it printed. Fails unless it exits with 0."""
    process = outrider(*arguments, environ=environ)
    stdout, stderr = process.communicate(timeout=START_S)
    assert process.returncode == 0, f"outrider {' '.join(arguments)} exited with {process.returncode}:\n{stderr}"
    return stdout


class ServerProcess:
    """`outrider dev` or `outrider serve` with its own data, on a free port, which changes with each start."""

    def __init__(
        self,
        data: Path,
        mode: str = "dev",
        *flags: str,
        environ: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        allow_networks: str = "127.0.0.0/8",
    ) -> None:
        reach_loopback = ("--allow-http", "--allow-networks", allow_networks) if mode == "serve" else ()
        self.data = data
        self.mode = mode
        self.url = ""
        self.variables: dict[str, str] = {}
        self.started_at = 0.0
        self._arguments = (mode, "--port", "0", "--data", str(data), "--log-format", "json", *reach_loopback, *flags)
        self._environ = environ
        self._prefix = prefix
        self._process: subprocess.Popen | None = None
        self._stdout: Output | None = None
        self._stderr: Output | None = None

    @property
    def database(self) -> Path:
        return self.data / ("dev.db" if self.mode == "dev" else "outrider.db")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self._stdout.text

    @property
    def log(self) -> str:
        return self._stderr.text

    def start(self) -> ServerProcess:
        """Start it and wait until it is ready."""
        self._launch()
        self.url = json.loads(self.wait_for_log("listening"))["url"]
        self._wait_until_ready()
        if self.mode == "dev" or not self.variables:
            self._stdout.wait_for(lambda text: text.startswith("QSTASH_NEXT_SIGNING_KEY="), START_S)
        printed = [text.partition("=") for text in self._stdout.lines if text.startswith("QSTASH_")]
        self.variables |= {name: value for name, _, value in printed} | {"QSTASH_URL": self.url}
        return self

    def start_and_kill(self, when: Callable[[], bool]) -> None:
        """Start it, and SIGKILL it once this holds, ready or not."""
        self._launch()
        deadline = time.monotonic() + START_S
        while not when():
            assert time.monotonic() < deadline, f"it was not to be killed; its log:\n{self.log}"
            self._pass_time(0.001)
        self.kill()

    def kill(self) -> None:
        """SIGKILL: nothing of it runs on."""
        self._process.kill()
        self._end()

    def signal_stop(self) -> None:
        """SIGTERM, without waiting for what comes of it."""
        self._process.send_signal(signal.SIGTERM)

    def terminate(self, timeout_s: float = STOP_S) -> int:
        """SIGTERM; the exit code."""
        self.signal_stop()
        return self._end(timeout_s)

    def wait_for_end(self) -> int:
        """The exit code, once it has ended."""
        return self._end()

    def stop(self) -> None:
        """End it however it stands."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def get(self, path: str) -> int:
        """The status of a GET without a token; 0 if nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code
        except OSError:
            return 0

    def wait_for_status(self, path: str, status: int, timeout_s: float = START_S) -> float:
        """How long it took until a GET answered with the status: at the latest one that was sent after the time-out."""
        began = asked = time.monotonic()
        while self.get(path) != status:
            assert asked - began < timeout_s, f"{path} did not answer {status}; its log:\n{self.log}"
            self._pass_time()
            asked = time.monotonic()
        return time.monotonic() - began

    def wait_for_log(self, event: str, timeout_s: float = START_S, *, about: str = "") -> str:
        """The first line of the log that tells the event, and has this in it."""
        return self._stderr.wait_for(lambda text: f'"event":"{event}"' in text and about in text, timeout_s)

    def _wait_until_ready(self) -> None:
        self.wait_for_status("/readyz", 200)

    def _launch(self) -> None:
        self.started_at = time.monotonic()
        self._process = outrider(*self._arguments, environ=self._environ, prefix=self._prefix)
        self._stdout, self._stderr = Output(self._process.stdout), Output(self._process.stderr)

    def _pass_time(self, seconds: float = POLL_S) -> None:
        """Let a moment pass. Fails if the process ends meanwhile."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"the server exited with {code}; its log:\n{self.log}")

    def _end(self, timeout_s: float = STOP_S) -> int:
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the server did not stop within {timeout_s} s; its log:\n{self.log}") from None
        self._stdout.join()
        self._stderr.join()
        faults = [line for line in self._stderr.lines if '_faulted"' in line or '"lease_lost"' in line]
        assert not faults, "the server met faults of its own:\n" + "\n".join(faults)
        return code

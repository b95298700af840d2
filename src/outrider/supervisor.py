"""Several processes that serve as one: forked, watched, replaced, and told to stop.

The parent has no thread, event loop or connection while it forks, and forks as long as it lives. It and each worker
hold the two ends of a pair of sockets. A worker says there that it is ready, or why it cannot begin; the parent says
when to stop. The end of the pair is the end of the other: a worker whose parent is gone stops by itself.

Signals go to the parent. A worker leaves an interrupt alone, which a terminal sends to all of them, and takes
SIGTERM, which service managers send to all, for the same word to stop that its parent says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct, json

from outrider.domain.errors import Misconfigured, OutriderError, Unavailable

STOP, HURRY = b"s", b"h"
"""What a parent says: stop and finish what runs; do not wait for it."""

READY, FAILED = b"r", b"f"
"""What a worker says: it serves; it cannot, and why."""

YOUNG_S = 10.0
"""A worker that ends before it is so old is not replaced at once: its successor would probably do the same."""

LEAST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0

_MUCH = 65_536
_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Seat:
    """A worker's place beside the others, as it sees it.

    Attributes:
        number: from 0. Who takes the place of a dead worker has its number.
        name: of this worker alone.
        former: the names of those who had this place, as long as nobody who took it was ready.
    """

    def __init__(self, number: int, name: str, former: Sequence[str], parent: socket.socket) -> None:
        self.number = number
        self.name = name
        self.former = tuple(former)
        self._parent = parent

    def ready(self) -> None:
        """Say that this worker serves."""
        self._say(READY)

    def failed(self, failure: OutriderError) -> None:
        """Say why it cannot begin."""
        self._say(FAILED + json.encode(_Reason.of(failure)))

    def on_word(self, stop: Callable[[], object], hurry: Callable[[], object]) -> None:
        """Have these, and nothing else, called on this event loop when the parent says so; `stop` also if it dies."""
        loop = asyncio.get_running_loop()
        self._parent.setblocking(False)

        def hear() -> None:
            words = _heard(self._parent)
            if not words:
                loop.remove_reader(self._parent)
            stop()
            if HURRY in words:
                hurry()

        loop.add_reader(self._parent, hear)
        loop.add_signal_handler(signal.SIGTERM, stop)

    def _say(self, words: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody is there to hear it, which `on_word` tells
            self._parent.sendall(words)


class Watcher(Protocol):
    """Who is told how it goes."""

    def serving(self) -> None:
        """Every worker is ready, for the first time."""
        ...

    def lost(self, number: int, process: int, ending: str, cpu_seconds: float) -> None:
        """A worker has ended although it was not told to, and is replaced."""
        ...

    def failed(self, number: int, sentence: str) -> None:
        """A worker that was to take the place of another could not begin; it is tried again."""
        ...

    def stopping(self) -> None:
        """The workers are told to stop."""
        ...


class Supervisor:
    """The parent.

    Args:
        count: of workers.
        new_name: makes names that nobody has had.
        work: what each does in its process; raises OutriderError if it cannot begin.
    """

    def __init__(self, count: int, new_name: Callable[[], str], work: Callable[[Seat], None], watcher: Watcher) -> None:
        self._new_name = new_name
        self._work = work
        self._watcher = watcher
        self._workers = [_Worker(number) for number in range(count)]
        self._all_began = False
        self._stopping = False
        self._failure: OutriderError | None = None

    def run(self) -> None:
        """Until told to stop and all workers have ended. Raises OutriderError if one cannot begin at the start."""
        with _signals() as signals:
            while not self._stopping or any(worker.process for worker in self._workers):
                if not self._stopping:
                    self._begin_due()
                self._wait(signals)
        if self._failure is not None:
            raise self._failure

    # Details, in call order

    def _begin_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is None and worker.begin_at <= now:
                self._fork(worker)

    def _fork(self, worker: _Worker) -> None:
        name = self._new_name()
        sys.stdout.flush()
        sys.stderr.flush()
        ours, theirs = socket.socketpair()
        # No signal may come to a worker that would still take it for its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            process = os.fork()
            if process == 0:
                ours.close()
                for other in self._workers:
                    other.close()
                _be_worker(self._work, Seat(worker.number, name, worker.former, theirs))
        except OSError as failure:
            ours.close()
            worker.put_off()
            self._watcher.failed(worker.number, f"no process can be made: {failure.strerror}")
        else:
            worker.begun(process, name, ours)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
            theirs.close()

    def _wait(self, signals: socket.socket) -> None:
        """Until something happens, or the next worker is to begin; and see to it."""
        channels = {worker.channel: worker for worker in self._workers if worker.channel is not None}
        # What a worker has said stands before a signal that came after it.
        readable, _, _ = select.select([*channels, signals], [], [], self._until_next())
        for channel in readable:
            if channel is signals:
                for number in signals.recv(_MUCH):
                    if number in (signal.SIGTERM, signal.SIGINT):
                        self._stop()
            else:
                self._hear(channels[channel], channel)
        for worker in self._workers:
            if worker.process is not None:
                self._look_after(worker, worker.process)

    def _until_next(self) -> float | None:
        if self._stopping:
            return None
        waiting = [worker.begin_at for worker in self._workers if worker.process is None]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _hear(self, worker: _Worker, channel: socket.socket) -> None:
        said = _heard(channel)
        if not said:
            worker.close()
        elif said.startswith(FAILED) and not self._stopping:
            failure = json.decode(said[1:], type=_Reason).failure()
            if self._all_began:
                self._watcher.failed(worker.number, failure.sentence)
            else:
                self._failure = failure
                self._stop()
        elif said.startswith(READY):
            worker.is_ready()
            if not self._all_began and all(worker.ready for worker in self._workers):
                self._all_began = True
                self._watcher.serving()

    def _stop(self) -> None:
        """Tell the workers to stop; the second time, to hurry."""
        word = HURRY if self._stopping else STOP
        if not self._stopping and self._failure is None:
            self._watcher.stopping()
        self._stopping = True
        for worker in self._workers:
            if worker.channel is not None:
                with contextlib.suppress(OSError):  # it has just died
                    worker.channel.send(word)

    def _look_after(self, worker: _Worker, process: int) -> None:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if not ended:
            return
        while worker.channel is not None:  # what it said last may have come since the channels were looked at
            self._hear(worker, worker.channel)
        if not self._stopping:
            self._watcher.lost(worker.number, process, _ending(status), usage.ru_utime + usage.ru_stime)
        worker.ended()


class _Worker:
    """A worker, as its parent sees it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: int | None = None
        self.channel: socket.socket | None = None
        self.ready = False
        self.former: list[str] = []
        self.begin_at = 0.0
        self._name = ""
        self._begun_at = 0.0
        self._pause_s = 0.0

    def begun(self, process: int, name: str, channel: socket.socket) -> None:
        self.process, self.channel, self.ready = process, channel, False
        self._name = name
        self._begun_at = time.monotonic()

    def is_ready(self) -> None:
        """It has taken over from those that had its place."""
        self.ready = True
        self.former.clear()

    def ended(self) -> None:
        """It is replaced at once, or after a pause that grows as long as each dies young."""
        self.former.append(self._name)
        if time.monotonic() - self._begun_at >= YOUNG_S:
            self._pause_s = 0.0
        self.put_off()
        self.process, self.ready = None, False
        self.close()

    def put_off(self) -> None:
        self.begin_at = time.monotonic() + self._pause_s
        self._pause_s = min(LONGEST_PAUSE_S, max(LEAST_PAUSE_S, 2 * self._pause_s))

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class _Reason(Struct, frozen=True):
    """Why a worker cannot begin, between processes."""

    misconfigured: bool
    sentence: str
    code: str
    hint: str | None

    @classmethod
    def of(cls, failure: OutriderError) -> _Reason:
        return cls(isinstance(failure, Misconfigured), failure.sentence, failure.code, failure.hint)

    def failure(self) -> OutriderError:
        kind = Misconfigured if self.misconfigured else Unavailable
        return kind(self.sentence, code=self.code, hint=self.hint)


def _be_worker(work: Callable[[Seat], None], seat: Seat) -> None:
    """Work, and end the process, whatever happens: nothing of the parent's may run here."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        work(seat)
        code = 0
    except OutriderError as failure:
        seat.failed(failure)
    except BaseException:  # noqa: BLE001 - it ends here
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that tells the numbers of the signals that come, which do nothing else meanwhile."""
    told, tell = socket.socketpair()
    tell.setblocking(False)
    before_wakeup = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, _leave_it) for number in _WATCHED}
    try:
        yield told
    finally:
        signal.set_wakeup_fd(before_wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()
        tell.close()


def _leave_it(_number: int, _frame: object) -> None:
    """The number comes by the socket."""


def _heard(channel: socket.socket) -> bytes:
    """What was said; nothing if the other has ended."""
    try:
        return channel.recv(_MUCH)
    except ConnectionResetError:
        return b""


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

"""Events and notes as lines of a log: text for people, JSON for programs."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from select import PIPE_BUF
from typing import BinaryIO, Literal

import msgspec

from outrider.domain.event import Event
from outrider.domain.instant import SECOND_MS, Instant
from outrider.observe.secrets import hide_secrets, plain
from outrider.observe.severity import SEVERITY_OF_EVENT, Severity, severity_of_note
from outrider.printable import printable

LogFormat = Literal["auto", "text", "json"]

_ORDER: dict[Severity, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_Line = dict[str, object]
"""Time, level and name first, then the facts."""


class LogObserver:
    """Writes one line for each event and note that is severe enough.

    Args:
        level: the least severe that is written.
        format_: `auto` is text on a terminal, else JSON.
        stream: where; standard error if None.
    """

    def __init__(self, level: Severity = "info", format_: LogFormat = "auto", stream: BinaryIO | None = None) -> None:
        self._stream = stream or _standard_error()
        self._level = level
        self._flushing = False
        self._render = _renderer(format_, on_terminal=self._stream.isatty())
        self._written = {
            kind: (severity, kind.value.lower())
            for kind, severity in SEVERITY_OF_EVENT.items()
            if _ORDER[severity] >= _ORDER[level]
        }

    def events(self, events: Sequence[Event]) -> None:
        wrote = False
        for event in events:
            if (told := self._written.get(event.kind)) is not None:
                self._stream.write(self._render(_line_of(event, *told)))
                wrote = True
        if wrote and not self._flushing:
            self._flush_soon()

    def note(self, name: str, **facts: object) -> None:
        severity = severity_of_note(name)
        if _ORDER[severity] >= _ORDER[self._level]:
            self.write(severity, name, {key: plain(key, value) for key, value in facts.items()})

    def write(self, severity: Severity, name: str, facts: Mapping[str, object]) -> None:
        """Write one line at once; the facts must be plain."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = {"timestamp": moment, "level": severity, "event": name}
        # Once more at the end: no fact of the same name may stand in their place.
        self._stream.write(self._render({**head, **facts, **head}))
        self._stream.flush()

    def _flush_soon(self) -> None:
        """Once for what happens in one turn of the event loop: a flush is a system call."""
        try:
            asyncio.get_running_loop().call_soon(self._flush)
        except RuntimeError:
            self._stream.flush()
        else:
            self._flushing = True

    def _flush(self) -> None:
        self._flushing = False
        self._stream.flush()

    def adopt_standard_logging(self) -> None:
        """From now on, write what libraries say through `logging`, warnings and worse, as lines of this log."""
        logging.basicConfig(level=logging.WARNING, handlers=[_Adopted(self)], force=True)


def _standard_error() -> BinaryIO:
    """Standard error with a buffer of its own: `sys.stderr` makes a system call of every line.

    It passes on whole lines, and no more at once than a pipe takes undivided, so that lines of several
    processes do not mix. What it holds at exit is written.
    """
    stream = open(sys.stderr.fileno(), "wb", buffering=PIPE_BUF, closefd=False)  # noqa: SIM115 - as long as the process
    atexit.register(stream.flush)
    return stream


def _line_of(event: Event, severity: Severity, name: str) -> _Line:
    line: _Line = {
        "timestamp": _iso(event.time),
        "level": severity,
        "event": name,
        "message_id": event.message_id,
        "tenant": event.tenant,
    }
    if event.response is not None:
        line["status"] = event.response.status
    if event.duration_ms is not None:
        line["duration_ms"] = event.duration_ms
    if event.next_delivery_at is not None:
        line["next_delivery_at"] = _iso(event.next_delivery_at)
    if event.error is not None:
        line["error"] = hide_secrets(event.error)
    return line


def _iso(instant: Instant) -> str:
    seconds, milliseconds = divmod(instant, SECOND_MS)
    return f"{_iso_seconds(seconds)}.{milliseconds:03}+00:00"


@lru_cache(maxsize=16)
def _iso_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _renderer(format_: LogFormat, *, on_terminal: bool) -> Callable[[_Line], bytes]:
    """What makes bytes of a line, its end included."""
    if format_ == "text" or (format_ == "auto" and on_terminal):
        return _text_renderer(colors=on_terminal)
    return _json


_encoder = msgspec.json.Encoder()


def _json(line: _Line) -> bytes:
    return _encoder.encode(line) + b"\n"


def _text_renderer(*, colors: bool) -> Callable[[_Line], bytes]:
    from structlog import dev  # noqa: PLC0415 - a fifth of what a start imports, for people alone

    console = dev.ConsoleRenderer(
        colors=colors, sort_keys=False, pad_event_to=16, exception_formatter=dev.plain_traceback
    )

    def render(line: _Line) -> bytes:
        # A destination chooses parts of an error's text: it must not write lines or colours of its own.
        safe = {
            name: printable(value, keep="\n" if name == "exception" else "") if isinstance(value, str) else value
            for name, value in line.items()
        }
        return f"{console(None, '', safe)}\n".encode(errors="backslashreplace")

    return render


class _Adopted(logging.Handler):
    """Hands the records of `logging` to a LogObserver."""

    def __init__(self, observer: LogObserver) -> None:
        super().__init__()
        self._observer = observer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            severity: Severity = "error" if record.levelno >= logging.ERROR else "warning"
            facts: dict[str, object] = {"logger": record.name, "text": hide_secrets(record.getMessage())}
            if record.exc_info:
                facts["exception"] = hide_secrets(logging.Formatter().formatException(record.exc_info))
            self._observer.write(severity, "library_log", facts)
        except Exception:  # noqa: BLE001 - as every logging handler does
            self.handleError(record)

"""Events and notes as lines of a log: text for people, JSON for programs."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from outrider.domain.event import Event
from outrider.observe.secrets import hide_secrets, plain
from outrider.observe.severity import SEVERITY_OF_EVENT, Severity, severity_of_note
from outrider.printable import printable

LogFormat = Literal["auto", "text", "json"]

_ORDER: dict[Severity, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LogObserver:
    """Writes one line for each event and note that is severe enough.

    Args:
        level: the least severe that is written.
        format_: `auto` is text on a terminal, else JSON.
        stream: where; standard error if None.
    """

    def __init__(self, level: Severity = "info", format_: LogFormat = "auto", stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._level = level
        self._flushing = False
        self._logger = _logger(self._stream, level, format_)
        self._write_event = {
            kind: getattr(self._logger, severity)
            for kind, severity in SEVERITY_OF_EVENT.items()
            if _ORDER[severity] >= _ORDER[level]
        }

    def events(self, events: Sequence[Event]) -> None:
        write_event = self._write_event
        written = False
        for event in events:
            write = write_event.get(event.kind)
            if write is not None:
                write(event.kind.value.lower(), at=event.time, facts=_facts(event))
                written = True
        if written and not self._flushing:
            self._flush_soon()

    def note(self, name: str, **facts: object) -> None:
        severity = severity_of_note(name)
        if _ORDER[severity] >= _ORDER[self._level]:
            self.write(severity, name, {key: plain(key, value) for key, value in facts.items()})

    def write(self, severity: Severity, name: str, facts: Mapping[str, object]) -> None:
        """Write one line at once; the facts must be plain."""
        getattr(self._logger, severity)(name, at=None, facts=facts)
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


def _facts(event: Event) -> dict[str, object]:
    facts: dict[str, object] = {"message_id": event.message_id, "tenant": event.tenant}
    if event.response is not None:
        facts["status"] = event.response.status
    if event.duration_ms is not None:
        facts["duration_ms"] = event.duration_ms
    if event.next_delivery_at is not None:
        facts["next_delivery_at"] = _iso(event.next_delivery_at)
    if event.error is not None:
        facts["error"] = hide_secrets(event.error)
    return facts


def _logger(stream: TextIO, level: Severity, format_: LogFormat) -> FilteringBoundLogger:
    colors = stream.isatty()
    as_text = format_ == "text" or (format_ == "auto" and colors)
    renderer = _text_renderer(colors=colors) if as_text else _json
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream),
        processors=[_in_reading_order, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    ).bind()
    return logger


class _Lines:
    """What structlog writes a rendered line to. Does not flush."""

    def __init__(self, stream: TextIO) -> None:
        self._write = stream.write

    def msg(self, line: str) -> None:
        self._write(line + "\n")

    debug = info = warning = error = msg


def _in_reading_order(_logger: object, severity: str, line: EventDict) -> EventDict:
    """Time, level and name first, and no fact of the same name in their place."""
    at = line["at"]
    moment = datetime.now(UTC).isoformat(timespec="milliseconds") if at is None else _iso(at)
    head = {"timestamp": moment, "level": severity, "event": line["event"]}
    return {**head, **line["facts"], **head}


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds")


_encoder = msgspec.json.Encoder()


def _json(_logger: object, _severity: str, line: EventDict) -> str:
    return _encoder.encode(line).decode()


def _text_renderer(*, colors: bool) -> Callable[[object, str, EventDict], str]:
    console = structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, pad_event_to=16, exception_formatter=structlog.dev.plain_traceback
    )

    def render(logger: object, severity: str, line: EventDict) -> str:
        # A destination chooses parts of an error's text: it must not write lines or colours of its own.
        safe = {
            name: printable(value, keep="\n" if name == "exception" else "") if isinstance(value, str) else value
            for name, value in line.items()
        }
        return console(logger, severity, safe)

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

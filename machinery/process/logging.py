"""Logs are events with keys, one logfmt line each, on stderr.

    time=2026-05-01T12:00:00.123Z level=info component=scheduler event=pod_bound pod=default/web-1 node=node-2

Values with spaces, quotes or line breaks are quoted as JSON strings, so a line is always one line. What
third-party libraries say through `logging` becomes an event `library_log` from WARNING on.

A line that cannot be written (the disk is full, nobody reads the pipe) is lost, and its writer goes on: a component is worth
more than its words. The next line that can be written is preceded by an event `log_lines_lost` with their number; the
stream's own buffer may have kept a few of them.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final, TextIO

from machinery.process.clock import WALL

LEVELS: Final = ("debug", "info", "warning", "error")
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,%#[](){}<>*!?|~^$&;"
)


class _Gap:
    """How many lines of a stream were lost since one was written."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines = 0


class Log:
    """Writes events to one stream; `bind` returns a log that adds keys to each of them."""

    __slots__ = ("_bound", "_component", "_gap", "_stream", "_threshold")

    def __init__(
        self,
        component: str,
        level: str = "info",
        stream: TextIO | None = None,
        bound: dict[str, object] | None = None,
        gap: _Gap | None = None,
    ) -> None:
        self._component = component
        self._threshold = LEVELS.index(level)
        self._stream = stream
        self._bound = bound or {}
        self._gap = gap or _Gap()

    def bind(self, **fields: object) -> Log:
        """Return a log whose every event carries these keys too."""
        level = LEVELS[self._threshold]
        return Log(self._component, level, self._stream, {**self._bound, **fields}, self._gap)

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what only the author of the component wants to know."""
        self._write(0, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log what happened as it should."""
        self._write(1, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what went wrong and will be tried again."""
        self._write(2, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log what went wrong and stays so; once, where it is handled."""
        self._write(3, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if level < self._threshold:
            return
        text = self._line(level, event, {**self._bound, **fields})
        gap = self._gap
        if gap.lines:
            text = self._line(2, "log_lines_lost", {"at_most": gap.lines}) + text
        stream = self._stream or sys.stderr
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            gap.lines += 1
        else:
            gap.lines = 0

    def _line(self, level: int, event: str, fields: dict[str, object]) -> str:
        stamp = (
            datetime.fromtimestamp(WALL.wall_ns() / 1e9, UTC)
            .isoformat(timespec="milliseconds")
            .removesuffix("+00:00")
        )
        head = {"time": stamp + "Z", "level": LEVELS[level], "component": self._component, "event": event}
        return format_fields({**head, **fields}) + "\n"


def format_fields(fields: dict[str, object]) -> str:
    """Return keys and values as logfmt; values are quoted where they need it."""
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}"
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)


def describe(error: BaseException) -> dict[str, object]:
    """Return the keys of an error that ends something: what it is, and where it came from."""
    trace = "".join(traceback.format_exception(error))
    return {"error": error, "trace": trace}


class LibraryHandler(logging.Handler):
    """Turns the records of third-party libraries into events of our log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        fields: dict[str, object] = {"library": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            fields |= describe(record.exc_info[1])
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        write("library_log", **fields)


def capture_libraries(log: Log) -> None:
    """Send what libraries log through `logging` to our log, and nowhere else."""
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler(log)]
    root.setLevel(logging.WARNING)

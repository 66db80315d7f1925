"""Log events on a stream: one line each, as text for people or as JSON for machines."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from sharpen.events import ROOT, Event
from sharpen.telemetry.log_options import LogFormat, LogLevel


class JsonFormatter(logging.Formatter):
    """One object a line: ``timestamp`` (RFC 3339, UTC), ``level``, ``logger``, ``event`` and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, Event):
            line |= {"event": record.msg.name} | {key: _plain(value) for key, value in record.msg.fields.items()}
        else:
            line |= {"event": "message", "message": record.getMessage()}
        return json.dumps(line, ensure_ascii=True, allow_nan=False, default=str)


class TextFormatter(logging.Formatter):
    """``2026-03-14T09:26:53.123Z WARNING attempt_failed kind=server wait_s=0.5``."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_moment(record)} {record.levelname:<7} {record.getMessage()}"


class _StreamHandler(logging.Handler):
    """Writes whole lines to what ``stream`` is at that moment; a reader who left stops no run that was paid for."""

    def __init__(self, stream: Callable[[], TextIO | None]) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if stream := self._stream():
                stream.write(self.format(record) + "\n")
                stream.flush()
        except (OSError, ValueError):
            self.setLevel(logging.CRITICAL + 1)


@contextmanager
def logging_to_stderr(
    form: LogFormat | None, level: LogLevel | None, stream: Callable[[], TextIO | None] = lambda: sys.stderr
) -> Iterator[bool]:
    """Write sharpen's events to stderr while the context lasts; whether any are written.

    Neither ``form`` nor ``level``: none. One of them alone: text, from ``info`` upwards.
    """
    if form is None and level is None:
        yield False
        return
    root = logging.getLogger(ROOT)
    handler = _StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else TextFormatter())
    before, upwards = (root.level, root.propagate), (level or LogLevel.INFO).upper()
    root.addHandler(handler)
    root.setLevel(upwards)
    root.propagate = False  # handlers of the root logger would print it again
    try:
        yield True
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        root.propagate = before[1]


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    """What JSON can hold, times without false precision."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value

"""How log events may be written: what the command line needs to know of it, and nothing that takes time to load."""

from __future__ import annotations

from enum import StrEnum


class LogFormat(StrEnum):
    """``text``: time, level, event and ``key=value``. ``json``: one JSON object a line."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least level that is shown: ``debug`` tells of every task."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

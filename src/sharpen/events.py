"""Structured log events, in loggers of the standard library below ``sharpen``. Silent unless someone listens.

An event is a name and some fields: ids, kinds, counts and times. Never a prompt, an answer, a message of a server or a
secret, for logs are kept and passed on more freely than results are.
"""

from __future__ import annotations

import json
import logging
from typing import Any

ROOT = "sharpen"
logging.getLogger(ROOT).addHandler(logging.NullHandler())  # else Python itself would print warnings to stderr


class Event:
    """The message of a log record; as text ``name key=value key=value``. Fields that are None are left out."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self.name = name
        self.fields = {key: value for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_text(value)}" for key, value in self.fields.items())])


def emit(logger: logging.Logger, level: int, name: str, /, **fields: Any) -> None:
    """Log an event. Times are in seconds and say so in their name (``wait_s``), names are in the past tense."""
    if logger.isEnabledFor(level):
        logger.log(level, Event(name, fields))


def _text(value: Any) -> str:
    """Numbers short, texts in quotes where they would fall apart."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if text.isascii() and text.isprintable() and not set(text) & set(' "=') and text else json.dumps(text)

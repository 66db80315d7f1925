"""Column types that keep every Python value exactly, on SQLite and PostgreSQL alike."""

# ruff: noqa: ARG002 - SQLAlchemy hands its dialect to every converter

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

_ESCAPED = "\x01json:"


class ExactText(TypeDecorator[str]):
    """Any Python string. A model's output may hold what databases refuse: NUL (PostgreSQL) and lone surrogates (all).

    Such a text is stored as ASCII JSON behind a marker, every other one as it is. Equality in SQL still holds.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return exact_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return plain_text(value)


def exact_text(value: str | None) -> str | None:
    """What ``ExactText`` stores for a text."""
    if value is None or not (value.startswith("\x01") or "\x00" in value or _has_surrogate(value)):
        return value
    return _ESCAPED + json.dumps(value)


def plain_text(stored: str | None) -> str | None:
    """The text for which ``exact_text`` gave ``stored``."""
    if stored is None or not stored.startswith(_ESCAPED):
        return stored
    return str(json.loads(stored[len(_ESCAPED) :]))


def exact_json(value: Any) -> str | None:
    """What ``Json`` stores for a value."""
    return None if value is None else exact_text(to_json(value))


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


class Json(TypeDecorator[Any]):
    """JSON as text: portable, keeps floats exactly, key order, and NaN (which PostgreSQL's own type refuses).

    None is SQL's NULL.
    """

    impl = ExactText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def to_json(value: Any) -> str:
    """Compact JSON. What JSON does not know becomes its ``str``: a date in a case's variables, an odd key."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except TypeError:  # a key that is neither text nor number, as YAML allows
        return json.dumps(_with_text_keys(value), ensure_ascii=False, separators=(",", ":"), default=str)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_text_keys(inner) for inner in value]
    return value


class Moment(TypeDecorator[datetime]):
    """A timezone-aware moment as ISO 8601 in UTC with microseconds: exact, readable, and sorts as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)

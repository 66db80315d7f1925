"""Column types that keep every Python value exactly, on SQLite and PostgreSQL alike."""

# ruff: noqa: ARG002 - SQLAlchemy hands its dialect to every converter

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from sharpen.storage.exact_text import exact_text, plain_text

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


class ExactText(TypeDecorator[str]):
    """Any Python string, see ``exact_text``. Equality in SQL still holds."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return exact_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return plain_text(value)


def exact_json(value: Any) -> str | None:
    """What ``Json`` stores for a value."""
    return None if value is None else exact_text(to_json(value))


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
        return _encode(value)
    except TypeError:  # a key that is neither text nor number, as YAML allows
        return _encode(_with_text_keys(value))


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

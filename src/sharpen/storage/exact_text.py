"""Any Python string as a text that every database takes.

A model's output may hold what they refuse: NUL (PostgreSQL) and lone surrogates (all). Such a text becomes ASCII JSON
behind a marker; every other one stays as it is.
"""

from __future__ import annotations

import json

_ESCAPED = "\x01json:"


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


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False

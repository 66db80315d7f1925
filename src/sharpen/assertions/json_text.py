"""JSON in a model's text: strict parsing, and finding it in between prose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

MAX_STARTS = 1_000
"""Brackets of a text that are tried as the start of a JSON value; bounds the work on hostile text."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)  # RFC 8259 has no NaN and no Infinity, Python's default has
_opening = re.compile(r"[{\[]")


class Found(NamedTuple):
    """A JSON object or array and where it stands in the text."""

    value: Any
    start: int
    end: int


def parse(text: str) -> Any:
    """The whole of ``text`` as one JSON value. Raises ``ValueError`` that says where it goes wrong."""
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("no JSON: nested too deeply") from None


def find_all(text: str) -> Iterator[Found]:
    """JSON objects and arrays in ``text``, left to right; a part of one that was found is not found again."""
    position = 0
    for _ in range(MAX_STARTS):
        match = _opening.search(text, position)
        if match is None:
            return
        start = match.start()
        try:
            value, position = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = start + 1
        else:
            yield Found(value, start, position)


def same(left: Any, right: Any) -> bool:
    """JSON equality: the order of keys is no matter, ``1`` is ``1.0``, but ``true`` is not ``1``."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)

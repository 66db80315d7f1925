"""JSON documents that may be larger than memory: some of their parts come into being while they are written. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

INDENT = 2


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of models that is read once, while it is written. ``plain`` makes JSON values of one that is no JSON."""

    models: Iterable[BaseModel]
    plain: Callable[[BaseModel], Any]


@dataclass(frozen=True, slots=True)
class Later:
    """A value that is asked for when all that stands before it has been written."""

    value: Callable[[], Any]


def dumps(document: Any) -> str:
    """The text of a document, indented, in UTF-8 letters. A NaN that slipped through would raise ``ValueError``."""
    return "".join(chunks(document))


def chunks(document: Any) -> Iterator[str]:
    """The text of a document in parts: indented, in UTF-8 letters, ``Rows`` and ``Later`` anywhere in it.

    In the form that ``json.dumps`` gives to plain values. A NaN raises ``ValueError``.
    """
    mark, holes = secrets.token_hex(16), list[Rows | Later]()

    def note(hole: Any) -> str:
        if not isinstance(hole, Rows | Later):
            raise TypeError(f"{type(hole).__name__} is no JSON value")
        holes.append(hole)
        return mark

    text = json.dumps(document, ensure_ascii=False, indent=INDENT, allow_nan=False, default=note)
    first, *rest = text.split(f'"{mark}"')
    yield first
    margin = _margin(first)
    for hole, part in zip(holes, rest, strict=True):
        yield from _filled(hole, margin)
        yield part
        margin = _margin(part)


def _filled(hole: Rows | Later, margin: str) -> Iterator[str]:
    if isinstance(hole, Later):
        text = json.dumps(hole.value(), ensure_ascii=False, indent=INDENT, allow_nan=False)
        yield text.replace("\n", "\n" + margin)
        return
    inner = "\n" + margin + " " * INDENT
    start = "["
    for model in hole.models:
        yield start + inner + _text(model, hole.plain).replace("\n", inner)
        start = ","
    yield "[]" if start == "[" else f"\n{margin}]"


def _text(model: BaseModel, plain: Callable[[BaseModel], Any]) -> str:
    try:
        return model.model_dump_json(indent=INDENT)
    except ValueError:  # a lone surrogate
        return json.dumps(plain(model), ensure_ascii=False, indent=INDENT, allow_nan=False)


def _margin(text: str) -> str:
    """The blanks at the beginning of the last line."""
    last = text[text.rfind("\n") + 1 :]
    return last[: len(last) - len(last.lstrip(" "))]

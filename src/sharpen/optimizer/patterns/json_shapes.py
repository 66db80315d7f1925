"""What is wrong with an answer that should be JSON: where it breaks, what stands around it, which key is off. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sharpen.assertions import json_text
from sharpen.optimizer.patterns.shape import Shape

SEARCHED = 50_000
"""Characters of an answer in which JSON between other text is looked for."""
_FENCE = re.compile(r"\s*```\w*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
_SCHEMA = re.compile(r"the JSON breaks its schema at (\S+?): (.*)", re.DOTALL)
_MISSING = re.compile(r"'([^']{1,60})' is a required property")
_EXTRA = re.compile(r"Additional properties are not allowed \('([^']{1,60})'")
_INDEX = re.compile(r"\[\d+\]")
_OPENING = re.compile(r"""\{\s*(?:["'}\w]|$)|\[\s*(?:[{["'\d\-\]]|$)""")
"""A bracket that begins JSON or something like it; others stand in prose."""
_LITERALS = ("True", "False", "None", "NaN", "Infinity", "undefined")


def json_shape(output: str, expected: Any, reasons: Sequence[str], cut: bool) -> Shape | None:
    """None when the JSON is valid and neither its schema nor the expected value says what is wrong with it."""
    try:
        value = json_text.parse(output.strip())
    except ValueError:
        return _broken(output, cut)
    return _schema_shape(reasons) or _difference(value, expected)


def _broken(output: str, cut: bool) -> Shape:
    text = output[:SEARCHED].strip()
    fenced = _FENCE.fullmatch(text)
    if fenced and _valid(fenced.group(1)):
        return Shape("json_fenced")
    opening = _OPENING.search(text)
    if opening is None:
        return Shape("cut") if cut else Shape("no_json")
    start = opening.start()
    found = list(islice(json_text.find_all(text), 2))
    if found and found[0].start <= start:  # later ones may be parts of a larger one that is broken
        if len(found) == 2 and not text[found[0].end : found[1].start].strip(" \t\r\n,;"):
            return Shape("json_several")
        return Shape("json_in_prose")
    if cut:
        return Shape("json_cut")
    return _where(text[start:])


def _where(text: str) -> Shape:
    try:
        json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        at, said = error.pos, error.msg
    except RecursionError:
        return Shape("json_broken", "nested too deeply")
    else:  # NaN and Infinity pass Python's own decoder
        return Shape("json_broken", "NaN or Infinity")
    rest = text[at:].lstrip()
    if not rest or said.startswith("Unterminated string"):
        return Shape("json_unclosed")
    before = text[:at].rstrip()[-1:]
    if rest[0] == "'" or rest[0] in "‘’“”":
        return Shape("json_broken", 'other quotation marks than "')
    if (rest[0] in "}]" and before == ",") or said.startswith("Illegal trailing comma"):  # at the comma: Python 3.13
        return Shape("json_broken", "a comma before the closing bracket")
    if rest.startswith(_LITERALS):
        return Shape("json_broken", "Python's True, False or None")
    if rest.startswith(("//", "/*", "#")):
        return Shape("json_broken", "a comment")
    if said.startswith("Invalid control character"):
        return Shape("json_broken", "a line break inside a text")
    if said.startswith("Invalid \\"):
        return Shape("json_broken", "a backslash that escapes nothing")
    if "property name" in said:
        return Shape("json_broken", "a key without quotation marks")
    if "',' delimiter" in said:
        return Shape("json_broken", "a comma missing, or a quotation mark inside a text")
    if "':' delimiter" in said:
        return Shape("json_broken", "a colon missing")
    return Shape("json_broken", "a value that is none")


def _schema_shape(reasons: Sequence[str]) -> Shape | None:
    for reason in reasons:
        found = _SCHEMA.search(reason)
        if not found:
            continue
        path, said = _INDEX.sub("[]", found.group(1)), found.group(2)
        if missing := _MISSING.search(said):
            return Shape("json_missing_key", missing.group(1))
        if extra := _EXTRA.search(said):
            return Shape("json_extra_key", extra.group(1))
        if " is not of type " in said:
            return Shape("json_type", path)
        if " is not one of " in said or " was expected" in said:
            return Shape("json_choice", path)
        return Shape("json_schema", path)
    return None


def _difference(value: Any, expected: Any) -> Shape | None:
    """The first key, in the expected order, in which a valid answer differs."""
    if not isinstance(expected, dict):
        same_form = expected is None or isinstance(value, type(expected))
        return None if same_form else Shape("json_type", "$")
    if not isinstance(value, dict):
        return Shape("json_type", "$")
    for key in expected:
        if key not in value:
            return Shape("json_missing_key", str(key)[:60])
    for key in value:
        if key not in expected:
            return Shape("json_extra_key", str(key)[:60])
    for key, right in expected.items():
        if json_text.same(value[key], right):
            continue
        if _json_type(value[key]) != _json_type(right):
            return Shape("json_type", f"$.{key}"[:60])
        return Shape("json_value", str(key)[:60])
    return None


def _json_type(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _valid(text: str) -> bool:
    try:
        json_text.parse(text.strip())
    except ValueError:
        return False
    return True

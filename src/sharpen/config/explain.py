"""Turns pydantic's errors into ``Problem``s in the user's own words and key paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sharpen.config.assertions import FAMILY_OF
from sharpen.config.documents import Key, KeyPath, dotted
from sharpen.config.introspect import fields_of, part_at
from sharpen.config.redact import is_secret_key, mask, show
from sharpen.config.targets import TARGET_KINDS
from sharpen.errors import Problem, suggest

Where = Callable[[KeyPath], str]
"""Key path → the place to name in a message."""

_TYPES = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
    "list": "a list",
    "tuple": "a list",
    "path": "a path",
    "enum": "a known name",
}
_BOUNDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "a number of at least {}"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "a number of at most {}"),
}
_PATTERNS = {"https?": "a URL that begins with http:// or https://", ":[A-Za-z_]": "'module:name'"}
_TYPE_ERROR = re.compile(r"([a-z]+)_(type|parsing|from_float|attributes_type|not_integer)$")


@dataclass(frozen=True, slots=True)
class _Finding:
    path: KeyPath
    message: str
    expected: str = ""
    of_type: bool = False  # says only that the type is wrong: members of a union each say so


def problems_of(error: ValidationError, root: type, data: Any, where: Where, prefix: KeyPath = ()) -> list[Problem]:
    """One problem for each mistake, in the order of the data.

    ``root`` is the class that was validated and ``data`` what the user wrote for it; ``where`` takes paths inside
    ``data``, and ``prefix`` leads to ``data`` in the key paths of the messages. What several members of a union say
    about one value becomes one problem.
    """
    findings = [_explain(detail, root, data) for detail in error.errors(include_url=False)]
    merged = _without_misspelt_twins(_merge(findings))
    return [
        Problem(mask(found.message), where(found.path), dotted(prefix + found.path), found.expected) for found in merged
    ]


def user_path(location: Sequence[Key], data: Any, *, missing: bool = False) -> KeyPath:
    """The keys of ``location`` that the user wrote, without the tags and type names that pydantic puts between."""
    path: list[Key] = []
    node = data
    for place, segment in enumerate(location, start=1):
        if isinstance(node, Mapping):
            if segment in node:
                node = node[segment]
            elif not (missing and place == len(location)):
                continue
        elif isinstance(node, list | tuple) and isinstance(segment, int) and segment < len(node):
            node = node[segment]
        else:
            continue
        path.append(segment)
    return tuple(path)


def _explain(detail: ErrorDetails, root: type, data: Any) -> _Finding:
    kind, location, value = detail["type"], detail["loc"], detail["input"]
    context = detail.get("ctx", {})
    if kind in ("missing", "missing_argument"):
        return _missing(user_path(location, data, missing=True), root, location)
    path = user_path(location, data)
    key = path[-1] if path else ""
    if location and location[-1] == "[key]" and kind != "value_error":
        return _Finding(path, f"{show(value)} cannot be a key here", f"a text, such as {str(value)!r} in quotes")
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown(path, part_at(root, location[:-1]))
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _no_such_kind(path, value)
    if kind in ("value_error", "assertion_error"):
        return _Finding(path, str(context.get("error", detail["msg"])))
    if kind == "literal_error":
        return _Finding(path, _unknown_word(value, context["expected"]), f"one of {context['expected']}")
    got = f"got {show(value, key)}"
    if kind == "enum":
        return _Finding(path, got, f"one of {context['expected']}")
    if kind in _BOUNDS:
        name, phrase = _BOUNDS[kind]
        return _Finding(path, got, phrase.format(f"{context[name]:g}"))
    if kind == "string_too_short":
        return _Finding(path, got, "a text that is not empty")
    if kind == "too_short":
        return _Finding(path, got, f"at least {context['min_length']} entry")
    if kind == "finite_number":
        return _Finding(path, got, "a finite number")
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        known = (phrase for part, phrase in _PATTERNS.items() if part in pattern)
        return _Finding(path, got, next(known, f"a text like {pattern}"))
    if match := _TYPE_ERROR.fullmatch(kind):
        return _Finding(path, got, _type_phrase(match[1], value), of_type=True)
    return _Finding(path, f"{got}: {detail['msg']}")


def _type_phrase(name: str, value: Any) -> str:
    if name == "string" and isinstance(value, int | float):
        return f"a text (in quotes: '{show(value)}')"
    return _TYPES.get(name, name)


def _missing(path: KeyPath, root: type, location: Sequence[Key]) -> _Finding:
    part = part_at(root, location[:-1])
    field = fields_of(part).get(str(path[-1])) if part else None
    meaning = (field.description or "") if field else ""
    return _Finding(path, "is missing", meaning[:1].lower() + meaning[1:].rstrip(".") if meaning else "")


def _unknown(path: KeyPath, part: type | None) -> _Finding:
    name = str(path[-1]) if path else ""
    known = list(fields_of(part)) if part else []
    message = f"unknown key {name!r}; {suggest(name, known)}"
    if is_secret_key(name) and "api_key_env" in known:
        return _Finding(
            path, f"unknown key {name!r}; a key is never written in a plan", "its variable's name in 'api_key_env'"
        )
    return _Finding(path, message)


def _no_such_kind(path: KeyPath, value: Any) -> _Finding:
    """Neither a target nor an assertion says what it is: which of the two, the key path tells."""
    is_assertion = len(path) > 1 and path[-2] == "assertions"
    tag, what = ("type", "assertion") if is_assertion else ("kind", "target kind")
    names = [*FAMILY_OF] if is_assertion else [*TARGET_KINDS]
    listed = f"one of {', '.join(sorted(names))}{', not-… of these' if is_assertion else ''} or 'module:Class'"
    if not isinstance(value, Mapping):
        return _Finding(path, f"got {show(value)}", f"a mapping with the key '{tag}'")
    if tag not in value:
        return _Finding((*path, tag), "is missing", listed)
    name = value[tag]
    if not isinstance(name, str):
        return _Finding((*path, tag), f"got {show(name)}", listed)
    every = [*names, *(f"not-{known}" for known in names)] if is_assertion else names
    close = suggest(name, every)
    hint = f"; {close}" if close.startswith("did you mean") else ""
    return _Finding((*path, tag), f"unknown {what} {show(name)}{hint}", listed)


def _unknown_word(value: Any, expected: str) -> str:
    close = suggest(value, re.findall(r"'([^']+)'", expected)) if isinstance(value, str) else ""
    return f"got {show(value)}{f'; {close}' if close.startswith('did you mean') else ''}"


def _merge(findings: Sequence[_Finding]) -> list[_Finding]:
    """One finding for each path; where something inside a value is wrong, its own type was right."""
    paths = {found.path for found in findings}
    merged: dict[KeyPath, list[_Finding]] = {}
    for found in findings:
        deeper = any(len(path) > len(found.path) and path[: len(found.path)] == found.path for path in paths)
        if not (found.of_type and deeper):
            merged.setdefault(found.path, []).append(found)
    return [_one(group) for group in merged.values()]


def _one(group: list[_Finding]) -> _Finding:
    telling = [found for found in group if not found.of_type]
    if telling:
        return telling[0]
    phrases = list(dict.fromkeys(found.expected for found in group))
    if "a number" in phrases and "a whole number" in phrases:
        phrases.remove("a whole number")
    *first, last = phrases
    return replace(group[0], expected=f"{', '.join(first)} or {last}" if first else last)


def _without_misspelt_twins(findings: Sequence[_Finding]) -> list[_Finding]:
    """A required key that was misspelt is one mistake, not an unknown key and a missing one."""
    meant = {
        (*found.path[:-1], match[1])
        for found in findings
        if found.message.startswith("unknown key") and (match := re.search(r"did you mean '(.+)'\?$", found.message))
    }
    return [found for found in findings if not (found.message == "is missing" and found.path in meant)]

"""YAML and JSON texts as plain data that knows the line of every value.

YAML follows the 1.2 core schema: only ``true`` and ``false`` are booleans, so ``yes``, ``no`` and ``on`` stay text, and
so do dates and ``12:30``. Anchors, aliases and merge keys (``<<``) work. Duplicate keys are problems, never silently
the last one. Nothing is ever constructed but mappings, lists, texts, numbers, booleans and null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sharpen.config.files import display
from sharpen.errors import PlanError, Problem

Key = str | int
KeyPath = tuple[Key, ...]


def dotted(path: Iterable[Key]) -> str:
    """``('assertions', 0, 'value')`` → ``assertions.0.value``."""
    return ".".join(map(str, path))


_MAX_DEPTH = 100
_CORE = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel brings it: five times faster


@dataclass(slots=True)
class Mark:
    """Where a value stands: ``line`` of its key or list item, ``text_line`` where a text's own first line is."""

    line: int
    text_line: int
    size: int = 1
    children: dict[Key, Mark] = field(default_factory=dict)


@dataclass
class Document:
    """Parsed data, the problems found on the way, and the lines. ``name`` is the file as messages show it."""

    name: str
    text: str
    data: Any
    problems: list[Problem] = field(default_factory=list)
    first_line: int = 1
    parsed_marks: Mark | None = None

    @cached_property
    def marks(self) -> Mark:
        """The lines; for JSON found on demand by reading it as YAML, of which it is all but a subset."""
        if self.parsed_marks is None:
            reader = _Reader(_json_as_yaml(self.text), self.name, self.first_line)
            try:
                return reader.read()[1]
            except PlanError:  # a form that only JSON allows: then the file's first line has to do
                return Mark(self.first_line, self.first_line)
        return self.parsed_marks

    def mark(self, path: Sequence[Key]) -> Mark:
        """The mark of ``path``, or of its nearest ancestor that is written down."""
        mark = self.marks
        for key in path:
            if key not in mark.children:
                break
            mark = mark.children[key]
        return mark

    def where(self, path: Sequence[Key] = ()) -> str:
        """``file:line`` of ``path``."""
        return f"{self.name}:{self.mark(path).line}"


def parse(text: str, path: Path, first_line: int = 1, *, format: str | None = None) -> Document:
    """Parse a YAML or JSON text (by ``format``, else by the file's ending).

    Raises ``PlanError`` with line and column of a syntax error. ``data`` is None for an empty text.
    """
    name = display(path)
    if (format or path.suffix.lower().lstrip(".")) == "json":
        return _parse_json(text, name)
    reader = _Reader(text, name, first_line)
    data, marks = reader.read()
    return Document(name, text, data, reader.problems, first_line, marks)


def parse_value(text: str) -> Any:
    """One YAML value, as ``--set`` takes it. Raises ``PlanError``."""
    reader = _Reader(text, "", 1)
    value, _ = reader.read()
    if reader.problems:
        raise PlanError(reader.problems)
    return value


def _parse_json(text: str, name: str) -> Document:
    if not text.strip():
        return Document(name, text, None)
    document = Document(name, text, None)
    try:
        document.data, repeated = load_json(text)
    except json.JSONDecodeError as error:
        place = f"{name}:{error.lineno}"
        raise PlanError(Problem(f"not valid JSON: {error.msg} (column {error.colno})", place)) from None
    except ValueError as error:
        raise PlanError(Problem(f"not valid JSON: {error}", name)) from None
    if repeated:
        reader = _Reader(_json_as_yaml(text), name, 1)
        try:
            reader.read()
        except PlanError:
            reader.problems.clear()
        document.problems = reader.problems or [_twice(key, name) for key in repeated]
    return document


def _json_as_yaml(text: str) -> str:
    """JSON without the two things that YAML minds: tabs (legal between tokens only) and halves of surrogate pairs."""
    return _SURROGATE.sub("……", text.replace("\t", " "))


def load_json(text: str) -> tuple[Any, list[str]]:
    """Strict JSON, and the keys that stand twice in one object.

    Raises ``json.JSONDecodeError``, and ``ValueError`` for NaN, Infinity, unpaired surrogates, numbers of thousands
    of digits and bottomless nesting: what could not be stored or sent later.
    """
    repeated: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            repeated.extend(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # set.add returns None, which is the point
        return found

    try:
        data = json.loads(text, object_pairs_hook=mapping, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair, which is no character") from None
    return data, repeated


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _twice(key: object, where: str) -> Problem:
    return Problem(f"key {key!r} stands twice", where, expected="every key once")


class _Reader:
    """Turns YAML events into data and marks; recursion is bounded by ``_MAX_DEPTH``."""

    def __init__(self, text: str, name: str, first_line: int) -> None:
        self.text = text
        self.name = name
        self.first_line = first_line
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, Mark]] = {}
        self.largest = 100_000 + len(text)  # aliases multiply: bounds what a small text may grow to

    def read(self) -> tuple[Any, Mark]:
        try:
            return self._document(self._events())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = " ".join(filter(None, (error.context, error.problem)))
            raise self._fatal(f"not valid YAML: {message}", mark) from None
        except yaml.reader.ReaderError as error:
            line = self.first_line + self.text.count("\n", 0, error.position)
            problem = Problem(f"not valid YAML: character {error.character!r} is not allowed", self._at(line))
            raise PlanError(problem) from None

    def _events(self) -> Iterator[Any]:
        for event in yaml.parse(self.text, Loader=_LOADER):
            if not isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentEndEvent):
                yield event

    def _document(self, events: Iterator[Any]) -> tuple[Any, Mark]:
        if next(events, None) is None:
            return None, Mark(self.first_line, self.first_line)
        found = self._value(next(events), events, 0)
        another = next(events, None)
        if another is not None:
            raise self._fatal("a second document begins with '---'; expected one", another.start_mark)
        return found

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> tuple[Any, Mark]:
        if depth > _MAX_DEPTH:
            raise self._fatal(f"nested more than {_MAX_DEPTH} deep", event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._fatal(f"alias '*{event.anchor}' names no anchor above it", event.start_mark)
            data, mark = self.anchors[event.anchor]
            if mark.size > self.largest:
                raise self._fatal("aliases multiply to too many values", event.start_mark)
            return data, mark
        line = self.first_line + event.start_mark.line
        mark = Mark(line, line)
        if isinstance(event, yaml.ScalarEvent):
            mark.text_line += event.style in ("|", ">")
            data = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, "seq")
            data = self._sequence(events, mark, depth)
        else:
            self._check_tag(event, "map")
            data = self._mapping(events, mark, depth)
        if mark.size > self.largest:
            raise self._fatal("aliases multiply to too many values", event.start_mark)
        if event.anchor:
            self.anchors[event.anchor] = (data, mark)
        return data, mark

    def _sequence(self, events: Iterator[Any], mark: Mark, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item, child = self._value(event, events, depth + 1)
            mark.children[len(items)] = child
            mark.size += child.size
            items.append(item)
        return items

    def _mapping(self, events: Iterator[Any], mark: Mark, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        merged: list[tuple[Any, Mark, Any]] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            start = event.start_mark
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key, key_mark = self._value(event, events, depth + 1)
            value, child = self._value(next(events), events, depth + 1)
            mark.size += child.size
            if merge:
                merged.append((value, child, start))
                continue
            if isinstance(key, dict | list):
                raise self._fatal("a mapping or a list cannot be a key; is a '{{ … }}' unquoted?", start)
            if key in found:
                self.problems.append(_twice(key, self._at(key_mark.line)))
            found[key] = value
            mark.children[key] = Mark(key_mark.line, child.text_line, child.size, child.children)
        for value, child, start in merged:  # keys written out win over merged ones
            self._merge(found, mark, value, child, start)
        return found

    def _merge(self, found: dict[Any, Any], mark: Mark, value: Any, child: Mark, start: Any) -> None:
        sources = [(value, child)] if isinstance(value, dict) else []
        if isinstance(value, list):
            sources = [(item, child.children[index]) for index, item in enumerate(value)]
        if not sources or not all(isinstance(source, dict) for source, _ in sources):
            raise self._fatal("'<<' merges a mapping or a list of mappings", start)
        for source, source_mark in sources:
            for key in source:
                if key not in found:
                    found[key] = source[key]
                    mark.children[key] = source_mark.children[key]

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.tag is not None and event.tag != "!":
            if event.tag == f"{_CORE}str":
                return text
            if event.tag not in {f"{_CORE}{name}" for name in ("int", "float", "bool", "null")}:
                self._check_tag(event, "str")
                return text
        elif not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if text[0] not in "-+.0123456789":
            return text
        return self._number(text, event)

    def _number(self, text: str, event: Any) -> Any:
        try:
            if _INT.fullmatch(text):
                return int(text, 0 if text[:2] in ("0x", "0o") else 10)
            if _FLOAT.fullmatch(text) and float(text) not in (float("inf"), float("-inf")):
                return float(text)
        except ValueError:  # Python refuses to read numbers of more than 4300 digits
            pass
        else:
            if not _NOT_FINITE.fullmatch(text) and not _FLOAT.fullmatch(text):
                return text
        where = self._at(self.first_line + event.start_mark.line)
        self.problems.append(Problem(f"{text[:40]!r} is no finite number", where, expected="a number, or quotes"))
        return None

    def _check_tag(self, event: Any, core: str) -> None:
        if event.tag not in (None, "!", f"{_CORE}{core}"):
            where = self._at(self.first_line + event.start_mark.line)
            self.problems.append(Problem(f"tag {event.tag!r} is not supported", where, expected="plain data"))

    def _at(self, line: int) -> str:
        return f"{self.name}:{line}" if self.name else ""

    def _fatal(self, message: str, mark: Any) -> PlanError:
        if mark is None:
            return PlanError(Problem(message, self.name))
        return PlanError(Problem(f"{message} (column {mark.column + 1})", self._at(self.first_line + mark.line)))

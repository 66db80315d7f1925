"""Where the Jinja tags of a template stand. Analysis looks around them, rewriting never touches them.

Jinja's own lexer does not give character offsets and drops what whitespace control removes, so the tags are found by
a scan that follows the same rule: a tag ends at its closing mark outside of strings and brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from sharpen.errors import TemplateError
from sharpen.templating import variables_of

_OPEN = re.compile(r"\{[{%#]")
_CLOSE = {"{{": "}}", "{%": "%}", "{#": "#}"}
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_KEYWORD = re.compile(r"\{%[-+]?\s*(\w*)")
BRACE = "{{ '{' }}"
"""How ``templating.escape`` writes a literal brace: text, not a placeholder."""
_NESTING = frozenset({"for", "if", "with", "filter", "macro", "call", "block", "autoescape", "trans"})


class TagKind(StrEnum):
    """``raw`` is a whole ``{% raw %} … {% endraw %}``."""

    EXPRESSION = "expression"
    STATEMENT = "statement"
    COMMENT = "comment"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Tag:
    """One Jinja tag; ``start`` and ``end`` are character offsets of its literal ``source``."""

    kind: TagKind
    start: int
    end: int
    source: str

    @property
    def keyword(self) -> str:
        """``for``, ``endif``, … of a statement; empty for every other kind."""
        found = _KEYWORD.match(self.source) if self.kind is TagKind.STATEMENT else None
        return found.group(1) if found else ""

    @property
    def variables(self) -> frozenset[str]:
        """Names an expression needs from outside; none when it cannot be parsed."""
        return _variables(self.source) if self.kind is TagKind.EXPRESSION else frozenset()


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch that is moved as a whole or not at all: a lone tag, or a block from ``{% for %}`` to its end."""

    start: int
    end: int
    source: str
    tags: tuple[Tag, ...]

    @property
    def variables(self) -> frozenset[str]:
        """Names it needs from outside; none when it cannot be parsed."""
        return _variables(self.source)

    @property
    def inserts(self) -> bool:
        """It puts the value of a variable into the prompt."""
        return any(tag.kind is TagKind.EXPRESSION for tag in self.tags) and bool(self.variables)


@lru_cache(maxsize=2048)
def scan(source: str) -> tuple[Tag, ...]:
    """All tags in order. A tag that is never closed reaches to the end (Jinja will call it a syntax error)."""
    return tuple(_tags(source))


@lru_cache(maxsize=2048)
def regions(source: str) -> tuple[Region, ...]:
    """The tags of ``source``, those of a nested block taken together."""
    found: list[Region] = []
    open_tags: list[Tag] = []
    depth = 0
    for tag in scan(source):
        word = tag.keyword
        opens = word in _NESTING or (word == "set" and "=" not in tag.source)
        if opens or depth:
            open_tags.append(tag)
            depth += 1 if opens else -1 if word.startswith("end") else 0
            if depth == 0:
                found.append(_region(source, tuple(open_tags), tag.end))
                open_tags = []
        else:
            found.append(_region(source, (tag,), tag.end))
    if open_tags:  # never closed: nothing behind it can be moved
        found.append(_region(source, tuple(open_tags), len(source)))
    return tuple(found)


def _region(source: str, tags: tuple[Tag, ...], end: int) -> Region:
    return Region(tags[0].start, end, source[tags[0].start : end], tags)


def _variables(source: str) -> frozenset[str]:
    try:
        return variables_of(source)
    except TemplateError:
        return frozenset()


def _tags(source: str) -> Iterator[Tag]:
    position = 0
    while opened := _OPEN.search(source, position):
        start, mark = opened.start(), opened.group()
        if raw := _RAW.match(source, start):
            ended = _END_RAW.search(source, raw.end())
            kind, end = TagKind.RAW, ended.end() if ended else len(source)
        elif mark == "{#":
            closed = source.find("#}", start + 2)
            kind, end = TagKind.COMMENT, closed + 2 if closed >= 0 else len(source)
        else:
            kind = TagKind.EXPRESSION if mark == "{{" else TagKind.STATEMENT
            end = _closing(source, start + 2, _CLOSE[mark])
        yield Tag(kind, start, end, source[start:end])
        position = end


def _closing(source: str, position: int, mark: str) -> int:
    """Offset behind ``mark``, which does not count inside strings and open brackets."""
    quote, depth = "", 0
    while position < len(source):
        char = source[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif depth == 0 and source.startswith(mark, position):
            return position + 2
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
        position += 1
    return len(source)

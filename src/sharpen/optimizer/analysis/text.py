"""A message as prose: words, sentences and their offsets, with the Jinja tags blanked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sharpen.optimizer.analysis.template import Region, Tag, TagKind, regions, scan

HOLE = "\ufffc"
"""Stands for every character of an inserted value; no word, no space."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W\d_{_CJK}]+(?:['’\-][^\W\d_{_CJK}]+)*|\d+(?:[.,:]\d+)*")
_MARKER = re.compile(r"(?:[-*•>]+|\d+[.)]|\(?[a-z]\)|#+)[ \t]+")
_LINE_START = re.compile(r"\s*(?:[-*•>#|<`]|\d+[.)]\s)")
_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)[.!?…؟۔][\"'”’)\]*]*(?=\s+[\"'“‘(\[*]*[^\W_a-z])|[。！？][”’）」]*"
)
WRAPPED = 60
"""A line at least this long (characters) whose next line begins in lower case was wrapped by an editor."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, heading or list item: ``text`` is ``source[start:end]`` with tags blanked out."""

    message: int
    start: int
    end: int
    text: str

    @property
    def words(self) -> tuple[str, ...]:
        return words(self.text)

    @property
    def ended(self) -> bool:
        """It closes with a full stop or its like; headings and labels do not."""
        return self.text.rstrip("\"')*”’」").endswith((".", "!", "?", "…", "؟", "۔", "。", "！", "？"))

    @property
    def normal(self) -> str:
        """What two sentences share when they say the same: lower-case words, values as holes."""
        return " ".join(part.lower() for part in re.findall(rf"{HOLE}|{_WORD.pattern}", self.text))


def words(text: str) -> tuple[str, ...]:
    """Words and numbers; where no spaces stand between words (Chinese, Japanese), every sign counts as one."""
    return tuple(_WORD.findall(text))


class MessageText:
    """One message of a prompt, cut up once and looked at by many rules."""

    def __init__(self, source: str, index: int = 0, role: str = "user") -> None:
        self.source = source
        self.index = index
        self.role = role
        self.tags: tuple[Tag, ...] = scan(source)
        self.regions: tuple[Region, ...] = regions(source)

    @cached_property
    def prose(self) -> str:
        """``source`` at equal length: inserted values as ``HOLE``, other tags as spaces, line breaks kept."""
        out = list(self.source)
        for tag in self.tags:
            blank = HOLE if tag.kind in (TagKind.EXPRESSION, TagKind.RAW) else " "
            out[tag.start : tag.end] = [char if char == "\n" else blank for char in tag.source]
        return "".join(out)

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(self._sentences())

    @cached_property
    def inserted(self) -> tuple[Region, ...]:
        """Regions that insert a variable's value."""
        return tuple(region for region in self.regions if region.inserts)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of a character offset."""
        line = self.source.count("\n", 0, offset) + 1
        return line, offset - (self.source.rfind("\n", 0, offset) + 1) + 1

    def _sentences(self) -> Iterator[Sentence]:
        for start, end in self._paragraph_lines():
            indent = len(self.prose[start:end]) - len(self.prose[start:end].lstrip())
            marker = _MARKER.match(self.prose, start + indent, end)  # the point of "1." ends no sentence
            body = marker.end() if marker else start
            cuts = [found.end() for found in _SENTENCE_END.finditer(self.prose, body, end)]
            for left, right in zip([start, *cuts], [*cuts, end], strict=True):
                if sentence := self._trimmed(left, right):
                    yield sentence

    def _paragraph_lines(self) -> Iterator[tuple[int, int]]:
        """Lines, with those joined that an editor wrapped in the middle of a sentence."""
        start, position = 0, 0
        for line in self.prose.splitlines(keepends=True):
            position += len(line)
            following = self.prose[position : position + 200]
            wrapped = len(line.rstrip()) >= WRAPPED and following[:1].islower() and not _LINE_START.match(following)
            if not wrapped:
                yield start, position
                start = position
        if start < position:
            yield start, position

    def _trimmed(self, start: int, end: int) -> Sentence | None:
        text = self.prose[start:end]
        start += len(text) - len(text.lstrip())
        end -= len(text) - len(text.rstrip())
        if marker := _MARKER.match(self.prose, start, end):
            start = marker.end()
        text = self.prose[start:end]
        return Sentence(self.index, start, end, text) if text.strip(f"{HOLE} \t\n#*-`<>\"'=_") else None

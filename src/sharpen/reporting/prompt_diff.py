"""What changed between two prompts: lines, and within a changed line the words. Pure, by ``difflib``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from sharpen.config.prompts import PromptTemplate
from sharpen.reporting.text import for_page

CONTEXT = 3
MAX_WORDS = 2_000  # SequenceMatcher is quadratic: longer lines are shown as replaced whole
MAX_LINES = 4_000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a line; ``changed`` pieces are highlighted."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a unified diff with its numbers in the old and the new text; a ``gap`` stands for unchanged lines."""

    kind: Literal["same", "old", "new", "gap"]
    segments: tuple[Segment, ...]
    old_number: int | None = None
    new_number: int | None = None


@dataclass(frozen=True, slots=True)
class MessageDiff:
    """One message of the conversation in both prompts."""

    title: str
    lines: tuple[DiffLine, ...]

    @property
    def added(self) -> int:
        return sum(line.kind == "new" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "old" for line in self.lines)


def diff_prompts(old: PromptTemplate, new: PromptTemplate) -> list[MessageDiff]:
    """Messages are compared in order, matched by role; one that only one prompt has is all old or all new."""
    matcher = difflib.SequenceMatcher(
        a=[message.role for message in old.messages], b=[message.role for message in new.messages], autojunk=False
    )
    result = []
    for _, a0, a1, b0, b1 in matcher.get_opcodes():
        for left, right in zip_longest(old.messages[a0:a1], new.messages[b0:b1]):
            roles = list(dict.fromkeys(message.role for message in (left, right) if message))
            lines = diff_lines(left.content if left else "", right.content if right else "")
            result.append(MessageDiff(" → ".join(roles), tuple(lines)))
    return result


def diff_lines(old: str, new: str, context: int = CONTEXT) -> list[DiffLine]:
    """A unified diff of two texts. Without the gaps, old and same lines rebuild ``old``, new and same ones ``new``."""
    left, right = for_page(old).split("\n") if old else [], for_page(new).split("\n") if new else []
    if max(len(left), len(right)) > MAX_LINES:
        operations = [("replace", 0, len(left), 0, len(right))] if left != right else [("equal", 0, len(left), 0, 0)]
    else:
        operations = list(difflib.SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes())
    lines: list[DiffLine] = []
    for position, (tag, a0, a1, b0, b1) in enumerate(operations):
        if tag == "equal":
            edges = (position == 0, position == len(operations) - 1)
            lines.extend(_unchanged(left[a0:a1], a0, b0, context, edges))
        else:
            lines.extend(_changed(left[a0:a1], right[b0:b1], a0, b0))
    return lines


def _unchanged(lines: Sequence[str], a0: int, b0: int, context: int, edges: tuple[bool, bool]) -> Iterator[DiffLine]:
    head = 0 if edges[0] and not edges[1] else context
    tail = 0 if edges[1] and not edges[0] else context
    hidden = range(head, len(lines) - tail)
    if edges == (True, True) or len(hidden) < 2:
        hidden = range(0)
    for index, line in enumerate(lines):
        if index not in hidden:
            yield DiffLine("same", (Segment(line),), a0 + index + 1, b0 + index + 1)
        elif index == hidden.start:
            yield DiffLine("gap", (Segment(f"{len(hidden):,} unchanged lines"),))


def _changed(old: Sequence[str], new: Sequence[str], a0: int, b0: int) -> Iterator[DiffLine]:
    pairs = [_words(left, right) for left, right in zip(old, new, strict=False)]
    for index, line in enumerate(old):
        yield DiffLine("old", pairs[index][0] if index < len(pairs) else (Segment(line),), old_number=a0 + index + 1)
    for index, line in enumerate(new):
        yield DiffLine("new", pairs[index][1] if index < len(pairs) else (Segment(line),), new_number=b0 + index + 1)


def _words(old: str, new: str) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Words that differ are marked; lines with too little in common are left unmarked, for the marks would be noise."""
    left, right = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(left), len(right)) <= MAX_WORDS:
        matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
        if matcher.ratio() >= 0.35:
            codes = matcher.get_opcodes()
            return (
                _segments((left[a0:a1], tag != "equal") for tag, a0, a1, _, _ in codes),
                _segments((right[b0:b1], tag != "equal") for tag, _, _, b0, b1 in codes),
            )
    return (Segment(old),), (Segment(new),)


def _segments(parts: Iterator[tuple[list[str], bool]]) -> tuple[Segment, ...]:
    return tuple(Segment("".join(words), changed) for words, changed in parts if words)

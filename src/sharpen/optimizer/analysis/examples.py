"""Worked examples inside a prompt are data: rules about wording pass over them, rules about form read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sharpen.optimizer.analysis.lexicon import word_list
from sharpen.optimizer.analysis.text import HOLE, MessageText

LABEL_LINE = re.compile(r"^[ \t]*(?:[-*][ \t]+)?\**([^\W\d_][\w /-]{0,24}?)\**[ \t]*[:：]\**[ \t]*(.*)$", re.MULTILINE)
"""``Name: value``, with or without Markdown's stars."""

_BLOCK = re.compile(
    r"```.*?(?:```|\Z)|<(examples?|samples?|demonstrations?)\b[^>]*>.*?</\1>|\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|`[^`\n]+`",
    re.DOTALL | re.IGNORECASE,
)
_DESCRIPTION = re.compile(rf"[<\[|{HOLE}]|\b(or|one of|your|the)\b|\.\.\.|…", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer the prompt gives as an example."""

    message: int
    start: int
    end: int
    text: str


def demonstration_turns(messages: Sequence[MessageText]) -> frozenset[int]:
    """Messages that only demonstrate: an assistant's answer, with the question before it, ahead of the real one."""
    answers = [m.index for m in messages if m.role == "assistant" and m.index < len(messages) - 1]
    asked = [index - 1 for index in answers if index and messages[index - 1].role == "user"]
    return frozenset((*answers, *asked))


def quiet_spans(message: MessageText) -> tuple[tuple[int, int], ...]:
    """Stretches of quotation and example, by offset."""
    spans = [found.span() for found in _BLOCK.finditer(message.prose)]
    lines = list(LABEL_LINE.finditer(message.prose))
    repeated = _repeated(line.group(1) for line in lines if line.group(2).strip(HOLE + " "))
    return (*spans, *(line.span() for line in lines if line.group(1).casefold() in repeated))


def cue_name(message: MessageText) -> str:
    """``Answer`` when the message ends in the open line ``Answer:``; else empty."""
    last = message.prose.rstrip().rsplit("\n", 1)[-1]
    found = LABEL_LINE.fullmatch(last)
    return found.group(1) if found and not found.group(2).strip() else ""


def shown_answers(messages: Sequence[MessageText]) -> tuple[ShownAnswer, ...]:
    """Answers of demonstration turns, and values of repeated lines such as ``Label: spam``."""
    turns = demonstration_turns(messages)
    shown = [
        ShownAnswer(m.index, 0, len(m.source), m.prose)
        for m in messages
        if m.index in turns and m.role == "assistant" and HOLE not in m.prose and m.prose.strip()
    ]
    for message in messages:
        if message.index in turns:
            continue
        lines = [line for line in LABEL_LINE.finditer(message.prose) if line.group(2).strip()]
        repeated = _repeated(line.group(1) for line in lines)
        cue = cue_name(message).casefold()
        for line in lines:
            name = line.group(1).casefold()
            is_answer = name == cue or (name in repeated and name in word_list("output_names"))
            if is_answer and not _DESCRIPTION.search(line.group(2)):
                shown.append(ShownAnswer(message.index, line.start(2), line.end(2), line.group(2)))
    return tuple(shown)


def _repeated(names: Iterable[str]) -> frozenset[str]:
    counted = Counter(name.casefold() for name in names)
    return frozenset(name for name, number in counted.items() if number > 1)

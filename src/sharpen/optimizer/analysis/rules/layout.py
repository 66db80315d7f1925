"""SP4xx: where the input begins and ends, and how the prompt ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.examples import LABEL_LINE
from sharpen.optimizer.analysis.rules.base import Finding, Rule
from sharpen.optimizer.analysis.template import Region
from sharpen.optimizer.analysis.text import HOLE, MessageText, words
from sharpen.optimizer.models import Severity, TextEdit

_TRAILING = re.compile(r"[ \t]+(?=\n|\Z)")
_OPENING = re.compile(r"(?:[\"'`“„«<>|\])}#=_*~:：-]|-->|\n\s*[\"'`]{3}\w*\s*)\s*\Z")
_CLOSING = re.compile(r"\s*(?:[\"'`”“»<|\[({#=_*~]|---|[.!?]?\s*\Z)")
CUES = (":", "：", "=", "->", "→", ">", "\n", "|", "`", '"', "“", "(", "[", "{")
"""Endings that invite a model to go on with the answer."""


def missing_delimiter(document: Document) -> Iterator[Finding]:
    """Inserted text that runs into the instructions."""
    for message in document.speaking:
        for region in message.inserted:
            lone = len(region.tags) == 1  # a loop or condition lays out its own text
            if lone and document.is_input(region) and not _delimited(message, region):
                name = min(region.variables)
                yield Finding(
                    message.index,
                    region.start,
                    region.end,
                    f"nothing marks where the text of {name!r} begins and ends",
                    f"Set it apart: a line {name.capitalize()!r} before it, or <{name}> … </{name}> around it.",
                )


def trailing_whitespace(document: Document) -> Iterator[Finding]:
    """Spaces at the ends of lines."""
    for message in document.messages:
        quiet = [(tag.start, tag.end) for tag in message.tags]
        for found in _TRAILING.finditer(message.source):
            start, end = found.span()
            if any(a < end and start < b for a, b in quiet) or (end == len(message.source) and _completes(document)):
                continue
            edit = TextEdit(start=start, end=end)
            text = "spaces at the end of the line"
            yield Finding(message.index, start, end, text, "Remove them.", (edit,))


def trailing_space_completion(document: Document) -> Iterator[Finding]:
    """A raw completion that begins behind a space."""
    last = document.messages[-1]
    found = re.search(r"[ \t]+\Z", last.source)
    if _completes(document) and found and not any(tag.end > found.start() for tag in last.tags):
        edit = TextEdit(start=found.start(), end=found.end())
        text = "the raw prompt ends in a space"
        yield Finding(last.index, found.start(), found.end(), text, "End in the last visible character.", (edit,))


def missing_cue(document: Document) -> Iterator[Finding]:
    """A raw completion that does not end where an answer would begin."""
    last = document.messages[-1]
    if not _completes(document) or last.role == "assistant":
        return
    ending = last.prose.rstrip(" \t")
    if ending and not ending.endswith(CUES):
        end = len(last.source)
        yield Finding(
            last.index,
            max(0, end - 1),
            end,
            "the raw prompt does not end where an answer would begin",
            "End in a line such as 'Answer:', so that the model goes on with the answer instead of the text.",
        )


def _completes(document: Document) -> bool:
    return document.context.api == "completions"


def _delimited(message: MessageText, region: Region) -> bool:
    """Marked off by a label, quotes, a fence or tags, or alone in its paragraph at an end of the message."""
    before, after = message.prose[: region.start], message.prose[region.end :]
    line = before[before.rfind("\n") + 1 :] + HOLE
    label = LABEL_LINE.fullmatch(line)
    if label and not words(label.group(2)):
        return True
    if not words(before) or not words(after):
        own_paragraph = not before.strip() or before.rstrip(" \t").endswith("\n\n")
        if own_paragraph and (not after.strip() or after.lstrip(" \t").startswith("\n\n")):
            return True
    if before.rstrip().endswith((":", "：")):  # "Message:\n{{ message }}" needs an end too, or nothing behind it
        return not words(after) or after.lstrip(" \t").startswith("\n")
    return bool(_OPENING.search(before) and _CLOSING.match(after))


RULES = (
    Rule(
        "SP401",
        "missing-delimiter",
        Severity.WARNING,
        missing_delimiter,
        why="The inserted text runs into the instructions: the model cannot tell them apart, and a text that contains "
        "instructions of its own (prompt injection) is obeyed more easily.",
        mend="Put a label on its own line before it, or tags, quotes or a fence around it.",
    ),
    Rule(
        "SP402",
        "trailing-whitespace",
        Severity.INFO,
        trailing_whitespace,
        why="Spaces at the end of a line are tokens nobody sees.",
        mend="Remove them.",
        lowers="efficiency",
    ),
    Rule(
        "SP403",
        "completion-ends-in-space",
        Severity.WARNING,
        trailing_space_completion,
        why="Tokenizers put the space in front of a word: a raw prompt that ends in a space makes the usual next token "
        "impossible and the answer worse.",
        mend="End the prompt in the last visible character.",
    ),
    Rule(
        "SP404",
        "missing-cue",
        Severity.WARNING,
        missing_cue,
        why="A raw completion goes on with the text. Without a cue the model continues the input instead of answering.",
        mend="End in a line such as 'Answer:'.",
    ),
)

"""SP1xx: the task is there, says what is wanted, and does not contradict itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from sharpen.optimizer.analysis.cuts import sentence_removal
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.lexicon import Conflict, conflicts, matches, patterns
from sharpen.optimizer.analysis.rules.base import ENGLISH, Finding, Rule
from sharpen.optimizer.analysis.text import HOLE, Sentence
from sharpen.optimizer.models import Severity

LONG_TEXT = 120
"""Words of instructions from which on the place of the task matters."""
MIDDLE = (0.25, 0.75)
"""Share of the words before the task between which it counts as buried."""
DUPLICATE_WORDS = 2
"""A repeated sentence is reported from so many words on."""
UNENDED_WORDS = 4
"""Without a full stop from so many words on: shorter ones are headings and labels."""
MANY_NEGATIVES = 2


def missing_task(document: Document) -> Iterator[Finding]:
    """Nothing asks for anything."""
    last = document.speaking[-1] if document.speaking else document.messages[-1]
    if document.cue or document.answers:  # a form to be completed is a task
        return
    said = sum(len(sentence.words) for sentence in document.sentences)
    wordless = said == 0 and any(message.inserted for message in document.messages)
    silent = document.language == "en" and not any(found for found in document.instructions if not found.negative)
    if wordless or silent:
        suggestion = "Say what the model has to do with the input, as a command or a question."
        yield Finding(last.index, 0, len(last.source), "no sentence asks for anything", suggestion)


def vague_task(document: Document) -> Iterator[Finding]:
    """The only task fits every purpose."""
    positive = [found for found in document.instructions if not found.negative]
    if positive and all(found.vague for found in positive) and not document.cue:
        sentence = positive[0].sentence
        what = sentence.text.replace(HOLE, "").strip()
        yield Finding.at(
            sentence,
            f"{what[:60]!r} does not say what result is wanted",
            "Name the decision or the product: what is to be found out, chosen or written.",
        )


def buried_instruction(document: Document) -> Iterator[Finding]:
    """The only task stands in the middle of a long text."""
    total = sum(len(sentence.words) for sentence in document.sentences)
    asking = [found for found in document.instructions if not found.negative]
    if total < LONG_TEXT or len(asking) != 1:
        return
    only = asking[0].sentence
    before = sum(len(s.words) for s in document.sentences if (s.message, s.start) < (only.message, only.start))
    if MIDDLE[0] <= before / total <= MIDDLE[1]:
        yield Finding.at(
            only,
            f"the only instruction stands behind {before} of {total} words",
            "Move it to the beginning, or repeat it right before the answer.",
        )


def contradiction(document: Document) -> Iterator[Finding]:
    """Two demands that no answer meets at once."""
    for conflict in conflicts():
        if pair := conflicting_sentences(document, conflict):
            left, right = pair
            yield Finding.at(
                max(left, right, key=lambda sentence: (sentence.message, sentence.start)),
                f"{conflict.name}: {_quoted(left)} contradicts {_quoted(right)}",
                "Keep the one the assertions ask for and drop the other.",
            )


def duplicate_instruction(document: Document) -> Iterator[Finding]:
    """A sentence that was there already."""
    seen: set[str] = set()
    for sentence in document.sentences:
        source = document.messages[sentence.message].source
        own = source[sentence.start : sentence.end]
        key = " ".join(re.findall(r"\w+|[{}%|().]", own)).casefold() if HOLE in sentence.text else sentence.normal
        if len(sentence.words) < (DUPLICATE_WORDS if sentence.ended else UNENDED_WORDS):
            continue
        if key in seen:
            edits = () if HOLE in sentence.text else (sentence_removal(source, sentence),)
            text = f"{_quoted(sentence)} stands here twice"
            yield Finding(sentence.message, sentence.start, sentence.end, text, "Say it once.", edits)
        seen.add(key)


def negative_only(document: Document) -> Iterator[Finding]:
    """Prohibitions without a word on what to do."""
    forbidding = [found for found in document.instructions if found.negative]
    asking = [found for found in document.instructions if not found.negative and not found.vague]
    if len(forbidding) >= MANY_NEGATIVES and len(asking) <= len(forbidding) // 3:
        yield Finding.at(
            forbidding[0].sentence,
            f"{len(forbidding)} sentences say what not to do, {len(asking)} what to do",
            "Turn the prohibitions into what you want instead.",
        )


def conflicting_sentences(document: Document, conflict: Conflict) -> tuple[Sentence, Sentence] | None:
    """The two sentences that make the contradiction, left and right; None when there is none."""
    left, right = _first(document, conflict, conflict.left), _first(document, conflict, conflict.right)
    return (left, right) if left and right else None


def _first(document: Document, conflict: Conflict, demands: tuple[re.Pattern[str], ...]) -> Sentence | None:
    for sentence, demand in product(document.sentences, demands):
        found = demand.search(sentence.text)
        if not found or conflict.unless.search(sentence.text):
            continue
        before = sentence.text[: found.start()].split()[-4:]
        if not matches(patterns("denials"), " ".join(before)):
            return sentence
    return None


def _quoted(sentence: Sentence) -> str:
    text = " ".join(sentence.text.replace(HOLE, "").split())
    return repr(text if len(text) <= 60 else text[:57] + "…")


RULES = (
    Rule(
        "SP101",
        "missing-task",
        Severity.ERROR,
        missing_task,
        why="No sentence is a command or a question, so the model has to guess what to do with the input. "
        "In other languages than English only a prompt without any words of its own is reported.",
        mend='Begin with the task: "Classify the message as …", "Which team should handle this message?".',
    ),
    Rule(
        "SP102",
        "vague-task",
        Severity.WARNING,
        vague_task,
        why='"Check this", "process the text": every answer would do. A model fills the gap differently each time.',
        mend="Name the result: what is to be decided, found or written.",
        languages=ENGLISH,
    ),
    Rule(
        "SP103",
        "buried-instruction",
        Severity.WARNING,
        buried_instruction,
        why="Models use the beginning and the end of a long prompt best; this one hides its only task in the middle.",
        mend="Move the task to the beginning, or repeat it at the end.",
        languages=ENGLISH,
    ),
    Rule(
        "SP104",
        "contradiction",
        Severity.ERROR,
        contradiction,
        why="Two instructions exclude each other, so every answer breaks one of them.",
        mend="Decide which one holds and remove the other.",
        languages=ENGLISH,
    ),
    Rule(
        "SP105",
        "duplicate-instruction",
        Severity.WARNING,
        duplicate_instruction,
        why="The same sentence twice costs tokens on every call, and the two copies drift apart when one is edited.",
        mend="Keep the copy at the better place.",
        lowers="efficiency",
    ),
    Rule(
        "SP106",
        "negative-only",
        Severity.INFO,
        negative_only,
        why="Prohibitions leave open what is wanted, and naming what is forbidden can even suggest it.",
        mend='Say the positive: "Answer in one sentence" instead of "Do not write long answers".',
        languages=ENGLISH,
    ),
)

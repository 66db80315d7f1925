"""SP3xx: wording that says nothing definite, or nothing at all. All but one of these rules read English only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.examples import quiet_spans
from sharpen.optimizer.analysis.filler import filler_words, find_filler
from sharpen.optimizer.analysis.lexicon import vague_wordings, word_list
from sharpen.optimizer.analysis.rules.base import ENGLISH, Finding, Rule
from sharpen.optimizer.analysis.text import words
from sharpen.optimizer.models import Severity, TextEdit

OVERLONG_WORDS = 40
OVERLONG_SHARE = 0.2
LOUD_RUN = 4
"""So many words in capitals in a row are loud in any language; two are when one of them is an emphatic English word."""

_DIGIT = re.compile(r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten)\b", re.IGNORECASE)
_TOKENS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BANGS = re.compile(r"[!！]{2,}")


def vague_quantifier(document: Document) -> Iterator[Finding]:
    """Amounts and qualities that mean something else to every reader."""
    for instruction in document.instructions:
        sentence = instruction.sentence
        for wording in vague_wordings():
            found = wording.pattern.search(sentence.text)
            if found and not _DIGIT.search(sentence.text.replace(found.group(), "")):
                definite = (
                    f"Say how many, such as {wording.say!r}." if wording.say else "Say how much or which exactly."
                )
                yield Finding(
                    sentence.message,
                    sentence.start + found.start(),
                    sentence.start + found.end(),
                    f"{found.group()!r} is not definite",
                    definite,
                )
                break


def filler_phrase(document: Document) -> Iterator[Finding]:
    """Phrases with nothing in them."""
    for filler in find_filler(document, "filler"):
        yield Finding(
            filler.message, filler.start, filler.end, f"{filler.text!r} says nothing", "Leave it out.", filler.edits
        )


def politeness(document: Document) -> Iterator[Finding]:
    """Courtesies."""
    for filler in find_filler(document, "politeness"):
        text = f"{filler.text!r} costs tokens and changes nothing"
        yield Finding(filler.message, filler.start, filler.end, text, "Leave it out.", filler.edits)


def overlong(document: Document) -> Iterator[Finding]:
    """Much text for what it asks."""
    total = sum(len(sentence.words) for sentence in document.sentences)
    empty = filler_words(document)
    if total >= OVERLONG_WORDS and empty >= OVERLONG_SHARE * total:
        message = document.speaking[-1]
        yield Finding(
            message.index,
            0,
            len(message.source),
            f"{empty} of {total} words are courtesy or filler",
            "Keep the task, the rules and the form of the answer; drop the rest.",
        )


def shouting(document: Document) -> Iterator[Finding]:
    """Capital letters and rows of exclamation marks."""
    labels = {label.casefold() for label in (document.contract.labels if document.contract else ())}
    for message in document.speaking:
        quiet = quiet_spans(message)
        for found in _BANGS.finditer(message.prose):
            if not _inside(quiet, found.start(), found.end()):
                edit = TextEdit(start=found.start(), end=found.end(), replacement=found.group()[0])
                text = f"{found.group()!r} is loud, not clear"
                yield Finding(message.index, found.start(), found.end(), text, "One is enough.", (edit,))
        for start, end in _capital_runs(message.prose):
            loud = message.prose[start:end]
            if loud.casefold() in labels or _inside(quiet, start, end) or _is_heading(message.prose, start, end):
                continue
            if _is_loud(loud, document.language):
                suggestion = "Write it in normal letters; put what matters most first."
                yield Finding(message.index, start, end, f"{loud!r} is loud, not clear", suggestion)


def _capital_runs(prose: str) -> Iterator[tuple[int, int]]:
    """Stretches of two or more words in capitals with nothing but spaces between them."""
    run: list[re.Match[str]] = []
    for token in (*_TOKENS.finditer(prose), None):
        loud = token is not None and len(token.group()) > 1 and token.group().isupper()
        joined = token is not None and run and not prose[run[-1].end() : token.start()].strip(" \t")
        if run and not (loud and joined):
            if len(run) > 1:
                yield run[0].start(), run[-1].end()
            run = []
        if token is not None and loud:
            run.append(token)


def _inside(spans: tuple[tuple[int, int], ...], start: int, end: int) -> bool:
    return any(a <= start and end <= b for a, b in spans)


def _is_loud(text: str, language: str | None) -> bool:
    found = words(text)
    return len(found) >= LOUD_RUN or (language == "en" and any(word in word_list("emphatic") for word in found))


def _is_heading(prose: str, start: int, end: int) -> bool:
    line_start = prose.rfind("\n", 0, start) + 1
    line_end = prose.find("\n", end)
    rest = prose[line_start:start] + prose[end : len(prose) if line_end < 0 else line_end]
    return not words(rest) and not set(rest) & set(".!?")


RULES = (
    Rule(
        "SP301",
        "vague-quantifier",
        Severity.WARNING,
        vague_quantifier,
        why='"A few", "short", "appropriate": every reader and every call fills them in differently.',
        mend='Give a number or a criterion: "three bullet points", "at most 20 words".',
        languages=ENGLISH,
    ),
    Rule(
        "SP302",
        "filler-phrase",
        Severity.INFO,
        filler_phrase,
        why="The phrase adds tokens to every call and nothing to what is asked.",
        mend="Leave it out.",
        languages=ENGLISH,
        lowers="efficiency",
    ),
    Rule(
        "SP303",
        "politeness",
        Severity.INFO,
        politeness,
        why="Courtesies cost tokens on every call and carry no instruction.",
        mend="Leave them out.",
        languages=ENGLISH,
        lowers="efficiency",
    ),
    Rule(
        "SP304",
        "overlong",
        Severity.WARNING,
        overlong,
        why="A fifth or more of a long prompt is filler: it costs money and time, and hides what matters.",
        mend="Keep the task, the rules, the form of the answer and the input.",
        languages=ENGLISH,
        lowers="efficiency",
    ),
    Rule(
        "SP305",
        "shouting",
        Severity.INFO,
        shouting,
        why="Capitals and rows of exclamation marks do not make an instruction clearer, and cost more tokens.",
        mend="Write normally; put the most important rule first or last.",
    ),
)

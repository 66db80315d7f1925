"""Which sentences of an English prompt ask for something. Made to see an instruction rather than to miss one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sharpen.optimizer.analysis.lexicon import matches, patterns, stop_words, word_list
from sharpen.optimizer.analysis.text import HOLE, Sentence, words

_CLAUSE = re.compile(r"[,;:()\[\]—–]|\s-+\s|\b(?:and|then|or|to|please)\b", re.IGNORECASE)
_DETERMINED = re.compile(
    rf"[^\W\d_]+(?:\s+(?:up|out|in|on|down|into|for|to))?\s+"
    rf"(?:(?:the|this|that|these|those|a|an|each|every|all|any|my|our|your|its|their|following|it|them)\b|{HOLE})",
    re.IGNORECASE,
)
_SECOND_PERSON = re.compile(r"\byou\s+(?:\w+ly\s+)?([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """A sentence that asks for something. ``verbs``: what its clauses begin with, lower case."""

    sentence: Sentence
    verbs: tuple[str, ...]
    negative: bool
    question: bool

    @property
    def about_form(self) -> bool:
        """It asks for a form of the answer ("Answer with …"), not for the task itself."""
        return bool(self.verbs) and self.verbs[0] in word_list("format_verbs")

    @property
    def vague(self) -> bool:
        """It names an activity that fits every task ("Check this message")."""
        if self.question or self.negative or not self.verbs:
            return False
        known = word_list("vague_verbs") | word_list("vague_objects") | word_list("openers")
        return self.verbs[0] in word_list("vague_verbs") and all(word.lower() in known for word in self.sentence.words)


def read_instruction(sentence: Sentence) -> Instruction | None:
    """The instruction in an English ``sentence``; None for a statement, heading or mere value."""
    text = sentence.text.strip()
    question = text.rstrip("\"')*").endswith("?")
    negative = bool(matches(patterns("negations"), text)) and _begins_negative(text)
    verbs = tuple(verb for clause in _CLAUSE.split(text) if (verb := _leading_verb(clause)))
    asked = bool(verbs) or negative or question or matches(patterns("task_phrases"), text)
    if not asked and (second := _SECOND_PERSON.search(text)):
        asked = second.group(1).lower() in word_list("task_verbs")
    if not asked and (found := _DETERMINED.match(text)):
        first = words(found.group())[0].lower()
        asked = first not in stop_words()["en"] and first not in word_list("vague_objects")
        verbs = (first,) if asked else ()
    return Instruction(sentence, verbs, negative, question) if asked else None


def _leading_verb(clause: str) -> str:
    for word in words(clause)[:4]:
        lowered = word.lower()
        if lowered in word_list("task_verbs"):
            return lowered
        if lowered not in word_list("openers"):
            return ""
    return ""


def _begins_negative(text: str) -> bool:
    first = next((found.start() for p in patterns("negations") if (found := p.search(text))), len(text))
    return len(words(text[:first])) <= 3

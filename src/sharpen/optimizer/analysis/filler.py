"""Courtesies and empty phrases in English instructions: where they stand and how they come out cleanly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sharpen.optimizer.analysis.cuts import cut_phrase, sentence_removal
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.lexicon import phrases, word_list
from sharpen.optimizer.analysis.text import HOLE, Sentence, words
from sharpen.optimizer.models import TextEdit

KINDS = ("politeness", "filler")
MOSTLY = 0.6
"""A sentence of which at least this share of words is filler is filler as a whole."""


@dataclass(frozen=True, slots=True)
class Filler:
    """One empty stretch, by offset in its message; ``edits`` take it out (none where that is not safe)."""

    message: int
    start: int
    end: int
    text: str
    edits: tuple[TextEdit, ...]


def find_filler(document: Document, kind: Literal["politeness", "filler"]) -> Iterator[Filler]:
    """Matches of one kind in the order of the text; silent unless the prompt is English."""
    if document.language != "en":
        return
    for sentence in document.sentences:
        source = document.messages[sentence.message].source
        if _mostly_empty(sentence, (kind,)):
            edits: tuple[TextEdit, ...] = (sentence_removal(source, sentence),)
            yield Filler(sentence.message, sentence.start, sentence.end, sentence.text, edits)
            continue
        for start, end in _spans(sentence, (kind,), ("inline",)):
            edits = cut_phrase(source, sentence, start, end)
            left, right = sentence.start + start, sentence.start + end
            yield Filler(sentence.message, left, right, sentence.text[start:end], edits)


def empty_words(sentence: Sentence) -> int:
    """Words of an English sentence that are courtesy or filler; all of them when most are."""
    if _mostly_empty(sentence, KINDS):
        return len(sentence.words)
    return _count(sentence, _spans(sentence, KINDS, ("inline",)))


def filler_words(document: Document) -> int:
    """Words of the prompt that are courtesy or filler."""
    return sum(map(empty_words, document.sentences)) if document.language == "en" else 0


def _mostly_empty(sentence: Sentence, kinds: tuple[str, ...]) -> bool:
    """Nothing is asked or said beside the phrases: they are all of it, or ``whole`` ones are most of it."""
    spans = _spans(sentence, kinds, ("inline", "whole"))
    if not spans or HOLE in sentence.text:
        return False
    edges = pairwise([(0, 0), *spans, (len(sentence.text), 0)])
    rest = words(" ".join(sentence.text[left[1] : right[0]] for left, right in edges))
    asks = any(word.lower() in word_list("task_verbs") for word in rest)
    most = _count(sentence, _spans(sentence, kinds, ("whole",))) >= MOSTLY * len(sentence.words)
    return not rest or (most and not asks)


def _count(sentence: Sentence, spans: list[tuple[int, int]]) -> int:
    return sum(len(words(sentence.text[start:end])) for start, end in spans)


def _spans(sentence: Sentence, kinds: tuple[str, ...], scopes: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where a phrase of these kinds stands in the sentence, joined where they overlap or touch."""
    found = sorted(
        match.span()
        for kind in kinds
        for scope in scopes
        for pattern in phrases(kind, scope)
        for match in pattern.finditer(sentence.text)
    )
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and not sentence.text[merged[-1][1] : start].strip(" "):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged

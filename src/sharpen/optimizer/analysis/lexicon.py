"""The word lists and patterns of ``data/*.yaml``, read once. Facts about languages are data, not code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from sharpen.optimizer.data_files import read_data


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two groups of demands that no answer meets at once."""

    name: str
    left: tuple[re.Pattern[str], ...]
    right: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Vague:
    """An indefinite wording and what a definite one could be (empty: no general replacement)."""

    pattern: re.Pattern[str]
    say: str


@cache
def stop_words() -> dict[str, frozenset[str]]:
    """Language code → its frequent words."""
    return {language: frozenset(text.split()) for language, text in _load("stopwords").items()}


@cache
def word_list(name: str) -> frozenset[str]:
    """A list of English words by its name in ``english.yaml``."""
    return frozenset(_load("english")[name].split())


@cache
def patterns(name: str) -> tuple[re.Pattern[str], ...]:
    """A list of English patterns by its name in ``english.yaml``."""
    return tuple(_compile(text) for text in _load("english")[name])


@cache
def phrases(name: str, scope: str) -> tuple[re.Pattern[str], ...]:
    """``politeness`` or ``filler`` wordings; ``scope`` is ``inline`` or ``whole`` (see ``wording.yaml``)."""
    return tuple(_compile(text) for text in _load("wording")[name][scope])


@cache
def vague_wordings() -> tuple[Vague, ...]:
    """Indefinite quantities and qualities."""
    return tuple(Vague(_compile(entry["pattern"]), entry["say"]) for entry in _load("wording")["vague"])


@cache
def conflicts() -> tuple[Conflict, ...]:
    """All known pairs of demands that exclude each other."""
    return tuple(
        Conflict(
            entry["name"],
            tuple(map(_compile, entry["left"])),
            tuple(map(_compile, entry["right"])),
            _compile(entry["unless"]),
        )
        for entry in _load("contradictions")
    )


@cache
def task_nouns() -> dict[str, tuple[re.Pattern[str], ...]]:
    """Name of the answer line → patterns of the words that stand for it."""
    return {
        name: tuple(_compile(rf"\b{re.escape(form)}\b") for form in forms)
        for name, forms in _load("task_nouns").items()
    }


@cache
def label_names() -> dict[str, frozenset[str]]:
    """Name of a closed set of answers → the members it may have, lower case."""
    return {name: frozenset(labels) for name, labels in _load("label_names").items()}


@cache
def input_names() -> frozenset[str]:
    """Variable names that usually carry the text to work on."""
    return frozenset(_load("inputs")["names"].split())


def matches(found: tuple[re.Pattern[str], ...], text: str) -> bool:
    """Whether any of the patterns stands anywhere in ``text``."""
    return any(pattern.search(text) for pattern in found)


def _compile(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


@cache
def _load(name: str) -> Any:
    return read_data("analysis", name)

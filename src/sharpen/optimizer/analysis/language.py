"""Is this text English? A guess by script and by the share of frequent words, made to say no when in doubt."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from sharpen.optimizer.analysis.lexicon import stop_words, word_list
from sharpen.optimizer.analysis.text import words

LATIN_SHARE = 0.85
"""Share of letters that must be Latin before a text is compared with languages in Latin script."""
FREQUENT_SHARE = 0.12
"""Share of the distinct words that must be frequent words of the language."""
SAMPLE = 200
"""So many distinct words are looked at: in longer texts rare words pile up."""
SHORT = 8
"""Up to so many words, the verb of an instruction ("Classify …") is evidence of English too."""


@lru_cache(maxsize=512)
def guess_language(text: str) -> str | None:
    """A language code of ``stopwords.yaml``; None when the text is too short, mixed or in another script."""
    letters = [char for char in text if char.isalpha()]
    if not letters or sum(_is_latin(char) for char in letters) < LATIN_SHARE * len(letters):
        return None
    distinct = dict.fromkeys(word.lower() for word in words(text) if not word[0].isdigit())
    found = list(distinct)[:SAMPLE]  # saying a word twice is no more evidence
    hits = {language: sum(word in known for word in found) for language, known in stop_words().items()}
    if len(found) <= SHORT:
        hits["en"] += sum(word in word_list("task_verbs") for word in found[:2])
    best = max(hits, key=lambda language: hits[language])
    rival = max(count for language, count in hits.items() if language != best)
    if hits[best] == 0 or hits[best] <= rival or hits[best] < FREQUENT_SHARE * len(found):
        return None
    return best


def is_english(text: str) -> bool:
    """Confidently English."""
    return guess_language(text) == "en"


def _is_latin(char: str) -> bool:
    return char.isascii() or unicodedata.name(char, "").startswith("LATIN")

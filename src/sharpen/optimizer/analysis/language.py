"""Is this text English? A guess by script and by the share of frequent words, made to say no when in doubt."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from sharpen.optimizer.analysis.lexicon import stop_words, word_list
from sharpen.optimizer.analysis.text import words

LATIN_SHARE = 0.85
"""Share of letters that must be Latin before a text is compared with languages in Latin script."""
ENGLISH_SHARE = 0.12
"""Share of words that must be frequent English words; running English has 0.35 to 0.6."""
SHORT = 8
"""Up to so many words, the verb of an instruction ("Classify …") is evidence of English too."""


@lru_cache(maxsize=512)
def guess_language(text: str) -> str | None:
    """A language code of ``stopwords.yaml``; None when the text is too short, mixed or in another script."""
    letters = [char for char in text if char.isalpha()]
    if not letters or sum(_is_latin(char) for char in letters) < LATIN_SHARE * len(letters):
        return None
    found = [word.lower() for word in words(text)]
    hits = {language: sum(word in known for word in found) for language, known in stop_words().items()}
    if len(found) <= SHORT:
        hits["en"] += sum(word in word_list("task_verbs") for word in found[:2])
    best = max(hits, key=lambda language: hits[language])
    rival = max(count for language, count in hits.items() if language != best)
    if hits[best] == 0 or hits[best] <= rival or hits[best] < ENGLISH_SHARE * len(found):
        return None
    return best


def is_english(text: str) -> bool:
    """Confidently English."""
    return guess_language(text) == "en"


def _is_latin(char: str) -> bool:
    return char.isascii() or unicodedata.name(char, "").startswith("LATIN")

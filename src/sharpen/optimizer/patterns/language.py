"""Which language an answer is in, said only when it is beyond doubt; by script, then by frequent words. Pure."""

from __future__ import annotations

import re
from collections import Counter

from sharpen.optimizer.analysis.lexicon import stop_words

SAMPLE = 600
"""Characters that are looked at."""
MIN_LETTERS = 12
SCRIPT_SHARE = 0.8
"""Share of the letters that must be of one script."""
MIN_WORDS = 8
"""Fewer different words tell no language in Latin script: labels, names and loan words stand in any of them."""
FREQUENT_SHARE = 0.25
"""Share of the different words that must be frequent ones of the language, and twice as many as of any other."""

_LETTERS = re.compile(r"[^\W\d_]+")
_SCRIPTS = (
    ("Greek", "\u0370-\u03ff\u1f00-\u1fff"),
    ("Cyrillic", "\u0400-\u052f"),
    ("Hebrew", "\u0590-\u05ff"),
    ("Arabic", "\u0600-\u06ff\u0750-\u077f"),
    ("Devanagari", "\u0900-\u097f"),
    ("Thai", "\u0e00-\u0e7f"),
    ("Korean", "\u1100-\u11ff\uac00-\ud7af"),
    ("Chinese or Japanese", "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"),
)
_OF_SCRIPT = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS}
_NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "pl": "Polish", "sv": "Swedish", "tr": "Turkish",
}  # fmt: skip


def sure_language(text: str) -> str | None:
    """``German``, ``Cyrillic`` (a script when it is not Latin); None when there is any doubt."""
    text = text[:SAMPLE]
    found = [word.lower() for word in _LETTERS.findall(text)]
    letters = sum(map(len, found))
    if letters < MIN_LETTERS and text.isascii():
        return None
    if not text.isascii():
        foreign = {name: len(pattern.findall(text)) for name, pattern in _OF_SCRIPT.items()}
        script = max(foreign, key=lambda name: foreign[name])
        if letters >= 4 and foreign[script] >= SCRIPT_SHARE * letters:  # four signs are a sentence in Chinese
            return script if letters >= MIN_LETTERS or script == "Chinese or Japanese" else None
        if sum(foreign.values()) > (1 - SCRIPT_SHARE) * letters:
            return None
    distinct = set(found)
    if len(distinct) < MIN_WORDS:
        return None
    hits = Counter({language: len(distinct & known) for language, known in stop_words().items()})
    (best, most), (_, rival) = hits.most_common(2)
    if most < FREQUENT_SHARE * len(distinct) or most < 2 * rival:
        return None
    return _NAMES.get(best, best)

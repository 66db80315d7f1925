"""How text comes out of a message without leaving a gap."""

from __future__ import annotations

import re

from sharpen.optimizer.analysis.text import Sentence, words
from sharpen.optimizer.models import TextEdit

_WAITS = re.compile(
    r"\b(you|i|we|they|to|not|can|could|will|would|shall|should|may|might|must|do|does|is|are|be)$", re.IGNORECASE
)
"""After such a word a verb or complement has to come: a comma there has a partner behind what it sets off."""
_JOINS = re.compile(r"\b(and|or|but|then|so)$", re.IGNORECASE)


def sentence_removal(source: str, sentence: Sentence) -> TextEdit:
    """Takes a sentence out together with the space, list marker or line that only it needed."""
    line_start = source.rfind("\n", 0, sentence.start) + 1
    line_end = source.find("\n", sentence.end)
    line_end = len(source) if line_end < 0 else line_end + 1
    marker = source[line_start : sentence.start]
    if not words(marker) and "}" not in marker and not source[sentence.end : line_end].strip():
        return TextEdit(start=line_start, end=line_end)
    end = sentence.end
    while end < len(source) and source[end] in " \t":
        end += 1
    return TextEdit(start=sentence.start, end=end)


def cut_phrase(source: str, sentence: Sentence, start: int, end: int) -> tuple[TextEdit, ...]:
    """Takes the words at ``start`` to ``end`` (offsets in the sentence) out; none where that leaves a stump.

    The next word gets the capital where it now begins the sentence.
    """
    text = sentence.text
    before, after = text[:start].rstrip(), text[end:].lstrip(" ,")
    if not after or not after[0].isalpha():
        cut = len(before.rstrip(","))  # "…, please." ends the sentence: comma and space go with it
        return (TextEdit(start=sentence.start + cut, end=sentence.start + end),) if before else ()
    behind = sentence.start + len(text) - len(after)
    if words(before):
        return _cut_inside(sentence, start, end, behind)
    first = source[behind].upper() if text[start].isupper() else source[behind]
    return (TextEdit(start=sentence.start + start, end=behind + 1, replacement=first),)


def _cut_inside(sentence: Sentence, start: int, end: int, behind: int) -> tuple[TextEdit, ...]:
    """Takes words out of the middle of a sentence with the commas that only they needed."""
    text = sentence.text
    before, after = text[:start].rstrip(), text[end:].lstrip()
    opened = before.endswith(",")
    closed = text[:end].endswith(",") or after.startswith(",")
    bare = before.rstrip(",")
    waits = _WAITS.search(bare) is not None
    if opened and closed and waits:  # "Could you, please, sort": both commas go
        return (TextEdit(start=sentence.start + len(bare), end=behind, replacement=" "),)
    if closed and waits:  # "to please, if you can, sort": the comma belongs to what follows
        return ()
    if closed and not opened and not _JOINS.search(bare) and not bare.endswith((":", ";", "(", "—", "–")):
        return (TextEdit(start=sentence.start + len(bare), end=behind, replacement=", "),)  # "Sort it please, then …"
    return (TextEdit(start=sentence.start + start, end=behind),)

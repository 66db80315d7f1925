"""Scores of a prompt on 0..100, computed from findings and from its text. ``docs/scores.md`` tells the same story.

clarity
    100 − Σ over rules of penalty(severity) · (1 + 1/2 + 1/4 + …), one term for each finding of the rule, over rules
    that lower clarity. The first finding weighs most; any number of them weighs less than twice the first.
efficiency
    100 · useful / (useful + filler + repeated + excess), all in words of the speaking messages:
    filler: courtesies and empty phrases (English); repeated: words of sentences that were there already, and of word
    sequences (``REPEAT`` words) that were; excess: words above ``ROOM + PER_SENTENCE`` · instructions;
    useful: all other words. A prompt without words of its own scores 100.
overall
    0.6 · clarity + 0.4 · efficiency.

The penalties and weights are conventions of this project, chosen so that one critical finding or one error brings
a prompt under the threshold of 80 at which it is worth optimizing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.filler import empty_words
from sharpen.optimizer.analysis.registry import BY_ID
from sharpen.optimizer.analysis.text import HOLE
from sharpen.optimizer.models import AnalysisIssue, Severity

PENALTY = {Severity.CRITICAL: 45.0, Severity.ERROR: 35.0, Severity.WARNING: 10.0, Severity.INFO: 2.0}
CLARITY_WEIGHT = 0.6
EFFICIENCY_WEIGHT = 0.4
REPEAT = 6
ROOM = 200
PER_SENTENCE = 40


@dataclass(frozen=True, slots=True)
class TextMeasure:
    """Words of a prompt by what they do; they add up to all of its words."""

    useful: int
    filler: int
    repeated: int
    excess: int

    @property
    def efficiency(self) -> float:
        total = self.useful + self.filler + self.repeated + self.excess
        return 100.0 * self.useful / total if total else 100.0


def clarity_score(issues: Sequence[AnalysisIssue]) -> float:
    """100 less the penalties of the issues whose rules lower clarity, at least 0."""
    counted = Counter(
        (issue.type, issue.severity)
        for issue in issues
        if issue.type in BY_ID and BY_ID[issue.type].lowers == "clarity"
    )
    return max(0.0, 100.0 - sum(PENALTY[severity] * 2 * (1 - 0.5**number) for (_, severity), number in counted.items()))


def overall_score(clarity: float, efficiency: float) -> float:
    """The weighted mean of both."""
    return CLARITY_WEIGHT * clarity + EFFICIENCY_WEIGHT * efficiency


def measure_text(document: Document) -> TextMeasure:
    """Sort the words of the prompt's own sentences into useful, filler, repeated and excess."""
    english = document.language == "en"
    filler = repeated = kept = 0
    seen: set[tuple[str, ...]] = set()
    for sentence in document.sentences:
        total = len(sentence.words)
        empty = min(total, empty_words(sentence)) if english else 0
        filler += empty
        if empty == total:
            continue
        least = 2 if sentence.ended and HOLE not in sentence.text else 4  # headings and labels come again and again
        said = tuple(word.lower() for word in sentence.words)
        again = min(total - empty, _repeated_words(said, seen)) if total >= least else 0
        repeated += again
        kept += total - empty - again
    asking = len(document.instructions) if english else len(document.sentences)
    excess = max(0, kept - ROOM - PER_SENTENCE * asking)
    return TextMeasure(kept - excess, filler, repeated, excess)


def _repeated_words(said: tuple[str, ...], seen: set[tuple[str, ...]]) -> int:
    """Words of ``said`` inside sequences that were said before; ``seen`` learns the new ones."""
    size = min(REPEAT, len(said))
    again: set[int] = set()
    for start in range(len(said) - size + 1):
        run = said[start : start + size]
        if run in seen:
            again.update(range(start, start + size))
        seen.add(run)
    return len(again)

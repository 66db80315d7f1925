"""``levenshtein``: at most ``threshold`` insertions, deletions and substitutions away from ``value``."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from sharpen.assertions.base import Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.config.assertions import AssertionPart, LevenshteinAssertion


class EditDistance(Assertion):
    """Score: 1 − distance / length of the longer text (rapidfuzz's normalised similarity; 1 for two empty texts)."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, LevenshteinAssertion)
        self._threshold = config.threshold

    def check(self, context: AssertionContext) -> Verdict:
        value = str(context.value)
        distance = Levenshtein.distance(context.output, value)
        longer = max(len(context.output), len(value))
        score = 1 - distance / longer if longer else 1.0
        if distance <= self._threshold:
            return Verdict(True, score)
        reason = f"{distance} edits from {quoted(value)}, at most {self._threshold} allowed: {quoted(context.output)}"
        return Verdict(False, score, reason)

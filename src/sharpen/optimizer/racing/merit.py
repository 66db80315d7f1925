"""What one answer says about a prompt: whether it passed, and how near it came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sharpen.optimizer.ports import CaseOutcome

CREDIT = 0.4
"""What a failed answer of the right form is worth beside a pass, at first."""

FADES_AFTER = 16.0
"""After so many cases that is halved: the more passes are known, the less the form tells beside them."""

_TRIMMED = " \t\"'`*.:!"


def merit(passed: float, credit: float, cases: int) -> float:
    """The rank of a contender, larger is better: sums of passes and of credits over its ``cases`` (each 0…1).

    On the first few cases most prompts pass none, and what tells them apart is whether they answer in the right form
    at all: one that does will pass its share later, one that chats never will.
    """
    return (passed + CREDIT / (1 + cases / FADES_AFTER) * credit) / max(1, cases)


class Form:
    """Tells whether an answer has the right form, from the answers that are expected anywhere."""

    def __init__(self, expected: Iterable[Any]) -> None:
        answers = [answer for answer in expected if answer is not None]
        labels = {_bare(answer) for answer in answers if isinstance(answer, str)}
        # few answers for many cases are labels; anything else has no form that could be told from them
        self._labels = labels if answers and len(labels) <= len(answers) // 2 else set()

    def credit(self, outcome: CaseOutcome) -> float:
        """0…1: the share of the checks that passed; 1 for another label than the right one."""
        if not outcome.ran:
            return 0.0
        right_form = outcome.output is not None and _bare(outcome.output) in self._labels
        return max(outcome.pass_rate, outcome.score, 1.0 if right_form else 0.0)


def _bare(answer: str) -> str:
    lines = answer.strip().splitlines()
    return lines[0].strip(_TRIMMED).casefold() if lines else ""

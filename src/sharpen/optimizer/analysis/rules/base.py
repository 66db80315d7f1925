"""What a rule is: an id, a reason, and a function from the prompt to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.text import Sentence
from sharpen.optimizer.models import Severity, TextEdit


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a rule is broken and how to mend it; ``edits`` only when they cannot change what the prompt asks."""

    message: int
    start: int
    end: int
    description: str
    suggestion: str
    edits: tuple[TextEdit, ...] = ()

    @classmethod
    def at(cls, sentence: Sentence, description: str, suggestion: str) -> Finding:
        """A finding that covers a sentence."""
        return cls(sentence.message, sentence.start, sentence.end, description, suggestion)


Check = Callable[[Document], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``languages``: those it can read (empty: any); in others it is silent.

    ``lowers`` names the score it counts against: findings lower clarity by their severity, while efficiency is
    measured on the text itself (see ``scores``); an empty ``lowers`` only informs.
    """

    id: str
    name: str
    severity: Severity
    check: Check
    why: str
    mend: str
    languages: frozenset[str] = frozenset()
    lowers: Literal["clarity", "efficiency", ""] = "clarity"


ENGLISH = frozenset({"en"})

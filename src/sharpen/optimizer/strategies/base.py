"""The seam of a strategy: one context in, candidates out."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sharpen.config.assertions import AssertionPart
from sharpen.optimizer.models import Change, Prompt, PromptAnalysis
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.ports import CaseOutcome, LabelledCase, RewritePrompt


@dataclass(frozen=True, slots=True)
class StrategyContext:
    """What a strategy may look at: the prompt, its analysis, the assertions and the train split. Never dev or holdout.

    ``train_outcomes`` are the baseline's on the train split, by case id. ``api`` says how messages are sent: as chat
    messages or joined to one raw text. ``rng`` is seeded: a strategy is deterministic given its context.
    ``patterns``: what went wrong with the baseline on train, grouped (see ``optimizer.error_patterns``).
    ``max_added_tokens`` bounds what demonstrations may add to the prompt (None: unknown context window).
    """

    prompt: Prompt
    analysis: PromptAnalysis
    assertions: tuple[AssertionPart, ...] = ()
    train: Sequence[LabelledCase] = ()
    train_outcomes: dict[str, CaseOutcome] = field(default_factory=dict)
    api: str = "chat"
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    rewrite: RewritePrompt | None = None
    max_candidates: int = 8
    max_added_tokens: int | None = None
    patterns: ErrorPatterns | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt worth trying, what was changed and by which rule."""

    prompt: Prompt
    strategy: str
    changes: tuple[Change, ...]


class Strategy(ABC):
    """One way of making a prompt better. It proposes; measurement decides."""

    name: ClassVar[str]

    @abstractmethod
    async def propose(self, context: StrategyContext) -> list[Candidate]:
        """At most ``max_candidates`` candidates that differ from the prompt; none when it has nothing to offer.

        Placeholders (``{{ … }}``, ``{% … %}``) of the prompt survive unchanged in every candidate.
        """

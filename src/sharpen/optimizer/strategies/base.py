"""The seam of a strategy: one context in, candidates out."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sharpen.config.assertions import AssertionPart
from sharpen.optimizer.models import Change, Prompt, PromptAnalysis
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.ports import CaseOutcome, LabelledCase, RewritePrompt


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt worth trying, what was changed and by which rule. ``examples``: the train cases that it shows."""

    prompt: Prompt
    strategy: str
    changes: tuple[Change, ...]
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parent:
    """One of two candidates to be crossed: who made it, and what it did on train cases (none: not known)."""

    id: str
    candidate: Candidate
    strategy: Strategy | None = None
    train_outcomes: Mapping[str, CaseOutcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two candidates that pass different dev cases, the better one first. ``told`` says in numbers how different."""

    first: Parent
    second: Parent
    told: str = ""


@dataclass(frozen=True, slots=True)
class StrategyContext:
    """What a strategy may look at: the prompt, its analysis, the assertions and the train split. Never dev or holdout.

    ``train_outcomes`` are the baseline's on the train split, by case id; a strategy that ``asks`` gets those of
    ``prompt`` itself where it was run on train cases. ``api`` says how messages are sent: as chat
    messages or joined to one raw text. ``rng`` is seeded: a strategy is deterministic given its context.
    ``patterns``: what went wrong with the baseline on train, grouped (see ``optimizer.error_patterns``).
    ``max_added_tokens`` bounds what demonstrations may add to the prompt (None: unknown context window).
    ``saving``: fewer tokens are a goal of this search. ``pair``: two candidates that may be crossed.
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
    saving: bool = False
    pair: Pair | None = None


class Strategy(ABC):
    """One way of making a prompt better. It proposes; measurement decides.

    ``asks``: so many candidates it makes at most, by calls of the rewriter (0: it calls nothing). It is asked for no
    more than may race. ``repeatable``: it may be applied to what it made itself.
    """

    name: ClassVar[str]
    asks: ClassVar[int] = 0
    repeatable: ClassVar[bool] = False

    @abstractmethod
    async def propose(self, context: StrategyContext) -> list[Candidate]:
        """At most ``max_candidates`` candidates that differ from the prompt; none when it has nothing to offer.

        Placeholders (``{{ … }}``, ``{% … %}``) of the prompt survive unchanged in every candidate.
        """

    async def reapply(self, candidate: Candidate, context: StrategyContext) -> Candidate | None:
        """The changes of a ``candidate`` of its own made to the prompt of ``context``; None when they do not fit there.

        Of what it proposes for that prompt the one that makes most of the same changes, and no other. A strategy that
        asks the rewriter cannot do the same twice.
        """
        if self.asks:
            return None
        wanted = {change.rule_id for change in candidate.changes}
        found = [(each, {change.rule_id for change in each.changes}) for each in await self.propose(context)]
        fitting = [(each, made) for each, made in found if made and made <= wanted]
        return max(fitting, key=lambda pair: len(pair[1]), default=(None, set()))[0]

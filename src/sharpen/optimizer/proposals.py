"""Asking the strategies: one context for each, duplicates dropped, every strategy kept in the race."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sharpen.config.assertions import AssertionPart
from sharpen.config.prompts import PromptTemplate
from sharpen.optimizer.error_patterns import find_patterns
from sharpen.optimizer.models import Prompt, PromptAnalysis
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.ports import CaseOutcome, EvaluatePrompt, LabelledCase, RewritePrompt, SpendMeter
from sharpen.optimizer.proof.holdout import HoldoutAccount
from sharpen.optimizer.search import Contender, interleave
from sharpen.optimizer.splits import Split
from sharpen.optimizer.strategies.base import Strategy, StrategyContext

MAX_CONTENDERS = 16  # of one generation, over all strategies


@dataclass(frozen=True, slots=True)
class Measurement:
    """What it takes to measure prompts instead of guessing: the cases, the seed's outcomes and the callables.

    ``baseline`` holds the seed prompt's outcomes on every case, by case id; ``repeats`` the runs of one case.
    ``account``: the search's page in the ledger of held-out cases (None: nothing is remembered). ``patterns``: what
    went wrong with the seed prompt on train and dev, by which strategies are ordered; these see only train's.
    ``learned``: in which order earlier searches recommend what ``auto`` stands for (empty: that of the rules).
    """

    cases: Sequence[LabelledCase]
    baseline: Mapping[str, CaseOutcome]
    split: Split
    evaluate: EvaluatePrompt
    meter: SpendMeter
    assertions: tuple[AssertionPart, ...] = ()
    api: str = "chat"
    rewrite: RewritePrompt | None = None
    max_added_tokens: int | None = None
    repeats: int = 1
    base_dir: Path | None = None
    supplied: tuple[PromptTemplate, ...] = ()
    account: HoldoutAccount | None = None
    patterns: ErrorPatterns | None = None
    learned: tuple[str, ...] = ()


@dataclass(slots=True)
class Proposals:
    """Collects contenders over generations; nothing is ever tried twice."""

    measurement: Measurement
    strategies: Sequence[Strategy]
    seed: int
    _seen: set[str] = field(default_factory=set)
    _count: int = 0
    _patterns: ErrorPatterns | None = field(init=False)

    def __post_init__(self) -> None:
        found = find_patterns(self._train(), self.measurement.baseline, basis="the train cases")
        self._patterns = found if found.failures else None

    async def from_parent(
        self, prompt: Prompt, analysis: PromptAnalysis, parent: Contender | None = None
    ) -> list[Contender]:
        """Contenders that change ``parent``'s prompt (the seed prompt's without one), by strategies new to its line."""
        start = parent.candidate.prompt if parent else prompt
        lineage = parent.lineage if parent else frozenset[str]()
        self._seen.update((prompt.content_hash, start.content_hash))
        groups = [
            await strategy.propose(self._context(strategy, start, analysis))
            for strategy in self.strategies
            if strategy.name not in lineage
        ]
        contenders: list[Contender] = []
        for candidate in interleave(groups):
            if candidate.prompt.content_hash in self._seen or len(contenders) == MAX_CONTENDERS:
                continue
            self._seen.add(candidate.prompt.content_hash)
            self._count += 1
            contenders.append(
                Contender(
                    id=f"c{self._count:02d}",
                    candidate=candidate,
                    parent_id=parent.id if parent else None,
                    lineage=lineage | {candidate.strategy},
                )
            )
        return contenders

    def _context(self, strategy: Strategy, start: Prompt, analysis: PromptAnalysis) -> StrategyContext:
        given = self.measurement
        return StrategyContext(
            prompt=start,
            analysis=analysis,
            assertions=given.assertions,
            train=self._train(),
            train_outcomes={
                case_id: given.baseline[case_id] for case_id in given.split.train if case_id in given.baseline
            },
            api=given.api,
            rng=random.Random(f"{self.seed}/{strategy.name}/{start.content_hash}"),
            rewrite=given.rewrite,
            max_added_tokens=given.max_added_tokens,
            patterns=self._patterns,
        )

    def _train(self) -> list[LabelledCase]:
        train = set(self.measurement.split.train)
        return [case for case in self.measurement.cases if case.case_id in train]

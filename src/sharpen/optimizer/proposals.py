"""Asking the strategies: one context for each, duplicates dropped, every strategy kept in the race."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sharpen.config.assertions import AssertionPart
from sharpen.config.prompts import PromptTemplate
from sharpen.optimizer.allocation import Record, Share, allocate
from sharpen.optimizer.error_patterns import find_patterns
from sharpen.optimizer.models import Prompt, PromptAnalysis, StrategyShare
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.ports import CaseOutcome, EvaluatePrompt, LabelledCase, RewritePrompt, SpendMeter
from sharpen.optimizer.proof.holdout import HoldoutAccount
from sharpen.optimizer.search import Complement, Contender, interleave
from sharpen.optimizer.splits import Split
from sharpen.optimizer.strategies.base import Candidate, Pair, Parent, Strategy, StrategyContext
from sharpen.optimizer.strategies.crossover import Crossover
from sharpen.optimizer.strategies.supplied import Supplied

MAX_CONTENDERS = 16  # of one generation, over all strategies; the user's own prompts enter whatever their number


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


@dataclass(frozen=True, slots=True)
class _OnTrain:
    """What a prompt did on train cases, and what its failures there have in common (None: nothing failed)."""

    outcomes: dict[str, CaseOutcome]
    patterns: ErrorPatterns | None


@dataclass(slots=True)
class Proposals:
    """Collects contenders over generations; nothing is ever tried twice.

    ``saving``: fewer tokens are a goal. ``shares``: what each strategy offered and how much of it entered, in order.
    """

    measurement: Measurement
    strategies: Sequence[Strategy]
    seed: int
    saving: bool = False
    shares: list[StrategyShare] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _count: int = 0
    _generation: int = 0

    async def from_parent(
        self,
        prompt: Prompt,
        analysis: PromptAnalysis,
        parent: Contender | None = None,
        pair: Complement | None = None,
        records: Mapping[str, Record] | None = None,
    ) -> list[Contender]:
        """Contenders that change ``parent``'s prompt (the seed prompt's without one), by strategies new to its line.

        ``pair`` may be crossed. Of more than ``MAX_CONTENDERS`` each strategy enters what ``allocate`` gives it, by
        ``records``, and the user's own prompts enter all. Who would ask the rewriter is asked for no more than enters.
        """
        self._generation += 1
        start = parent.candidate.prompt if parent else prompt
        lineage = parent.lineage if parent else frozenset[str]()
        self._seen.update((prompt.content_hash, start.content_hash))
        of_seed = self._on_train(self.measurement.baseline)
        own = self._on_train(parent.outcomes) if parent else of_seed
        for_asking = own if own.outcomes else of_seed  # a parent's own failures, where it was run on train
        crossing_first = sorted(self.strategies, key=lambda strategy: strategy.name != Crossover.name)
        contexts = {
            each.name: (each, self._context(each, start, analysis, for_asking if each.asks else of_seed, pair))
            for each in crossing_first
            if each.repeatable or each.name not in lineage
        }
        asking = {name for name, (strategy, _) in contexts.items() if strategy.asks and self.measurement.rewrite}
        offered = self._new({
            name: [] if name in asking else await strategy.propose(context)
            for name, (strategy, context) in contexts.items()
        })  # fmt: skip
        users = len(offered.get(Supplied.name, ()))
        offers = {
            name: min(strategy.asks, context.max_candidates) if name in asking else len(offered[name])
            for name, (strategy, context) in contexts.items()
            if name != Supplied.name
        }
        rng = random.Random(f"{self.seed}/places/{self._generation}")
        granted = {share.strategy: share for share in allocate(offers, MAX_CONTENDERS - users, rng, records)}
        for name in offers:
            if name in asking and granted[name].places:
                strategy, context = contexts[name]
                asked = await strategy.propose(replace(context, max_candidates=granted[name].places))
                offered |= self._new({name: asked})
        return self._entered(offered, granted, lineage, parent, pair)

    def _entered(
        self,
        offered: Mapping[str, Sequence[Candidate]],
        granted: Mapping[str, Share],
        lineage: frozenset[str],
        parent: Contender | None,
        pair: Complement | None,
    ) -> list[Contender]:
        """The contenders, strategy by strategy in turn. Places that a rewriter left empty go to who offered more."""
        places = {name: granted[name].places if name in granted else len(found) for name, found in offered.items()}
        room = max(MAX_CONTENDERS, sum(places.values()))
        taken = {name: min(places[name], len(found)) for name, found in offered.items()}
        while sum(taken.values()) < room and (more := [name for name in taken if taken[name] < len(offered[name])]):
            taken[min(more, key=lambda name: taken[name])] += 1
        for name, found in offered.items():
            if found:
                reason = granted[name].reason if name in granted else "the plan's own prompts all enter"
                reason = "all it offered" if taken[name] == len(found) and name in granted else reason
                self.shares.append(
                    StrategyShare(
                        generation=self._generation,
                        strategy=name,
                        offered=len(found),
                        entered=taken[name],
                        reason=reason,
                    )
                )
        contenders = []
        for candidate in interleave([found[: taken[name]] for name, found in offered.items()]):
            self._count += 1
            crossed = pair if candidate.strategy == Crossover.name else None
            made_from = crossed.first if crossed else parent
            line = crossed.first.lineage | crossed.second.lineage if crossed else lineage
            contenders.append(
                Contender(
                    id=f"c{self._count:02d}",
                    candidate=candidate,
                    parent_id=made_from.id if made_from else None,
                    lineage=line | {candidate.strategy},
                )
            )
        return contenders

    def _new(self, groups: Mapping[str, Sequence[Candidate]]) -> dict[str, list[Candidate]]:
        """Without what was met before; what several strategies propose is the one's that comes first."""
        found: dict[str, list[Candidate]] = {name: [] for name in groups}
        named = {id(candidate): name for name, group in groups.items() for candidate in group}
        for candidate in interleave(list(groups.values())):
            if candidate.prompt.content_hash not in self._seen:
                self._seen.add(candidate.prompt.content_hash)
                found[named[id(candidate)]].append(candidate)
        return found

    def _context(
        self,
        strategy: Strategy,
        start: Prompt,
        analysis: PromptAnalysis,
        seen: _OnTrain,
        pair: Complement | None = None,
    ) -> StrategyContext:
        given = self.measurement
        return StrategyContext(
            prompt=start,
            analysis=analysis,
            assertions=given.assertions,
            train=self._train(),
            train_outcomes=seen.outcomes,
            api=given.api,
            rng=random.Random(f"{self.seed}/{strategy.name}/{start.content_hash}"),
            rewrite=given.rewrite,
            max_added_tokens=given.max_added_tokens,
            patterns=seen.patterns,
            saving=self.saving,
            pair=self._pair(pair) if pair and strategy.name == Crossover.name else None,
        )

    def _pair(self, pair: Complement) -> Pair:
        by_name = {strategy.name: strategy for strategy in self.strategies}

        def side(contender: Contender) -> Parent:
            return Parent(
                id=contender.id,
                candidate=contender.candidate,
                strategy=by_name.get(contender.candidate.strategy),
                train_outcomes=_on(self.measurement.split.train, contender.outcomes),
            )

        return Pair(side(pair.first), side(pair.second), told=str(pair))

    def _on_train(self, outcomes: Mapping[str, CaseOutcome]) -> _OnTrain:
        """Grouped once for all strategies of a generation: that takes a third of a second on 5,000 cases."""
        known = _on(self.measurement.split.train, outcomes)
        found = find_patterns(self._train(), known, basis="the train cases")
        return _OnTrain(known, found if found.failures else None)

    def _train(self) -> list[LabelledCase]:
        train = set(self.measurement.split.train)
        return [case for case in self.measurement.cases if case.case_id in train]


def _on(case_ids: Sequence[str], outcomes: Mapping[str, CaseOutcome]) -> dict[str, CaseOutcome]:
    return {case_id: outcomes[case_id] for case_id in case_ids if case_id in outcomes}

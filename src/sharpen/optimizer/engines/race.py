"""Our own search: propose, race on dev, build on the best.

Every generation applies the strategies to a parent (the seed first, then the best candidate so far) and races what they
propose on the dev split.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from sharpen.optimizer.allocation import records_of
from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.proposals import Proposals
from sharpen.optimizer.racing.merit import Form
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.racing.race import Race, full_budget
from sharpen.optimizer.search import Contender, complement
from sharpen.optimizer.selection import Selector
from sharpen.optimizer.strategies.crossover import Crossover
from sharpen.optimizer.strategies.registry import SAVES, build_strategy
from sharpen.optimizer.strategies.rewrite import Rewrite
from sharpen.optimizer.strategies.supplied import Supplied

GENERATIONS = 2
FIRST_GENERATION_SHARE = 0.65  # of what the search may spend; the rest builds on what the first one found
READS_OUTCOMES = frozenset({Rewrite.name, Crossover.name})  # strategies that show a model what candidates did on train
TRAIN_LOOK, LEAST_LOOK, LOOK_SHARE = 20, 4, 0.15
"""Train cases on which the second generation's parents are run for that: so many at most and at least, and all of them
together for no more than this share of what the search may still spend."""


class RaceEngine(SearchEngine):
    """Contenders of all strategies race on paired dev cases."""

    name = "race"
    weighs = True

    async def search(self, context: SearchContext) -> Found:
        """See ``docs/search.md``."""
        return await _Search(context).run()


class _Search:
    def __init__(self, context: SearchContext) -> None:
        given, names, config = context.given, context.names, context.config
        strategies = [build_strategy(name, given.base_dir) for name in names]
        if given.supplied:
            strategies.insert(0, Supplied(given.supplied))
        self._context = context
        self._saving_first = bool(names) and names[0] == SAVES
        savings = config.weights.savings if config.weights else {}
        saving = self._saving_first or bool(savings.keys() & {"tokens", "cost"})
        self._proposals = Proposals(given, strategies, config.split.seed, saving, context.shares)
        expected = {case.case_id: case.expected for case in given.cases}
        rng = random.Random(config.split.seed)
        self._dev = stratified(given.split.dev, expected, rng)
        self._train = stratified(given.split.train, expected, rng)
        self._form = Form(expected[case_id] for case_id in (*given.split.train, *given.split.dev))
        self._select = Selector(self._dev, given.baseline, context.rules, config.weights, config.margin)
        self._standing: list[Contender] = []

    async def run(self) -> Found:
        context = self._context
        best: Contender | None = None
        for generation in range(1, GENERATIONS + 1):
            parent = best
            context.phase("propose", f"generation {generation}: from {parent.id if parent else 'the seed prompt'}")
            contenders = await self._propose(parent)
            if context.stop_reason:
                break
            ranked = await self._race(contenders, FIRST_GENERATION_SHARE if generation == 1 else 1.0)
            best = self._select.better(ranked, best)
            if best is None or best is parent or context.stop_reason or self._perfect(best):
                break
        return self._found(best)

    async def _propose(self, parent: Contender | None) -> list[Contender]:
        """From the seed, or from the best so far: crossed with whom it lacks, and with what it fails on train."""
        context = self._context
        if parent is None:
            return await self._proposals.from_parent(context.prompt, context.analysis)
        pair = complement(context.contenders, self._dev) if Crossover.name in context.names else None
        await self._look_at_train([parent, *((pair.first, pair.second) if pair else ())])
        records = records_of(context.contenders, parent.outcomes, self._dev)
        return await self._proposals.from_parent(context.prompt, context.analysis, parent, pair, records)

    async def _look_at_train(self, parents: Sequence[Contender]) -> None:
        """What the rewriter is to see of them, they do now: in proportion to the answers, as far as the budget lets."""
        context = self._context
        if context.given.rewrite is None or not READS_OUTCOMES & {*context.names}:
            return
        looking = list(dict.fromkeys(each.id for each in parents))
        left = context.runs_left()
        most = TRAIN_LOOK if left is None else min(TRAIN_LOOK, int(LOOK_SHARE * left) // len(looking))
        cases = self._train[:most]
        if len(cases) < min(LEAST_LOOK, len(self._train)):
            return
        context.phase("propose", f"{', '.join(looking)} on {len(cases)} train cases, for the rewriter")
        by_id = {each.id: each for each in parents}
        await _all(context.evaluate(by_id[name], cases) for name in looking)

    async def _race(self, contenders: list[Contender], share: float) -> list[Contender]:
        """Let ``contenders`` race on dev with ``share`` of what the search may still spend; the best first."""
        context = self._context
        context.contenders += contenders
        left = context.runs_left()
        most = full_budget(len(contenders), len(self._dev))
        race = Race(self._dev, [each.id for each in contenders], most if left is None else min(most, int(share * left)))
        by_id = {each.id: each for each in contenders}
        while (heat := race.next()) and not context.stop_reason:
            racing = [by_id[name] for name in heat.contenders]
            noun = "candidate" if len(racing) == 1 else "candidates"
            seen = len(race.seen) + len(heat.cases)
            context.phase("race", f"{len(racing)} {noun} on {seen} of {len(self._dev)} dev cases")
            await _all(context.evaluate(each, heat.cases) for each in racing)
            for each in racing:
                for outcome in map(each.outcomes.__getitem__, heat.cases):
                    passed = outcome.pass_rate if outcome.ran else 0.0
                    credit, bonus = self._form.credit(outcome), self._select.objective.bonus(outcome)
                    race.tell(each.id, outcome.case_id, passed, credit, outcome.tokens, bonus)
        by_weights = "; ranked by the plan's weights" if context.config.weights else ""
        context.drops.update((drop.contender, f"{drop}{by_weights}") for drop in race.drops)
        self._standing = [by_id[name] for name in race.racing]
        return [by_id[name] for name in (*race.racing, *(drop.contender for drop in reversed(race.drops)))]

    def _found(self, best: Contender | None) -> Found:
        """What goes to the proof, and what the reader is to know of the choice."""
        context, weights = self._context, self._context.config.weights
        for each in context.contenders:
            if broken := self._select.breaks(each):
                context.broken[each.id] = broken
                context.drops.setdefault(each.id, f"newly breaks {', '.join(broken)} on the dev cases it saw")
        if weights is None:
            if best is None and self._saving_first:
                choice = self._select.cheaper(self._standing)
                return Found(choice.winner, choice.claim if choice.winner else "better")
            return Found(best)
        scores = {each.id: self._select.score(each) for each in context.contenders}
        context.scores.update((name, score) for name, score in scores.items() if score is not None)
        context.notes += [
            f"weights.{name} counts for nothing: it is not known, or 0 for the prompt"
            for name in self._select.objective.unknown
        ]
        choice = self._select.weighted(context.contenders)
        if choice.winner is not None:
            beside = [name for name in ("cost", "latency") if name in weights.savings]
            unproved = f"; {' and '.join(beside)} counted, but nothing is proved of {'them' if beside[1:] else 'it'}"
            told = f"the winner, {choice.winner.id}, was chosen by the plan's weights ({weights})"
            context.notes.append(told + unproved if beside else told)
        return Found(choice.winner, choice.claim)

    def _perfect(self, contender: Contender) -> bool:
        weights = self._context.config.weights
        every = len(self._context.seen_by(contender)) == len(self._dev) and not (weights and weights.savings)
        return every and contender.rank_key(self._dev)[0] == -1.0


async def _all(evaluations: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Side by side, started in order; the first error is raised when all are over.

    None may go on behind our back, on targets that are being closed, and what each paid for is kept.
    """
    ended = await asyncio.gather(*evaluations, return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error

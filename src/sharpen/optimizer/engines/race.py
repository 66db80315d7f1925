"""Our own search: propose, race on dev, build on the best.

Every generation applies the strategies to a parent (the seed first, then the best candidate so far) and races what they
propose on the dev split.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable
from typing import Any

from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.proposals import Proposals
from sharpen.optimizer.racing.merit import Form
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.racing.race import Race, full_budget
from sharpen.optimizer.search import Contender, rank_key
from sharpen.optimizer.strategies.registry import build_strategy
from sharpen.optimizer.strategies.supplied import Supplied

GENERATIONS = 2
FIRST_GENERATION_SHARE = 0.65  # of what the search may spend; the rest builds on what the first one found
SAVES = "efficiency_focus"  # asked for first, a search ends with a cheaper prompt if none is better
WORTH_SAVING = 0.95  # of the seed's tokens, at most, is a saving


class RaceEngine(SearchEngine):
    """Contenders of all strategies race on paired dev cases."""

    name = "race"

    async def search(self, context: SearchContext) -> Found:
        """See ``docs/search.md``."""
        return await _Search(context).run()


class _Search:
    def __init__(self, context: SearchContext) -> None:
        given, names, seed = context.given, context.names, context.config.split.seed
        strategies = [build_strategy(name, given.base_dir) for name in names]
        if given.supplied:
            strategies.insert(0, Supplied(given.supplied))
        self._context = context
        self._proposals = Proposals(given, strategies, seed)
        self._saving = bool(names) and names[0] == SAVES
        expected = {case.case_id: case.expected for case in given.cases}
        self._dev = stratified(given.split.dev, expected, random.Random(seed))
        self._form = Form(expected[case_id] for case_id in (*given.split.train, *given.split.dev))
        self._leader: Contender | None = None
        self._standing: tuple[str, ...] = ()

    async def run(self) -> Found:
        context = self._context
        best: Contender | None = None
        for generation in range(1, GENERATIONS + 1):
            parent = best
            context.phase("propose", f"generation {generation}: from {parent.id if parent else 'the seed prompt'}")
            contenders = await self._proposals.from_parent(context.prompt, context.analysis, parent)
            await self._race(contenders, FIRST_GENERATION_SHARE if generation == 1 else 1.0)
            best = self._better(self._leader, best)
            if best is None or best is parent or context.stop_reason or self._perfect(best):
                break
        if best is None and self._saving and (cheaper := self._cheaper()):
            return Found(cheaper, "non_inferior")
        return Found(best)

    async def _race(self, contenders: list[Contender], share: float) -> None:
        """Let ``contenders`` race on dev with ``share`` of what the search may still spend."""
        context = self._context
        context.contenders += contenders
        self._leader, self._standing = None, ()
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
                    race.tell(each.id, outcome.case_id, passed, self._form.credit(outcome), outcome.tokens)
        context.drops.update((drop.contender, str(drop)) for drop in race.drops)
        self._standing = race.racing
        if race.leader is not None and race.seen:
            self._leader = by_id[race.leader]

    def _better(self, challenger: Contender | None, best: Contender | None) -> Contender | None:
        """``challenger`` if it passed more than the seed, and did better than ``best``, on the cases both have seen."""
        if challenger is None or not self._context.beats_seed(challenger):
            return best
        if best is not None:
            both = [case_id for case_id in self._context.seen_by(challenger) if case_id in best.outcomes]
            if challenger.rank_key(both) >= best.rank_key(both):
                return best
        return challenger

    def _cheaper(self) -> Contender | None:
        """Of the last who stood, the one that saves most tokens and passed, within the margin, as much as the seed."""
        worthy: list[tuple[float, Contender]] = []
        for each in self._context.contenders:
            seen = self._context.seen_by(each)
            passed, _, tokens = each.rank_key(seen)
            seed_passed, _, seed_tokens = rank_key(self._context.given.baseline, seen)
            if each.id in self._standing and seen and -passed >= -seed_passed - self._context.config.margin:
                worthy.append((tokens - seed_tokens * WORTH_SAVING, each))
        saving, cheapest = min(worthy, key=lambda pair: pair[0], default=(0.0, None))
        return cheapest if saving < 0 else None

    def _perfect(self, contender: Contender) -> bool:
        every = len(self._context.seen_by(contender)) == len(self._dev)
        return every and contender.rank_key(self._dev)[0] == -1.0


async def _all(evaluations: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Side by side, started in order; the first error is raised when all are over.

    None may go on behind our back, on targets that are being closed, and what each paid for is kept.
    """
    ended = await asyncio.gather(*evaluations, return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error
